"""Finds new dbt invocations in ``dbt_invocations``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.times import before, in_utc
from airflow_provider_elementary.warehouses.clock import MOST_AHEAD, MOST_BEHIND
from airflow_provider_elementary.warehouses.time_values import time_or_none
from airflow_provider_elementary.warehouses.watermarks import Undated, WatermarkType

if TYPE_CHECKING:
    from airflow_provider_elementary.warehouses.source import WarehouseSource

#: A row may be committed after rows with a later ``created_at``: PostgreSQL sets it when its transaction starts, and
#: a dbt session in a local time zone goes back an hour in autumn.
OVERLAP = timedelta(hours=1)
#: How far behind the newest row another row may lie that is committed after it.
LOOK_BACK = MOST_AHEAD + MOST_BEHIND + OVERLAP
_TABLE = "dbt_invocations"


@dataclass(frozen=True)
class Invocation:
    """One dbt command that has ended, without its vars, which may hold secrets.

    :param invocation_id: dbt's id of the command.
    :param created_at: when its row was written, on the clock and in the time zone of dbt's session; None if the
        row has no time.
    :param run_started_at: UTC, as dbt wrote it.
    :param run_completed_at: UTC, as dbt wrote it.
    :param command: as in ``build``.
    """

    invocation_id: str
    created_at: datetime | None
    run_started_at: str | None = None
    run_completed_at: str | None = None
    command: str | None = None
    project_name: str | None = None
    target_name: str | None = None
    env: str | None = None
    job_name: str | None = None

    @property
    def completed_at(self) -> datetime | None:
        """When it ended, in UTC: as dbt wrote it, else by the clock of dbt's session, else None."""
        completed = time_or_none(self.run_completed_at) or self.created_at
        return in_utc(completed) if completed else None

    @property
    def ended_on(self) -> datetime | None:
        """The first moment of the day on which it ended, where no more than the day may be known."""
        if time_or_none(self.run_completed_at) is not None or self.created_at is None:
            return None
        return self.created_at if self.created_at.time() == time.min else None

    def to_dict(self) -> dict[str, str | None]:
        """Return JSON values, for XCom and events."""
        return {**asdict(self), "created_at": self.created_at.isoformat() if self.created_at else None}


@dataclass(frozen=True)
class InvocationFilter:
    """Which invocations are reported; None matches any.

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
        """The wanted values, by column; an empty field of a form is no criterion."""
        return {name: value for name, value in asdict(self).items() if value}

    def matches(self, invocation: Invocation) -> bool:
        """Return whether the invocation matches every criterion."""
        return all(getattr(invocation, name) == value for name, value in self.criteria.items())


@dataclass(frozen=True)
class Cursor:
    """Which invocations of a schema have been reported; survives a restart as JSON.

    :param watermark: the greatest ``created_at`` that is not after the warehouse's clock; None if there was no row.
    :param seen: the ids of the invocations that the next poll reads again: those since ``seen_from``, and those
        without a time.
    :param seen_from: all invocations since then that were reported are in ``seen``; by default those within
        :data:`OVERLAP` of the watermark.
    """

    watermark: datetime | None = None
    seen: frozenset[str] = frozenset()
    seen_from: datetime | None = field(default=None, compare=False)

    @property
    def since(self) -> datetime | None:
        """The time from which the next poll reads; None to read everything."""
        return self.seen_from or (before(self.watermark, OVERLAP) if self.watermark else None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "watermark": self.watermark.isoformat() if self.watermark else None,
            "seen": sorted(self.seen),
            "seen_from": self.seen_from.isoformat() if self.seen_from else None,
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the cursor that :meth:`to_dict` described."""
        watermark, seen_from = (
            datetime.fromisoformat(text) if text else None for text in (facts["watermark"], facts.get("seen_from"))
        )
        return cls(watermark, frozenset(facts["seen"]), seen_from)


def poll_invocations(
    source: WarehouseSource, cursor: Cursor, wanted: InvocationFilter
) -> tuple[list[Invocation], Cursor]:
    """Return the wanted invocations that appeared since the cursor, oldest first, and the cursor after them.

    :raises UnknownColumnError: the filter names a column that this version of the Elementary package does not write.
    """
    latest = _latest(source)
    if cursor.watermark is not None and cursor.watermark > latest:
        # A row with a time in the future moved it: all invocations until then would be skipped.
        cursor = Cursor(latest, cursor.seen, latest - LOOK_BACK)
    found = read_invocations(source, cursor.since, columns=tuple(wanted.criteria))
    new, moved = advance(cursor, found, latest)
    return [invocation for invocation in new if wanted.matches(invocation)], moved


def advance(
    cursor: Cursor, invocations: Iterable[Invocation], latest: datetime = datetime.max
) -> tuple[list[Invocation], Cursor]:
    """Return the invocations that the cursor has not seen, oldest first, and the cursor after them.

    :param invocations: all that the table holds from the cursor's ``since`` on, or without a time, in any order.
    :param latest: the latest time that a row can have by now; the cursor does not move beyond it.
    """
    # No key is enforced in the warehouse: the same invocation may have several rows.
    by_id = {invocation.invocation_id: invocation for invocation in invocations}
    new = sorted(
        (invocation for invocation in by_id.values() if invocation.invocation_id not in cursor.seen),
        key=lambda invocation: (
            invocation.completed_at or in_utc(datetime.min),
            invocation.created_at or datetime.min,
        ),
    )
    times = [invocation.created_at for invocation in by_id.values() if invocation.created_at is not None]
    watermark = max((moment for moment in (*times, cursor.watermark) if moment and moment <= latest), default=None)
    since = max((moment for moment in (cursor.since, _look_back(watermark)) if moment is not None), default=None)
    seen = frozenset(
        invocation.invocation_id
        for invocation in by_id.values()
        if since is None or invocation.created_at is None or invocation.created_at >= since
    )
    return new, Cursor(watermark, seen, since)


def newest_since(source: WarehouseSource, since: datetime, wanted: InvocationFilter) -> Invocation | None:
    """Return the wanted invocation that ended last, if it ended at ``since`` or after it.

    :param since: with its zone, or in UTC.
    :raises UnknownColumnError: the filter names a column that this version of the Elementary package does not write.
    """
    since, latest = in_utc(since), in_utc(_latest(source))
    # A column of dates holds the first moment of the day.
    written_since = before(since.replace(tzinfo=None), MOST_BEHIND).replace(hour=0, minute=0, second=0, microsecond=0)
    may_be_dates = _may_be_dates(source)
    ended, undecided = [], 0
    for invocation in read_invocations(source, written_since, columns=tuple(wanted.criteria)):
        # An invocation with a time in the future would be the newest of every run.
        if (completed := invocation.completed_at) is None or completed > latest or not wanted.matches(invocation):
            continue
        if completed >= since:
            ended.append((completed, invocation))
        elif may_be_dates and invocation.ended_on is not None and since - completed < timedelta(days=1):
            undecided += 1
    if undecided and not ended:
        raise ConfigurationError(
            f"{undecided} dbt invocations have only a date in created_at and no run_completed_at, so it is not known "
            f"whether they ended after {since.isoformat()}. Set since to the start of a day (UTC), or upgrade the "
            "Elementary dbt package, so that it writes run_completed_at."
        )
    return max(ended, key=lambda candidate: candidate[0])[1] if ended else None


def read_invocations(
    source: WarehouseSource, since: datetime | None = None, *, columns: Sequence[str] = ()
) -> Iterator[Invocation]:
    """Stream the invocations that a source holds, in no particular order.

    :param since: only those whose ``created_at`` is at or after this time, or is null.
    :param columns: columns that are required; others that an older version of the package lacks are None.
    :raises UnknownColumnError: a required column is missing.
    """
    held = set(source.schema(_TABLE).names) | set(columns)
    wanted = [field.name for field in fields(Invocation) if field.name in held]
    with source.read(_TABLE, columns=wanted, since=since, undated=Undated.ALL) as reader:
        for batch in reader:
            for row in batch.to_pylist():
                # A row without an id cannot be distinguished from what was reported before.
                if row["invocation_id"] is not None:
                    yield Invocation(**row)


def _may_be_dates(source: WarehouseSource) -> bool:
    """Return whether created_at may hold days without a time: it is a date, or text."""
    held = source.table(_TABLE)
    declared = held.types["created_at"]
    return held.watermark_type is WatermarkType.OTHER or ("date" in declared and "datetime" not in declared)


def _latest(source: WarehouseSource) -> datetime:
    from airflow_provider_elementary.warehouses.clock import read_clock

    return read_clock(source, _TABLE).latest


def _look_back(watermark: datetime | None) -> datetime | None:
    return watermark - LOOK_BACK if watermark is not None and watermark - datetime.min > LOOK_BACK else None


def parse_time(text: str) -> datetime:
    """Read a time in ISO 8601; UTC where it has no zone.

    :raises ConfigurationError: it is not one.
    """
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a time. Write it in ISO 8601, as in 2026-11-01T06:00:00+00:00."
        ) from None
