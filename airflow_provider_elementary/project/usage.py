"""Defines the usage of models that a query history shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_document import Result, ResultKind
from airflow_provider_elementary.storage.records.results import read_result

#: The kind of result that the rows are stored as: sums and names of the dbt project, no query and no user.
USAGE: ResultKind = "usage"
_TIME = pa.timestamp("us")
USAGE_SCHEMA = pa.schema(
    [
        pa.field("unique_id", pa.string(), nullable=False),
        pa.field("runs", pa.int64(), nullable=False),
        pa.field("duration", pa.float64()),
        pa.field("queue_time", pa.float64()),
        pa.field("bytes", pa.int64()),
        pa.field("cost", pa.float64()),
        pa.field("cost_unit", pa.string()),
        pa.field("last_run_at", _TIME),
        pa.field("reads", pa.int64(), nullable=False),
        pa.field("readers", pa.int64(), nullable=False),
        pa.field("last_read_at", _TIME),
    ]
)


@dataclass(frozen=True)
class NodeUsage:
    """What the queries of one node took, and how often its table was read.

    :param runs: number of queries that dbt ran for the node.
    :param duration: of these, in seconds; ``queue_time`` too. None where the warehouse does not say.
    :param bytes: that they read.
    :param cost: in ``cost_unit``, where the warehouse names a cost.
    :param last_run_at: when the newest ended, UTC.
    :param reads: number of queries that read its table, those of dbt included.
    :param readers: number of users who ran these.
    """

    unique_id: str
    runs: int
    duration: float | None
    queue_time: float | None
    bytes: int | None
    cost: float | None
    cost_unit: str | None
    last_run_at: datetime | None
    reads: int
    readers: int
    last_read_at: datetime | None


@dataclass(frozen=True)
class ProjectUsage:
    """The usage of every node that the query history shows.

    :param days: number of days before ``at`` of which queries are counted.
    :param since: the first day of which the history has a query, UTC; None for an empty one.
    :param at: when it was computed.
    :param nodes: by dbt's id.
    """

    days: int
    since: date | None
    at: datetime
    nodes: Mapping[str, NodeUsage]

    @property
    def longest(self) -> tuple[NodeUsage, ...]:
        """The nodes whose queries take most time first, then those that are read most."""
        return tuple(sorted(self.nodes.values(), key=lambda node: (-(node.duration or 0), -node.reads, node.unique_id)))


def read_usage(opened: OpenStore, result: Result) -> ProjectUsage:
    """Return what a stored result says.

    :raises ElementaryError: the keys do not open it, or it was changed.
    """
    with read_result(opened, result.key) as rows:
        nodes = {row["unique_id"]: NodeUsage(**row) for row in rows.read_all().select(USAGE_SCHEMA.names).to_pylist()}
    try:
        days, since = int(result.parameters["days"]), result.parameters["since"]
        first = date.fromisoformat(since) if since else None
    except (KeyError, TypeError, ValueError):
        raise SnapshotCorruptError(f"{result.key} names no days. Run the task of the query history again.") from None
    return ProjectUsage(days=days, since=first, at=datetime.fromisoformat(result.created_at), nodes=nodes)
