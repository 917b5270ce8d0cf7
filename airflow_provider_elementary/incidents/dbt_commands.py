"""Reads the dbt commands of a source, in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_elementary.times import without_zone

#: What is read of ``dbt_invocations``.
COMMAND_COLUMNS = (
    *("invocation_id", "created_at", "generated_at", "command", "job_name", "job_id"),
    *("project_name", "target_database", "target_schema"),
)
#: The dbt commands that record results of nodes, and write the artifacts.
BUILDING = frozenset({"build", "run", "test", "seed", "snapshot"})
#: Zones differ from UTC by at most this, in these steps.
_FURTHEST, _STEP = timedelta(hours=14), timedelta(minutes=15)

#: Which project ran on which target: its name, and the target's database and schema.
Scope = tuple[str, str, str]


@dataclass(frozen=True)
class Command:
    """One dbt command.

    :param at: when it ended, UTC.
    :param ahead: by how much the warehouse's session was ahead of UTC.
    :param name: ``run``, ``test``, …
    :param job: of the orchestrator, by its name; None where it names none.
    """

    invocation_id: str | None
    at: datetime
    ahead: timedelta
    name: str
    job: str | None
    scope: Scope

    @property
    def is_building(self) -> bool:
        """Whether it records results of nodes."""
        return self.name in BUILDING


def commands_of(rows: Iterable[Mapping[str, Any]]) -> list[Command]:
    """Return the commands of rows of ``dbt_invocations``, the oldest first."""
    found = []
    for row in rows:
        if (created_at := row["created_at"]) is None:
            continue
        ahead = _ahead(created_at, row["generated_at"])
        found.append(
            Command(
                row["invocation_id"],
                created_at - ahead,
                ahead,
                _plain(row["command"]).lower(),
                _plain(row["job_name"]) or _plain(row["job_id"]) or None,
                (_plain(row["project_name"]), _plain(row["target_database"]), _plain(row["target_schema"])),
            )
        )
    return sorted(found, key=lambda command: (command.at, command.invocation_id or ""))


def _ahead(created_at: datetime, generated_at: str | None) -> timedelta:
    """Return by how much a session's time, which rows are dated with, is ahead of UTC; no time at all where unclear."""
    try:
        apart = created_at - without_zone(datetime.fromisoformat(_plain(generated_at)))
    except ValueError:
        return timedelta(0)
    steps = round(apart / _STEP)
    # What took a while to write is no other zone.
    return steps * _STEP if 2 <= abs(steps) and abs(apart) <= _FURTHEST else timedelta(0)


def _plain(text: str | None) -> str:
    return (text or "").strip()
