"""What the Elementary page knows of a dbt project and its tables: plain facts, without rows or raw values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.nodes import nearest_table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Node:
    """A model, snapshot, seed, source table or exposure of the dbt project.

    :param unique_id: dbt's id.
    :param kind: ``model``, ``snapshot``, ``seed``, ``source`` or ``exposure``.
    :param full_name: the table, upper case, as Elementary's metrics name it; an exposure's own name.
    :param schema: database and schema, upper case.
    :param name: the last part of the name, as dbt writes it.
    :param upstream: the ids that it depends on.
    """

    unique_id: str
    kind: str
    full_name: str
    schema: str
    name: str
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str = ""
    materialization: str = ""
    path: str = ""
    group: str = ""
    upstream: tuple[str, ...] = ()


@dataclass(frozen=True)
class Test:
    """A test of a table, and how it ended lately.

    :param status: of its newest execution; None where there was none lately. A failure lasts while the test is skipped.
    :param at: when its newest execution was, where that is known.
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


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class Project:
    """What a snapshot tells of the dbt project.

    :param nodes: by id.
    :param tables: the id of the node of a table, by its full name; a node has one for each target of dbt.
    :param own: the tables of Elementary itself, which nobody looks for here.
    :param downstream: the ids that depend on an id.
    :param test_states: how many tests of a table ended how at last, by the table's full name. A test without a table
        is under ``test`` and its id.
    :param run_states: how the newest execution of a table's node ended, by the table's full name.
    :param freshness_states: how the newest freshness check of a source table ended, by the table's full name.
    :param missing: what the snapshot or the keys do not give, in sentences.
    """

    nodes: Mapping[str, Node]
    tables: Mapping[str, str]
    own: frozenset[str]
    downstream: Mapping[str, tuple[str, ...]]
    test_states: Mapping[str, Mapping[str, int]]
    run_states: Mapping[str, str]
    freshness_states: Mapping[str, str]
    invocation: Invocation | None
    missing: tuple[str, ...]

    def node(self, full_name: str) -> Node | None:
        """Return the node of a table, or None where dbt does not know it."""
        return self.nodes.get(self.tables.get(full_name, ""))

    def table_beside(self, node: Node, full_name: str) -> str:
        """Return the table of a node on the same target as another table."""
        mine = [table for table, unique_id in self.tables.items() if unique_id == node.unique_id]
        return nearest_table([node.full_name, *mine], full_name)


@dataclass(frozen=True)
class Anomaly:
    """An anomalous bucket, as the verdict tells it.

    :param start: of the bucket; its end where it has no start.
    :param sentence: the verdict in words, without raw values.
    """

    table: str
    column: str | None
    metric: str
    start: datetime
    end: datetime
    score: float | None
    sentence: str


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What is kept of the newest verdicts.

    :param created_at: when they were made.
    :param parameters: by which rule.
    :param judged: how many buckets got a score.
    :param tables: those of which any bucket was judged.
    :param anomalies: the anomalous buckets by table, the most unexpected first.
    :param rows: the verdicts on the series that are anomalous somewhere, of which incidents are made.
    """

    created_at: datetime
    parameters: Mapping[str, Any]
    judged: int
    tables: frozenset[str]
    anomalies: Mapping[str, tuple[Anomaly, ...]]
    rows: pa.Table = field(repr=False)


@dataclass(frozen=True)
class Point:
    """One bucket of a series, with its expected range where it was judged."""

    start: datetime | None
    end: datetime
    value: float | None
    low: float | None
    high: float | None
    is_anomalous: bool
    reason: str


@dataclass(frozen=True)
class Series:
    """One metric of a table or column over time.

    :param configuration: tells series of one metric apart that tests with other arguments collected; from 1, of
        ``configurations``.
    """

    metric: str
    column: str | None
    configuration: int
    configurations: int
    points: tuple[Point, ...]

    @property
    def title(self) -> str:
        """The series in words: ``null_percent of email``."""
        name = f"{self.metric} of {self.column}" if self.column else self.metric
        return f"{name} ({self.configuration} of {self.configurations})" if self.configurations > 1 else name

    @property
    def anomalies(self) -> tuple[Point, ...]:
        """The anomalous buckets, newest first."""
        return tuple(point for point in reversed(self.points) if point.is_anomalous)
