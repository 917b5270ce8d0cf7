"""Reads the conditions that dbt's own results are evidence of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.newest import newest_sql
from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, PLACE_COLUMNS, TEST_PREFIX
from airflow_provider_elementary.elementary_schema.statuses import level_sql, meaning_of, rank_sql, status_sql
from airflow_provider_elementary.incidents.conditions import PROJECT, Condition, Family, Severity, test_family
from airflow_provider_elementary.incidents.dbt_commands import BUILDING, COMMAND_COLUMNS, Commands
from airflow_provider_elementary.incidents.dbt_evidence import ConditionKey, DbtConditions, counted
from airflow_provider_elementary.incidents.earlier_results import RESULT_COLUMNS, EarlierResults, folded_schema, reduced
from airflow_provider_elementary.incidents.removed import read_lists
from airflow_provider_elementary.incidents.results_in_steps import reduced_in_steps
from airflow_provider_elementary.incidents.silence import silence_conditions, stale_checks
from airflow_provider_elementary.project.executions import EXECUTIONS_SQL, PLACED, register_executions
from airflow_provider_elementary.project.reading import read_rows
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.times import minute_in_utc

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_TESTS = ("unique_id", "name", "short_name", "test_column_name", "parent_model_unique_id", "generated_at")
#: Failing results of each kind; a warning is normal.
_FAMILIES: Mapping[str, Family] = {"run": "run", "source_freshness": "freshness"}
_FAILING: Mapping[str, Severity] = {"run": "critical", "test": "high", "source_freshness": "high"}
#: By how much clocks differ: what is dated later than the source has a wrong date.
_CLOCKS = timedelta(minutes=15)


def dbt_conditions(
    source: Source,
    *,
    as_of: datetime | None = None,
    missing: list[str] | None = None,
    skips: Collection[str] = (),
    earlier: EarlierResults | None = None,
) -> DbtConditions:
    """Return every condition that tests, runs, freshness checks and invocations are evidence of, the oldest first.

    Past ones are in it. A condition of a table of results that cannot be read is not.

    :param source: holds dbt's artifacts and results.
    :param as_of: the moment that the source is of, UTC without a zone: what was due by then and did not come is a
        condition. None where that is not known: then it is the moment of the newest command.
    :param missing: receives an error message for a table that cannot be read.
    :param skips: the ids of tests and nodes of which a skipped result is a condition too.
    :param earlier: what the run before returned: only later results are read, unless the project changed since in a way
        that changes what the earlier ones say. None for all.
    """
    errors: list[str] = []
    found = _conditions(source, as_of, errors, frozenset(skips), earlier) if earlier is not None else None
    if (found is None or errors) and as_of is not None:
        errors.clear()
        source, earlier = reduced_in_steps(source, as_of, partial(_earlier, frozenset(skips)))
        found = _conditions(source, as_of, errors, frozenset(skips), earlier) if earlier is not None else None
    if found is None or errors:
        errors.clear()
        found = _conditions(source, as_of, errors, frozenset(skips), None)
    assert found is not None  # noqa: S101 - all results are read
    if missing is not None:
        missing += errors
    return found if not errors else replace(found, earlier=None)


def _earlier(
    skips: frozenset[str], source: Source, as_of: datetime, earlier: EarlierResults | None
) -> EarlierResults | None:
    errors: list[str] = []
    found = _conditions(source, as_of, errors, skips, earlier)
    return found.earlier if found is not None and not errors else None


def _conditions(
    source: Source,
    as_of: datetime | None,
    missing: list[str],
    skips: frozenset[str],
    earlier: EarlierResults | None,
) -> DbtConditions | None:
    """Return the conditions; None where earlier results are of another project."""
    import duckdb

    rows = read_rows(source, "dbt_invocations", COMMAND_COLUMNS, missing=missing)
    commands = Commands.of(rows)
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        engine.register("command_rows", rows.select(["invocation_id", "created_at"]))
        _register_results(engine, source, rows, commands, missing, skips, earlier)
        if earlier is not None and not earlier.still_hold(engine, skips):
            return None
        commands = _with_results(engine, commands, earlier)
        latest = datetime.max if as_of is None else as_of + _CLOCKS
        past = commands.between(datetime.min, latest)
        lists = read_lists(engine, past, as_of)
        checks = {key: made for key, made in _checks(engine, latest).items() if not lists.is_missing(key[0])}
        unmarked = _unmarked(engine, past, latest)
        of_rows = [(_of_row(row), row) for row in _rows_of_results(engine)]
        by_id = commands.by_id(row["invocation_id"] for _, row in of_rows)
        found = [
            *(lists.ended(condition, by_id.get(row["invocation_id"])) for condition, row in of_rows),
            *silence_conditions(past, unmarked, as_of, partial(_built_elsewhere, engine)),
            *stale_checks(checks, past.times(), as_of),
            *_of_invocations(engine, commands),
        ]
        good_at = {**_good_at(engine), **_newest(past, unmarked)}
        next_earlier = reduced(engine, past, skips, as_of, earlier) if as_of is not None else None
    ordered = sorted(found, key=lambda condition: (condition.started_at, condition.key))
    seen_at = {condition.condition_id: row["seen_at"] for condition, row in of_rows}
    return DbtConditions(tuple(ordered), good_at, lists, seen_at, next_earlier)


def _register_results(
    engine: duckdb.DuckDBPyConnection,
    source: Source,
    command_rows: pa.Table,
    commands: Commands,
    missing: list[str],
    skips: Collection[str],
    earlier: EarlierResults | None,
) -> None:
    """Make the table ``leveled``: each result of a test, a run or a freshness check; and ``commands``."""
    import pyarrow as pa

    def read(table: str, columns: Sequence[str]) -> pa.Table:
        if table == "dbt_invocations":
            return command_rows.select(list(columns))
        if table not in RESULT_COLUMNS or earlier is None:
            return read_rows(source, table, columns, missing=missing)
        later = read_rows(source, table, columns, since=earlier.until, missing=missing)
        return pa.concat_tables([earlier.tables[table].select(list(columns)), later])

    parts = {"status": status_sql("status"), "level": level_sql("status"), "rank": rank_sql("status")}
    artifacts = {table: read(table, (*PLACE_COLUMNS, ARTIFACTS[table])) for table in PLACED}
    register_executions(engine, read, artifacts, {"dbt_tests": _TESTS, **RESULT_COLUMNS})
    engine.register("skips", pa.table({"unique_id": pa.array(sorted(skips), pa.string())}))
    engine.register("commands", commands.ahead_by_id())
    engine.register("folded", earlier.tables["folded"] if earlier is not None else folded_schema().empty_table())
    engine.execute(f"CREATE TABLE leveled AS {EXECUTIONS_SQL}{_sql('dbt_results').format(**parts)}")


def _with_results(engine: duckdb.DuckDBPyConnection, commands: Commands, earlier: EarlierResults | None) -> Commands:
    """Return the commands with a column ``has_results``: whether they recorded results of nodes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = engine.sql("SELECT DISTINCT invocation_id FROM dbt_run_results").to_arrow_table()["invocation_id"]
    if earlier is not None:
        known = commands.building.with_id.seen_before(earlier.until).rows["invocation_id"]
        is_empty = pc.is_in(known, earlier.tables["empty"]["invocation_id"].combine_chunks())
        found = pa.chunked_array([*found.chunks, *known.filter(pc.invert(is_empty)).chunks], pa.string())
    has_results = pc.is_in(commands.rows["invocation_id"], found.combine_chunks())
    return Commands(commands.rows.append_column("has_results", has_results))


def _rows_of_results(engine: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    query = _sql("dbt_conditions").format(newest_tests=newest_sql("dbt_tests"))
    rows: list[dict[str, Any]] = engine.sql(query).to_arrow_table().to_pylist()
    return rows


def _unmarked(engine: duckdb.DuckDBPyConnection, commands: Commands, latest: datetime) -> list[datetime]:
    """Return when each command without a row in ``dbt_invocations`` wrote its newest result, up to a time.

    In UTC, if sessions still have the zone of the newest of the other commands; in their own zone without any.
    """
    query = """
    SELECT max(seen_at) - $ahead::INTERVAL AS wrote_at FROM leveled ANTI JOIN commands USING (invocation_id)
    WHERE invocation_id IS NOT NULL GROUP BY invocation_id HAVING wrote_at BETWEEN $earliest AND $latest
    """
    ahead = commands.newest.ahead if commands.newest else timedelta(0)
    parameters = {"ahead": ahead, "earliest": datetime.min, "latest": latest}
    return [wrote_at for (wrote_at,) in engine.execute(query, parameters).fetchall()]


def _built_elsewhere(engine: duckdb.DuckDBPyConnection, invocations: Sequence[str], last: datetime) -> datetime | None:
    """Return since when all that some commands built and tested, in the same tables, has results newer than a time."""
    query = """
    WITH own AS (
        SELECT DISTINCT kind, subject, full_table_name FROM leveled
        WHERE invocation_id IN (SELECT unnest($invocations))
    ),
    since AS (
        SELECT kind, subject, full_table_name, min(seen_at - coalesce(ahead, INTERVAL 0 SECONDS)) AS moved_at
        FROM leveled LEFT JOIN commands USING (invocation_id)
        WHERE seen_at - coalesce(ahead, INTERVAL 0 SECONDS) > $last GROUP BY ALL
    )
    SELECT CASE WHEN count(*) = count(moved_at) THEN max(moved_at) END
    FROM own LEFT JOIN since USING (kind, subject, full_table_name)
    """
    # A result of which rows are left blocks the next query.
    moved_at: datetime | None = engine.execute(query, {"invocations": list(invocations), "last": last}).fetchall()[0][0]
    return moved_at


def _checks(engine: duckdb.DuckDBPyConnection, latest: datetime) -> dict[tuple[str, str], list[tuple[datetime, bool]]]:
    """Return when each source was checked in the 130 days up to a time, UTC, and whether it was good."""
    query = """
    WITH checks AS (
        SELECT
            subject,
            coalesce(nullif(full_table_name, ''), subject) AS checked_table,
            seen_at - coalesce(ahead, INTERVAL 0 SECONDS) AS checked_at,
            level = 'good' AS is_good
        FROM leveled LEFT JOIN commands USING (invocation_id)
        WHERE kind = 'source_freshness' AND checked_at <= $latest
    )
    SELECT subject, checked_table, list({'at': checked_at, 'is_good': is_good})
    FROM checks WHERE checked_at >= (SELECT max(checked_at) - INTERVAL 130 DAYS FROM checks)
    GROUP BY ALL
    """
    return {
        (subject, table): [(check["at"], check["is_good"]) for check in checks]
        for subject, table, checks in engine.execute(query, {"latest": latest}).fetchall()
    }


def _good_at(engine: duckdb.DuckDBPyConnection) -> dict[ConditionKey, datetime]:
    query = "SELECT kind, subject, full_table_name, max(seen_at) FROM leveled WHERE level = 'good' GROUP BY ALL"
    return {
        (kind, subject, table or (PROJECT if kind == "run" else subject)): at
        for kind, subject, table, at in engine.sql(query).fetchall()
    }


def _newest(commands: Commands, unmarked: Sequence[datetime]) -> dict[ConditionKey, datetime]:
    """Return what ends the conditions of commands that do not run, or that record nothing.

    :param commands: with ``has_results``.
    """
    recorded = commands.where(commands.rows["has_results"])
    of_each = {
        "silence": commands,
        **{f"job {job}": own for job, own in commands.by_job.items()},
        **{f"dbt {name}": recorded.named(name) for name in BUILDING},
    }
    found = {("invocation", key, PROJECT): own.newest.at for key, own in of_each.items() if own.newest is not None}
    if unmarked:
        silence = ("invocation", "silence", PROJECT)
        found[silence] = max(*unmarked, found.get(silence, datetime.min))
    return found


def _sql(name: str) -> str:
    return files(__package__).joinpath(f"{name}.sql").read_text()


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
        evidence=f"{counted(row['times'])}, the newest {state} at {minute_in_utc(row['last_seen'])}",
    )


def _of_invocations(engine: duckdb.DuckDBPyConnection, commands: Commands) -> Iterator[Condition]:
    """Yield the dbt commands that recorded no result of a node, though such commands usually do.

    :param commands: with ``has_results``.
    """
    query = """
    WITH streaks AS (
        SELECT *, count(CASE WHEN has_results THEN 1 END) OVER (
            PARTITION BY name ORDER BY seen_at, has_results ROWS UNBOUNDED PRECEDING
        ) AS streak FROM building
    )
    -- Before the first results, nothing says that they are recorded at all.
    SELECT e.name, min(e.seen_at), max(e.seen_at), any_value(next.seen_at), count(*) FROM streaks AS e
    LEFT JOIN streaks AS next ON next.name = e.name AND next.has_results AND next.streak = e.streak + 1
    WHERE NOT e.has_results AND e.streak > 0 GROUP BY e.name, e.streak
    """
    engine.register("building", commands.building.rows.select(["name", "seen_at", "has_results"]))
    for name, started_at, last_seen, ended_at, times in engine.sql(query).fetchall():
        yield Condition(
            kind="invocation",
            subject=f"dbt {name}",
            table=PROJECT,
            column=None,
            family="run",
            severity="critical",
            started_at=started_at,
            last_seen=last_seen,
            ended_at=ended_at,
            times=times,
            state="no results",
            title=f"dbt {name} recorded no result of any node",
            evidence=f"the command of {minute_in_utc(last_seen)} has no run results; earlier ones have",
        )
