"""Defines the facts of a dbt project: nodes, tests, runs and invocations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Node:
    """A model, snapshot, seed, source table or exposure of the dbt project.

    :param unique_id: dbt's id.
    :param table: the table, upper case, as Elementary's metrics name it; of an exposure, ``exposure`` and its name.
        Where several targets of dbt share the Elementary schema, the one that was written last.
    :param kind: ``model``, ``snapshot``, ``seed``, ``source`` or ``exposure``.
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


@dataclass(frozen=True)
class Test:
    """A test of a table, and its recent results.

    :param status: of its newest execution; None without a recent one. A failure lasts while the test is skipped.
    :param at: time of its newest execution, where known.
    :param recent: the newest statuses, newest first.
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


@dataclass(frozen=True)
class Run:
    """One execution of a node."""

    at: datetime | None
    status: str
    seconds: float | None
    rows: int | None
    full_refresh: bool


@dataclass(frozen=True)
class Invocation:
    """The newest dbt command whose commit marker the snapshot holds."""

    at: datetime | None
    command: str
    project: str | None
    job: str | None
    orchestrator: str | None
