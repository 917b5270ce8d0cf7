"""Defines the facts of a dbt project: nodes, tests, runs and invocations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_elementary.elementary_schema.statuses import meaning_of


@dataclass(frozen=True)
class Node:
    """A model, snapshot, seed, source table or exposure of the dbt project.

    :param unique_id: dbt's id.
    :param table: the table, upper case, as Elementary's metrics name it; of an exposure, ``exposure`` and its name.
        Where several targets of dbt share the Elementary schema, the one that was written last.
    :param kind: ``model``, ``snapshot``, ``seed``, ``source`` or ``exposure``.
    :param path: of the file that defines it, in the dbt project.
    :param schema: database and schema, upper case.
    :param name: the last part of the name, as dbt writes it.
    :param owners: names or e-mail addresses; empty where the project names none, or a policy masks them.
    :param tags: each once.
    :param upstream: the ids of the nodes that it depends on.
    :param dataset: the table in dbt's own case, as dbt's lineage events name it.
    :param tables: every table of the node, one for each target of dbt, that of ``table`` first.
    """

    unique_id: str
    table: str
    kind: str = "model"
    schema: str = ""
    name: str = ""
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str = ""
    materialization: str = ""
    path: str = ""
    group: str = ""
    upstream: tuple[str, ...] = ()
    dataset: str = ""
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Test:
    """A test of a table, and its recent results.

    :param status: of its newest execution; None without a recent one. A failure lasts while the test is skipped.
    :param at: time of its newest execution, where known.
    :param recent: the newest statuses, newest first.
    :param table: the full name of its table; ``test`` and its id where it has none; empty where nothing says it.
    :param changed_at: since when it has this status; None where it has had no other.
    :param warn_if: the number of failures from which it warns, as the project says; ``error_if``: from which it fails.
    """

    __test__ = False

    name: str
    kind: str
    column: str | None
    severity: str | None
    dimension: str | None
    status: str | None
    at: datetime | None
    recent: tuple[str, ...]
    table: str = ""
    changed_at: datetime | None = None
    warn_if: str | None = None
    error_if: str | None = None

    @property
    def configuration(self) -> str:
        """What the project configures, in words: ``error, warns if >10``; empty for nothing."""
        limits = (("warns", self.warn_if), ("fails", self.error_if))
        return ", ".join([*filter(None, [self.severity]), *(f"{what} if {limit}" for what, limit in limits if limit)])

    @property
    def failures(self) -> int:
        """How many of the newest results are no success and no skip."""
        return sum(meaning_of(status).level in ("failing", "warning") for status in self.recent)

    @property
    def fail_rate(self) -> float | None:
        """Their share of the newest results, in percent; None without any."""
        return 100 * self.failures / len(self.recent) if self.recent else None


@dataclass(frozen=True)
class FreshnessCheck:
    """The newest freshness check of a source table.

    :param age: of its newest row at the time of the check, in seconds.
    :param recent: the newest statuses, newest first.
    """

    table: str
    status: str
    at: datetime | None
    age: float | None
    recent: Sequence[str]


@dataclass(frozen=True)
class NodeRun:
    """One execution of a node."""

    at: datetime | None
    status: str
    seconds: float | None
    rows: int | None
    full_refresh: bool


@dataclass(frozen=True)
class NewestInvocation:
    """The newest dbt command whose commit marker the snapshot holds."""

    at: datetime | None
    command: str
    project: str | None
    job: str | None
    orchestrator: str | None
