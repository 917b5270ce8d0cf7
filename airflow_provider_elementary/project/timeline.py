"""Reads dbt commands, their executions, and the slowest and most grown nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.statuses import level_sql, meaning_of, status_sql
from airflow_provider_elementary.project.reading import READ, read_recent_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.project.facts import Node
    from airflow_provider_elementary.snapshots import SnapshotSource

_LISTED = 20
#: A node may seem to begin before the one that it waited for ended: durations are rounded.
_CLOCKS = timedelta(seconds=1)
#: Fewer runs say nothing of a trend.
_FEWEST = 6
#: A node that takes a little longer than before did not grow.
_GROWN = 1.2


@dataclass(frozen=True)
class DbtCommand:
    """One dbt command and how its nodes ended.

    :param at: when it ended, as far as known.
    :param seconds: from the first to the last execution; None where dbt wrote no times.
    :param nodes: number of executions of models, tests, seeds and snapshots.
    :param failed: number of them that ended badly.
    """

    invocation_id: str
    at: datetime | None
    command: str
    project: str | None
    job: str | None
    orchestrator: str | None
    seconds: float | None
    nodes: int
    failed: int


@dataclass(frozen=True)
class Execution:
    """One execution of a node in a dbt command.

    :param started_at: None where dbt wrote no times.
    """

    unique_id: str
    name: str
    kind: str
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    rows: int | None
    thread: str | None


@dataclass(frozen=True)
class NodeDuration:
    """How long a node takes.

    :param usual: median of its runs, in seconds.
    :param last: of its newest run.
    :param total: of all its runs.
    :param growth: how many times as long its newer half of runs takes as the older half; None for few runs.
    """

    unique_id: str
    name: str
    runs: int
    usual: float
    last: float
    total: float
    growth: float | None


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class Timeline:
    """The dbt commands of a snapshot's last days.

    :param commands: newest first.
    :param slowest: the nodes that take most time in all; ``grown``: those whose runs became longer.
    :param missing: what cannot be read, in sentences.
    """

    commands: tuple[DbtCommand, ...]
    slowest: tuple[NodeDuration, ...]
    grown: tuple[NodeDuration, ...]
    missing: tuple[str, ...]


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class Executions:
    """The dbt commands of a snapshot's last days, with every execution."""

    timeline: Timeline
    rows: pa.Table = field(repr=False)

    @property
    def missing(self) -> tuple[str, ...]:
        """What cannot be read, in sentences."""
        return self.timeline.missing

    def of(self, invocation_id: str) -> tuple[Execution, ...]:
        """Return the executions of a command in the order in which they began."""
        from airflow_provider_elementary.arrow_values import is_one_of

        rows = self.rows.filter(is_one_of(self.rows["invocation_id"], invocation_id)).to_pylist()
        found = [Execution(**{name: row[name] for name in Execution.__dataclass_fields__}) for row in rows]
        return tuple(sorted(found, key=lambda each: (each.started_at or datetime.max, each.name)))


def read_executions(snapshot: SnapshotSource) -> Executions:
    """Read the dbt commands of a snapshot; ``missing`` names tables and categories that cannot be read."""
    import duckdb

    missing: list[str] = []
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        for table in ("dbt_run_results", "dbt_invocations"):
            engine.register(table, read_recent_rows(snapshot, table, READ[table].columns, missing))
        engine.execute(_EXECUTIONS)
        durations = [_duration(row) for row in engine.sql(_DURATIONS).to_arrow_table().to_pylist()]
        grown = [each for each in durations if each.growth is not None and each.growth >= _GROWN]
        timeline = Timeline(
            commands=tuple(DbtCommand(**row) for row in engine.sql(_COMMANDS).to_arrow_table().to_pylist()),
            slowest=tuple(durations[:_LISTED]),
            grown=tuple(sorted(grown, key=lambda each: -(each.growth or 0))[:_LISTED]),
            missing=tuple(dict.fromkeys(missing)),
        )
        return Executions(timeline, engine.sql("SELECT * FROM executions").to_arrow_table())


def critical_path(executions: Iterable[Execution], nodes: Mapping[str, Node]) -> list[Execution]:
    """Return the chain of nodes that decides how long a command takes, the first one first.

    Each began after the one before it, upstream of it, ended; with more threads or faster others the command takes as
    long as these.
    """
    timed = {each.unique_id: each for each in executions if each.started_at and each.ended_at}
    path: list[Execution] = []
    current = max(timed.values(), key=lambda each: each.ended_at or datetime.min, default=None)
    while current is not None:
        path.append(current)
        above = [timed[name] for name in _upstream(current.unique_id, nodes) if name in timed]
        begun = current.started_at or datetime.min
        before = [each for each in above if each not in path and _end(each) - begun <= _CLOCKS]
        current = max(before, key=_end, default=None)
    return path[::-1]


def _end(execution: Execution) -> datetime:
    return execution.ended_at or datetime.min


def _upstream(unique_id: str, nodes: Mapping[str, Node]) -> Sequence[str]:
    node = nodes.get(unique_id)
    return node.upstream if node else ()


def is_bad(status: str) -> bool:
    """Return whether a status of dbt is a failure."""
    return meaning_of(status).level == "failing"


def _duration(row: dict[str, Any]) -> NodeDuration:
    older, newer = row.pop("older"), row.pop("newer")
    growth = newer / older if older and newer and row["runs"] >= _FEWEST else None
    return NodeDuration(**row, growth=growth)


_EXECUTIONS = f"""
CREATE TABLE executions AS
SELECT DISTINCT ON (
    coalesce(nullif(trim(model_execution_id), ''), concat_ws('|', unique_id, invocation_id, created_at))
)
    unique_id,
    coalesce(name, unique_id) AS name,
    coalesce(nullif(lower(trim(resource_type)), ''), split_part(unique_id, '.', 1)) AS kind,
    {status_sql("status")} AS status,
    try_cast(execute_started_at AS TIMESTAMP) AS started_at,
    coalesce(
        try_cast(execute_completed_at AS TIMESTAMP),
        try_cast(execute_started_at AS TIMESTAMP) + to_microseconds((execution_time * 1e6)::BIGINT)
    ) AS ended_at,
    execution_time AS seconds,
    rows_affected AS rows,
    thread_id AS thread,
    invocation_id,
    created_at
FROM dbt_run_results WHERE nullif(trim(unique_id), '') IS NOT NULL
"""  # noqa: S608 - constants

_COMMANDS = f"""
WITH ended AS (
    SELECT
        invocation_id,
        epoch(max(ended_at) - min(started_at)) AS seconds,
        count(*) AS nodes,
        count(*) FILTER (WHERE {level_sql("status")} = 'failing') AS failed
    FROM executions GROUP BY invocation_id
)
SELECT DISTINCT ON (i.invocation_id)
    i.invocation_id, i.created_at AS at, coalesce(command, '') AS command, project_name AS project, job_name AS job,
    orchestrator, seconds, coalesce(nodes, 0) AS nodes, coalesce(failed, 0) AS failed
FROM dbt_invocations AS i LEFT JOIN ended USING (invocation_id)
WHERE nullif(trim(i.invocation_id), '') IS NOT NULL
ORDER BY i.created_at DESC NULLS LAST
"""  # noqa: S608 - constants

_DURATIONS = """
WITH numbered AS (
    SELECT unique_id, name, seconds, created_at,
        ntile(2) OVER (PARTITION BY unique_id ORDER BY created_at) AS half
    FROM executions WHERE kind IN ('model', 'snapshot', 'seed') AND seconds IS NOT NULL AND isfinite(seconds)
)
SELECT
    unique_id,
    any_value(name) AS name,
    count(*) AS runs,
    median(seconds) AS usual,
    arg_max(seconds, created_at) AS last,
    sum(seconds) AS total,
    avg(seconds) FILTER (WHERE half = 1) AS older,
    avg(seconds) FILTER (WHERE half = 2) AS newer
FROM numbered GROUP BY unique_id ORDER BY total DESC, unique_id
"""
