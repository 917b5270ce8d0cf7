"""Ends the conditions of tests and nodes that left the dbt project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS
from airflow_provider_elementary.incidents.conditions import REMOVED, Condition
from airflow_provider_elementary.incidents.dbt_commands import Command, Commands
from airflow_provider_elementary.times import minute_in_utc, without_zone

if TYPE_CHECKING:
    import duckdb

#: The artifact that lists the nodes of each kind; unit tests are in none.
LISTS: Mapping[str, str] = {
    "test": "dbt_tests",
    **{name.removeprefix("dbt_").removesuffix("s"): name for name in ARTIFACTS if name != "dbt_exposures"},
}
#: Artifacts are written within this time after the first result of what they list.
_UPLOADED = timedelta(days=1)


@dataclass(frozen=True)
class ProjectLists:
    """What the artifacts of a dbt project list.

    :param ids: by kind of node, those that are listed; a kind of which none is listed is left out.
    :param first_seen: when the first result came of each test or node that is not listed.
    :param uploaded_at: when a row of the artifacts was written last.
    :param command: the newest dbt command that writes them; None without any.
    :param is_single: whether every command is of that scope.
    :param as_of: the moment that the source is of; None where that is not known.
    """

    ids: Mapping[str, frozenset[str]]
    first_seen: Mapping[str, datetime]
    uploaded_at: datetime | None
    command: Command | None
    is_single: bool
    as_of: datetime | None

    def is_listed(self, subject: str) -> bool:
        """Return whether the project lists a test or node."""
        return subject in self.ids.get(subject.partition(".")[0], ())

    def is_missing(self, subject: str) -> bool:
        """Return whether the project lists others of the same kind and dbt package, and not this one."""
        return _package(subject) in self._packages and not self.is_listed(subject)

    @cached_property
    def _packages(self) -> frozenset[tuple[str, ...]]:
        return frozenset(_package(subject) for listed in self.ids.values() for subject in listed)

    def ended(self, condition: Condition, evidence_of: Command | None = None) -> Condition:
        """Return the condition, over if its subject is no longer in the project, and as it is where nothing says so.

        The newest command has to be of the same project and target: another one lists its own nodes.

        :param evidence_of: the command that its newest evidence is of; None where that is not known.
        """
        kind = condition.subject.partition(".")[0]
        first = self.first_seen.get(condition.subject, condition.started_at)
        if (
            not condition.holds
            or condition.kind not in ("test", "run", "source_freshness")
            or not self.is_missing(condition.subject)
            or self.command is None
            # Without the name of a project, commands of two projects look the same.
            or not self.command.scope[0]
            or not self._is_later(condition, self.command, evidence_of)
            # Where artifacts were no longer written when it began, they do not know it.
            or self.uploaded_at is None
            or first - self.uploaded_at > _UPLOADED
        ):
            return condition
        seen_at = self.command.at
        return replace(
            condition,
            ended_at=max(self.as_of or seen_at, seen_at),
            state=REMOVED,
            evidence=f"the {kind} is no longer in the dbt project: it was removed, renamed or disabled. {LISTS[kind]} "
            f"does not list it since the command of {minute_in_utc(seen_at)}; before, {condition.evidence}",
        )

    def _is_later(self, condition: Condition, command: Command, evidence_of: Command | None) -> bool:
        if evidence_of is None:
            # A command writes its own row after its results.
            return self.is_single and command.at - condition.last_seen > _UPLOADED
        is_other = command.invocation_id != evidence_of.invocation_id and command.at > evidence_of.at
        return is_other and (self.is_single or command.scope == evidence_of.scope)


def read_lists(engine: duckdb.DuckDBPyConnection, commands: Commands, as_of: datetime | None) -> ProjectLists:
    """Read what the artifacts list.

    :param engine: holds the artifacts, and the results as the table ``leveled``.
    :param as_of: the moment that the source is of, UTC; None where that is not known.
    """
    import pyarrow as pa

    rows = {
        kind: engine.sql(f"SELECT unique_id, generated_at FROM {table} WHERE unique_id IS NOT NULL").fetchall()  # noqa: S608 - constants
        for kind, table in LISTS.items()
    }
    ids = {kind: frozenset(unique_id for unique_id, _ in found) for kind, found in rows.items()}
    written = {text for found in rows.values() for _, text in found if text}
    engine.register("listed", pa.table({"subject": pa.array(frozenset().union(*ids.values()), pa.string())}))
    first_seen = "SELECT subject, min(seen_at) FROM leveled ANTI JOIN listed USING (subject) GROUP BY subject"
    return ProjectLists(
        ids={kind: found for kind, found in ids.items() if found},
        first_seen=dict(engine.sql(first_seen).fetchall()),
        uploaded_at=max(filter(None, map(_time, written)), default=None),
        command=commands.building.newest,
        is_single=commands.building.is_of_one_scope,
        as_of=as_of,
    )


def _package(subject: str) -> tuple[str, ...]:
    """Return the kind and the dbt package of a test or node."""
    return tuple(subject.split(".")[:2])


def _time(text: str) -> datetime | None:
    try:
        return without_zone(datetime.fromisoformat(text.strip()))
    except ValueError:
        return None
