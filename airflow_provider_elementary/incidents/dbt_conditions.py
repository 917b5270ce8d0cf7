"""Reads the conditions that dbt's own results are evidence of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.newest import newest_sql
from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, PLACE_COLUMNS, TEST_PREFIX
from airflow_provider_elementary.elementary_schema.statuses import level_sql, meaning_of, rank_sql, status_sql
from airflow_provider_elementary.incidents.conditions import (
    NO_LONGER_EXPECTED,
    PROJECT,
    REMOVED,
    Condition,
    Family,
    Severity,
    test_family,
)
from airflow_provider_elementary.incidents.dbt_commands import COMMAND_COLUMNS, Command, commands_of
from airflow_provider_elementary.incidents.removed import ProjectLists, read_lists
from airflow_provider_elementary.incidents.silence import NOT_CHECKED, RETIRED, SILENT, silence_conditions, stale_checks
from airflow_provider_elementary.project.executions import EXECUTIONS_SQL, PLACED, register_executions
from airflow_provider_elementary.project.reading import READ, read_rows
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.times import minute_in_utc

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_TESTS = ("unique_id", "name", "short_name", "test_column_name", "parent_model_unique_id", "generated_at")
_RESULTS = (
    *("test_unique_id", "test_execution_id", "created_at", "detected_at", "status", "database_name", "schema_name"),
    *("table_name", "model_unique_id", "invocation_id", "test_name", "test_short_name", "column_name"),
)
_RUNS = ("model_execution_id", "unique_id", "created_at", "status", "resource_type", "invocation_id", "name")
#: Failing results of each kind; a warning is normal.
_FAMILIES: Mapping[str, Family] = {"run": "run", "source_freshness": "freshness"}
_FAILING: Mapping[str, Severity] = {"run": "critical", "test": "high", "source_freshness": "high"}
#: The kinds of conditions that dbt's own results are evidence of.
_KINDS = frozenset({"test", "run", "source_freshness", "invocation"})

#: By how much clocks differ: what is dated later than the source has a wrong date.
_CLOCKS = timedelta(minutes=15)

_Key = tuple[str, str, str]


@dataclass(frozen=True)
class DbtConditions:
    """The conditions that dbt's own results are evidence of.

    :param conditions: past ones included, the oldest first.
    :param good_at: when the newest good evidence was made, by the key of the conditions that it ends.
    :param lists: what the dbt project lists.
    :param seen_at: when each result came that a condition of results is of, by the condition's id.
    """

    conditions: tuple[Condition, ...]
    good_at: Mapping[_Key, datetime]
    lists: ProjectLists
    seen_at: Mapping[str, Sequence[datetime]]

    def since(self, before: Iterable[Condition]) -> list[Condition]:
        """Return the conditions, and the ends of those that were known and whose first evidence was deleted since.

        :param before: the conditions of the previous run.
        """
        found = {condition.condition_id: condition for condition in self.conditions}
        by_key: dict[_Key, list[Condition]] = defaultdict(list)
        for condition in self.conditions:
            by_key[condition.key].append(condition)
        # Of what left the project, nothing says any more which table it had.
        unplaced: dict[tuple[str, str, datetime], Condition] = {
            (each.kind, each.subject, each.started_at): each
            for each in self.conditions
            if each.kind != "invocation" and each.table in (PROJECT, each.subject)
        }
        earlier = sorted((each for each in before if each.kind in _KINDS), key=lambda each: each.started_at)
        known_ids, seen_at = {each.condition_id for each in earlier}, dict(self.seen_at)
        for known in earlier:
            same = found.get(known.condition_id)
            streak = unplaced.get((known.kind, known.subject, known.started_at)) or next(
                # What came back after a removal that is no longer known began within all of its results.
                (each for each in by_key[known.key] if each.condition_id not in known_ids and _is_within(known, each)),
                None,
            )
            if same is None and streak is not None:
                found.pop(streak.condition_id, None)
                seen_at[known.condition_id] = seen_at.get(streak.condition_id, ())
                title = streak.title if streak.table == known.table else known.title
                last_seen = max(known.last_seen, streak.last_seen)
                same = replace(streak, table=known.table, title=title, started_at=known.started_at, last_seen=last_seen)
            if same is not None and known.state == REMOVED:
                # What was seen to be gone at a moment stays so; what is listed again is a new condition.
                results = seen_at.get(known.condition_id, ())
                again = self._again(known, same, results, earlier)
                found[known.condition_id] = known
                if again is not None:
                    found[again.condition_id], seen_at[again.condition_id] = again, results
            elif same is not None:
                found[known.condition_id] = same
            elif known.holds:
                later = next((each for each in by_key[known.key] if _overlap(known, each)), None)
                if later is not None:
                    found.pop(later.condition_id, None)
                found[known.condition_id] = self._without_first(known, later)
        return list(found.values())

    def _again(
        self, removed: Condition, newer: Condition, seen_at: Iterable[datetime], earlier: Iterable[Condition]
    ) -> Condition | None:
        """Return the condition of what was removed, came back and is not good; None where it did not come back.

        It begins with the first result since, or, where its last one still counts, when it was listed again.

        :param newer: what the results say without the removal.
        :param seen_at: when they came.
        :param earlier: the conditions that are known, the oldest first.
        """
        results = [at for at in seen_at if at > removed.last_seen]
        if not results and not (newer.holds and self.lists.is_listed(removed.subject)):
            return None
        known = [each.started_at for each in earlier if each.key == removed.key and each.started_at > removed.last_seen]
        moment, command = self.lists.as_of or removed.ended_at or removed.last_seen, self.lists.command
        if command is not None:
            # Results have the time of the session.
            moment = (self.lists.as_of or command.at) + command.ahead
        started_at = min([*known, *results], default=moment)
        return replace(newer, started_at=started_at, last_seen=max(newer.last_seen, started_at))

    def _without_first(self, known: Condition, later: Condition | None) -> Condition:
        """Return a condition whose first evidence was deleted, as the later evidence says it."""
        good_at = self.good_at.get(known.key)
        if later is not None:
            return replace(later, started_at=known.started_at, times=max(known.times, later.times))
        if good_at is not None and good_at > known.last_seen:
            return replace(known, ended_at=good_at)
        as_of = self.lists.as_of
        if known.state in (SILENT, NOT_CHECKED) and as_of is not None and as_of - known.last_seen >= RETIRED:
            return replace(known, ended_at=known.last_seen + RETIRED, state=NO_LONGER_EXPECTED)
        return self.lists.ended(known)


def _overlap(known: Condition, later: Condition) -> bool:
    return known.started_at < later.started_at <= known.last_seen


def _is_within(known: Condition, streak: Condition) -> bool:
    """Return whether a condition began within another one, and holds, was removed or ended with it."""
    is_one = known.state == REMOVED or known.ended_at in (None, streak.ended_at)
    return is_one and streak.started_at < known.started_at < (streak.ended_at or datetime.max)


def dbt_conditions(
    source: Source,
    *,
    as_of: datetime | None = None,
    missing: list[str] | None = None,
    skips: Collection[str] = (),
) -> DbtConditions:
    """Return every condition that tests, runs, freshness checks and invocations are evidence of, the oldest first.

    Past ones are in it. A condition of a table of results that cannot be read is not.

    :param source: holds dbt's artifacts and results.
    :param as_of: the moment that the source is of, UTC without a zone: what was due by then and did not come is a
        condition. None where that is not known: then it is the moment of the newest command.
    :param missing: receives an error message for a table that cannot be read.
    :param skips: the ids of tests and nodes of which a skipped result is a condition too.
    """
    import duckdb

    rows = read_rows(source, "dbt_invocations", COMMAND_COLUMNS, missing=missing).to_pylist()
    results = read_rows(source, "dbt_run_results", ("invocation_id", "created_at"), missing=missing)
    commands, with_results = commands_of(rows), set(results["invocation_id"].to_pylist())
    by_id = {command.invocation_id: command for command in commands if command.invocation_id}
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        _register_results(engine, source, commands, missing, skips)
        latest = datetime.max if as_of is None else as_of + _CLOCKS
        past = [command for command in commands if command.at <= latest]
        lists = read_lists(engine, past, as_of)
        checks = {key: made for key, made in _checks(engine, latest).items() if not lists.is_missing(key[0])}
        unmarked = _unmarked(engine, past, latest)
        of_rows = [(_of_row(row), row) for row in _rows_of_results(engine)]
        found = [
            *(lists.ended(condition, by_id.get(row["invocation_id"])) for condition, row in of_rows),
            *silence_conditions(past, unmarked, as_of, partial(_built_elsewhere, engine)),
            *stale_checks(checks, past, as_of),
            *_of_invocations(commands, with_results),
        ]
        good_at = {**_good_at(engine), **_newest(past, with_results, unmarked)}
    ordered = sorted(found, key=lambda condition: (condition.started_at, condition.key))
    seen_at = {condition.condition_id: row["seen_at"] for condition, row in of_rows}
    return DbtConditions(tuple(ordered), good_at, lists, seen_at)


def _register_results(
    engine: duckdb.DuckDBPyConnection,
    source: Source,
    commands: Sequence[Command],
    missing: list[str] | None,
    skips: Collection[str],
) -> None:
    """Make the table ``leveled``: each result of a test, a run or a freshness check; and ``commands``."""
    import pyarrow as pa

    def read(table: str, columns: Sequence[str]) -> pa.Table:
        return read_rows(source, table, columns, missing=None if table == "dbt_invocations" else missing)

    parts = {"status": status_sql("status"), "level": level_sql("status"), "rank": rank_sql("status")}
    artifacts = {table: read(table, (*PLACE_COLUMNS, ARTIFACTS[table])) for table in PLACED}
    columns = {
        "dbt_tests": _TESTS,
        "elementary_test_results": _RESULTS,
        "dbt_run_results": _RUNS,
        "dbt_source_freshness_results": READ["dbt_source_freshness_results"].columns,
    }
    register_executions(engine, read, artifacts, columns)
    engine.register("skips", pa.table({"unique_id": pa.array(sorted(skips), pa.string())}))
    known = {command.invocation_id: command.ahead for command in commands if command.invocation_id}
    ahead = pa.array(known.values(), pa.duration("us"))
    engine.register("commands", pa.table({"invocation_id": pa.array(known, pa.string()), "ahead": ahead}))
    engine.execute(f"CREATE TABLE leveled AS {EXECUTIONS_SQL}{_sql('dbt_results').format(**parts)}")


def _rows_of_results(engine: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    query = _sql("dbt_conditions").format(newest_tests=newest_sql("dbt_tests"))
    rows: list[dict[str, Any]] = engine.sql(query).to_arrow_table().to_pylist()
    return rows


def _unmarked(engine: duckdb.DuckDBPyConnection, commands: Sequence[Command], latest: datetime) -> list[datetime]:
    """Return when each command without a row in ``dbt_invocations`` wrote its newest result, up to a time.

    In UTC, if sessions still have the zone of the newest of the other commands; in their own zone without any.
    """
    query = """
    SELECT max(seen_at) - $ahead::INTERVAL AS wrote_at FROM leveled ANTI JOIN commands USING (invocation_id)
    WHERE invocation_id IS NOT NULL GROUP BY invocation_id HAVING wrote_at BETWEEN $earliest AND $latest
    """
    ahead = commands[-1].ahead if commands else timedelta(0)
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


def _good_at(engine: duckdb.DuckDBPyConnection) -> dict[_Key, datetime]:
    query = "SELECT kind, subject, full_table_name, max(seen_at) FROM leveled WHERE level = 'good' GROUP BY ALL"
    return {
        (kind, subject, table or (PROJECT if kind == "run" else subject)): at
        for kind, subject, table, at in engine.sql(query).fetchall()
    }


def _newest(
    commands: Sequence[Command], with_results: Collection[str | None], unmarked: Sequence[datetime]
) -> dict[_Key, datetime]:
    """Return what ends the conditions of commands that do not run, or that record nothing."""
    found: dict[_Key, datetime] = {}
    for command in commands:
        found["invocation", f"job {command.job}", PROJECT] = command.at
        if command.invocation_id in with_results:
            found["invocation", f"dbt {command.name}", PROJECT] = command.at
    if times := [*(command.at for command in commands), *unmarked]:
        found["invocation", "silence", PROJECT] = max(times)
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


def _of_invocations(commands: Iterable[Command], with_results: Collection[str | None]) -> Iterator[Condition]:
    """Yield the dbt commands that recorded no result of a node, though such commands usually do."""
    by_command: dict[str, list[tuple[datetime, bool]]] = {}
    for command in commands:
        if command.is_building:
            found = by_command.setdefault(command.name, [])
            found.append((command.at + command.ahead, command.invocation_id in with_results))
    for name, found in by_command.items():
        empty: list[datetime] = []
        is_recorded = False
        for at, has_results in sorted(found):
            if not has_results:
                # Before the first results, nothing says that they are recorded at all.
                empty += [at] if is_recorded else []
                continue
            if empty:
                yield _without_results(name, empty, at)
            empty, is_recorded = [], True
        if empty:
            yield _without_results(name, empty, None)


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
