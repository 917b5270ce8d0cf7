"""dbt invocations as they appear in the warehouse: a row of ``dbt_invocations`` says that all of its run is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Self

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.times import in_utc

#: A row may be committed after rows with a later ``created_at``: PostgreSQL stamps it when its transaction starts, and
#: a dbt session in a local time zone steps back an hour in autumn.
OVERLAP = timedelta(hours=1)
#: ``created_at`` is in the time zone of dbt's session, and no zone is further behind UTC.
_ZONE_LAG = timedelta(hours=12)
_TABLE = "dbt_invocations"


@dataclass(frozen=True)
class Invocation:
    """One dbt command that ran to its end; not its vars, which may hold secrets.

    :param invocation_id: dbt's id of it.
    :param created_at: when its row was written, on the clock and in the time zone of dbt's session.
    :param run_started_at: UTC, as dbt wrote it.
    :param run_completed_at: UTC, as dbt wrote it.
    :param command: as in ``build``.
    """

    invocation_id: str
    created_at: datetime
    run_started_at: str | None = None
    run_completed_at: str | None = None
    command: str | None = None
    project_name: str | None = None
    target_name: str | None = None
    env: str | None = None
    job_name: str | None = None

    @property
    def completed_at(self) -> datetime:
        """When it ended, in UTC; by the clock of dbt's session where dbt did not say."""
        try:
            completed = datetime.fromisoformat(self.run_completed_at or "")
        except ValueError:
            completed = self.created_at
        return in_utc(completed)

    def to_dict(self) -> dict[str, str | None]:
        """Return JSON values, for XCom and events."""
        return {**asdict(self), "created_at": self.created_at.isoformat()}


@dataclass(frozen=True)
class InvocationFilter:
    """Which invocations count; None is any.

    :param project_name: the dbt project.
    :param command: as in ``build``.
    :param target_name: the target of dbt's profile, as in ``prod``.
    :param env: Elementary's environment, as in ``prod``.
    :param job_name: the orchestrator's job.
    """

    project_name: str | None = None
    command: str | None = None
    target_name: str | None = None
    env: str | None = None
    job_name: str | None = None

    @property
    def criteria(self) -> Mapping[str, str]:
        """The values asked for, by column; a form's empty field asks for nothing."""
        return {name: value for name, value in asdict(self).items() if value}

    def matches(self, invocation: Invocation) -> bool:
        """Tell whether the invocation is as asked for."""
        return all(getattr(invocation, name) == value for name, value in self.criteria.items())


@dataclass(frozen=True)
class Cursor:
    """How far the invocations of a schema have been told; survives a restart as JSON.

    :param watermark: the greatest ``created_at`` read back from the table; None where it was empty.
    :param seen: the ids of the invocations within :data:`OVERLAP` of it, which the next look reads again.
    """

    watermark: datetime | None = None
    seen: frozenset[str] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"watermark": self.watermark.isoformat() if self.watermark else None, "seen": sorted(self.seen)}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the cursor that :meth:`to_dict` described."""
        watermark = facts["watermark"]
        return cls(datetime.fromisoformat(watermark) if watermark else None, frozenset(facts["seen"]))


def read_news(source: Source, cursor: Cursor, wanted: InvocationFilter) -> tuple[list[Invocation], Cursor]:
    """Return the wanted invocations that appeared since the cursor, oldest first, and the cursor after them.

    :raises UnknownColumnError: the filter names a column that this version of the Elementary package does not write.
    """
    since = cursor.watermark - OVERLAP if cursor.watermark else None
    news, moved = advance(cursor, read_invocations(source, since, columns=tuple(wanted.criteria)))
    return [invocation for invocation in news if wanted.matches(invocation)], moved


def advance(cursor: Cursor, invocations: Iterable[Invocation]) -> tuple[list[Invocation], Cursor]:
    """Return those of the invocations that the cursor has not seen, oldest first, and the cursor that has.

    :param invocations: all that the table holds from :data:`OVERLAP` before the cursor on, in any order.
    """
    # No key is enforced in the warehouse: the same invocation may have several rows.
    by_id = {invocation.invocation_id: invocation for invocation in invocations}
    news = sorted(
        (invocation for invocation in by_id.values() if invocation.invocation_id not in cursor.seen),
        key=lambda invocation: invocation.created_at,
    )
    marks = [invocation.created_at for invocation in news]
    if cursor.watermark is not None:
        marks.append(cursor.watermark)
    watermark = max(marks, default=None)
    seen = frozenset(
        invocation.invocation_id
        for invocation in by_id.values()
        if watermark is not None and invocation.created_at >= watermark - OVERLAP
    )
    return news, Cursor(watermark, seen)


def newest_since(source: Source, since: datetime, wanted: InvocationFilter) -> Invocation | None:
    """Return the wanted invocation that ended last, if it ended at ``since`` or after it.

    :param since: with its zone, or in UTC.
    :raises UnknownColumnError: the filter names a column that this version of the Elementary package does not write.
    """
    since = in_utc(since)
    written_since = since.replace(tzinfo=None) - _ZONE_LAG
    candidates = [
        invocation
        for invocation in read_invocations(source, written_since, columns=tuple(wanted.criteria))
        if wanted.matches(invocation) and invocation.completed_at >= since
    ]
    return max(candidates, key=lambda invocation: invocation.completed_at, default=None)


def read_invocations(
    source: Source, since: datetime | None = None, *, columns: Sequence[str] = ()
) -> Iterator[Invocation]:
    """Stream the invocations that a source holds, in no particular order.

    :param since: only those whose ``created_at`` is at or after this time.
    :param columns: columns that must be there; others that an older version of the package lacks are None.
    :raises UnknownColumnError: a column that must be there is not.
    """
    held = set(source.schema(_TABLE).names) | set(columns)
    wanted = [field.name for field in fields(Invocation) if field.name in held]
    with source.read(_TABLE, columns=wanted, since=since) as reader:
        for batch in reader:
            for row in batch.to_pylist():
                # A row without id or time cannot be told apart from what was told before.
                if row["invocation_id"] is not None and row["created_at"] is not None:
                    yield Invocation(**row)


def parse_time(text: str) -> datetime:
    """Read a time in ISO 8601; UTC where it has no zone.

    :raises ConfigurationError: it is not one.
    """
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError:
        raise ConfigurationError(f"Expected a time like 2026-11-01T06:00:00+00:00, found {text!r}.") from None
