"""Reads the conditions that dbt's own results are evidence of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.newest import newest_sql
from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, PLACE_COLUMNS, TEST_PREFIX
from airflow_provider_elementary.elementary_schema.statuses import level_sql, meaning_of, rank_sql, status_sql
from airflow_provider_elementary.incidents.conditions import PROJECT, Condition, Family, Severity, test_family
from airflow_provider_elementary.project.executions import EXECUTIONS_SQL, PLACED, register_executions
from airflow_provider_elementary.project.reading import READ, read_rows
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.times import minute_in_utc

if TYPE_CHECKING:
    import pyarrow as pa

_TESTS = ("unique_id", "name", "short_name", "test_column_name", "parent_model_unique_id", "generated_at")
_RESULTS = (
    *("test_unique_id", "test_execution_id", "created_at", "detected_at", "status", "database_name", "schema_name"),
    *("table_name", "model_unique_id", "invocation_id", "test_name", "test_short_name", "column_name"),
)
_RUNS = ("model_execution_id", "unique_id", "created_at", "status", "resource_type", "invocation_id", "name")
#: The dbt commands that record results of nodes.
_BUILDING = frozenset({"build", "run", "test", "seed", "snapshot"})
#: dbt is silent after twice the longest time between two invocations of this long before.
_USUAL = timedelta(days=14)
_KNOWN_INVOCATIONS = 10
_SHORTEST_SILENCE = timedelta(hours=6)
#: Failing results of each kind; a warning is normal.
_FAMILIES: Mapping[str, Family] = {"run": "run", "source_freshness": "freshness"}
_FAILING: Mapping[str, Severity] = {"run": "critical", "test": "high", "source_freshness": "high"}


def dbt_conditions(
    source: Source,
    *,
    as_of: datetime | None = None,
    missing: list[str] | None = None,
    skips: Collection[str] = (),
) -> list[Condition]:
    """Return every condition that tests, runs, freshness checks and invocations are evidence of, the oldest first.

    Past ones are in it. A condition of a table of results that cannot be read is not.

    :param source: holds dbt's artifacts and results.
    :param as_of: the warehouse's time when it was read, to notice that dbt is silent now.
    :param missing: receives an error message for a table that cannot be read.
    :param skips: the ids of tests and nodes of which a skipped result is a condition too.
    """
    invocations = read_rows(source, "dbt_invocations", ("invocation_id", "created_at", "command"), missing=missing)
    results = read_rows(source, "dbt_run_results", ("invocation_id", "created_at"), missing=missing)
    found = [
        *_of_results(source, missing, skips),
        *_of_silence(invocations["created_at"].to_pylist(), as_of),
        *_of_invocations(invocations.to_pylist(), set(results["invocation_id"].to_pylist())),
    ]
    return sorted(found, key=lambda condition: (condition.started_at, condition.key))


def _of_results(source: Source, missing: list[str] | None, skips: Collection[str]) -> Iterator[Condition]:
    import duckdb
    import pyarrow as pa

    def read(table: str, columns: Sequence[str]) -> pa.Table:
        return read_rows(source, table, columns, missing=None if table == "dbt_invocations" else missing)

    query = files(__package__).joinpath("dbt_conditions.sql").read_text()
    parts = {
        "status": status_sql("status"),
        "level": level_sql("status"),
        "rank": rank_sql("status"),
        "newest_tests": newest_sql("dbt_tests"),
    }
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        artifacts = {table: read(table, (*PLACE_COLUMNS, ARTIFACTS[table])) for table in PLACED}
        columns = {
            "dbt_tests": _TESTS,
            "elementary_test_results": _RESULTS,
            "dbt_run_results": _RUNS,
            "dbt_source_freshness_results": READ["dbt_source_freshness_results"].columns,
        }
        register_executions(engine, read, artifacts, columns)
        engine.register("skips", pa.table({"unique_id": pa.array(sorted(skips), pa.string())}))
        for row in engine.sql(EXECUTIONS_SQL + query.format(**parts)).to_arrow_table().to_pylist():
            yield _of_row(row)


def _of_row(row: Mapping[str, Any]) -> Condition:
    kind, state = row["kind"], row["state"]
    name = row["name"] or row["subject"].rpartition(".")[2] or row["subject"]
    table = row["full_table_name"] or (PROJECT if kind == "run" else row["subject"])
    level = meaning_of(state).level
    column = f" ({row['column_name']})" if row["column_name"] else ""
    where = "" if table.startswith(TEST_PREFIX) else f" on {table}{column}"
    title = {
        "test": f"Test {name}{where} ended with {state}",
        "run": f"The run of {name} ended with {state}",
        "source_freshness": f"The freshness check of {table} ended with {state}",
    }[kind]
    results = f"{row['times']} results in a row" if row["times"] > 1 else "1 result"
    return Condition(
        kind=kind,
        subject=row["subject"],
        table=table,
        column=row["column_name"],
        family=_FAMILIES[kind] if kind in _FAMILIES else test_family(row["short_name"]),
        severity=_FAILING[kind] if level == "failing" else "low" if level == "skipped" else "normal",
        started_at=row["started_at"],
        last_seen=row["last_seen"],
        ended_at=row["ended_at"],
        times=row["times"],
        state=state,
        title=title,
        evidence=f"{results} not good, the newest {state} at {minute_in_utc(row['last_seen'])}",
    )


def _of_silence(times: Sequence[datetime | None], as_of: datetime | None) -> Iterator[Condition]:
    """Yield the times in which no dbt command ran although it was due."""
    known = sorted(time for time in times if time is not None)
    gaps = list(pairwise([*known, *([as_of] if as_of and known and as_of > known[-1] else [])]))
    for place, (last, following) in enumerate(gaps):
        usual = [end - begin for begin, end in gaps[:place] if last - begin <= _USUAL]
        if len(usual) < _KNOWN_INVOCATIONS or following - last <= max(2 * max(usual), _SHORTEST_SILENCE):
            continue
        hours = round((following - last).total_seconds() / 3600)
        yield Condition(
            kind="invocation",
            subject="silence",
            table=PROJECT,
            column=None,
            family="run",
            severity="high",
            started_at=last + max(usual),
            last_seen=following,
            ended_at=following if place + 1 < len(known) else None,
            times=1,
            state="silent",
            title=f"No dbt command ran for {hours} h after {minute_in_utc(last)}",
            evidence=f"the longest time between two commands of the {_USUAL.days} days before was "
            f"{round(max(usual).total_seconds() / 3600)} h",
        )


def _of_invocations(invocations: Sequence[Mapping[str, Any]], with_results: set[str | None]) -> Iterator[Condition]:
    """Yield the dbt commands that recorded no result of a node, though such commands usually do."""
    by_command: dict[str, list[tuple[datetime, bool]]] = {}
    for row in invocations:
        command = (row["command"] or "").strip().lower()
        if row["created_at"] is not None and command in _BUILDING:
            by_command.setdefault(command, []).append((row["created_at"], row["invocation_id"] in with_results))
    for command, found in by_command.items():
        empty: list[datetime] = []
        is_recorded = False
        for at, has_results in sorted(found):
            if not has_results:
                # Before the first results, nothing says that they are recorded at all.
                empty += [at] if is_recorded else []
                continue
            if empty:
                yield _without_results(command, empty, at)
            empty, is_recorded = [], True
        if empty:
            yield _without_results(command, empty, None)


def _without_results(command: str, times: Sequence[datetime], ended_at: datetime | None) -> Condition:
    return Condition(
        kind="invocation",
        subject=f"dbt {command}",
        table=PROJECT,
        column=None,
        family="run",
        severity="critical",
        started_at=times[0],
        last_seen=times[-1],
        ended_at=ended_at,
        times=len(times),
        state="no results",
        title=f"dbt {command} recorded no result of any node",
        evidence=f"the command of {minute_in_utc(times[-1])} has no run results; earlier ones have",
    )
