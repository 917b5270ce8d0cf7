"""Reduces the results before a time to those that conditions depend on."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING

from airflow_provider_elementary import __version__
from airflow_provider_elementary.elementary_schema.nodes import TEST_PARENTS_SQL, places_sql
from airflow_provider_elementary.elementary_schema.statuses import level_sql, rank_sql
from airflow_provider_elementary.incidents.dbt_commands import Commands
from airflow_provider_elementary.incidents.silence import find_gaps, usual_since
from airflow_provider_elementary.project.executions import EXECUTIONS_SQL, PLACED, RESULTS_SQL
from airflow_provider_elementary.project.reading import READ
from airflow_provider_elementary.source import arrow_schema, catalog_table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: The tables of results, and the column that names what a row is about.
RESULT_TABLES: Mapping[str, str] = {
    "elementary_test_results": "test_unique_id",
    "dbt_run_results": "unique_id",
    "dbt_source_freshness_results": "unique_id",
}
#: What is read of each; all of it is of the category of saved results.
RESULT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "elementary_test_results": (
        *("test_unique_id", "test_execution_id", "created_at", "detected_at", "status", "database_name", "schema_name"),
        *("table_name", "model_unique_id", "invocation_id", "test_name", "test_short_name", "column_name"),
    ),
    "dbt_run_results": (
        *("model_execution_id", "unique_id", "created_at", "status", "resource_type", "invocation_id", "name"),
    ),
    "dbt_source_freshness_results": READ["dbt_source_freshness_results"].columns,
}
#: Results of the newest days are read again by each run: what comes later than they did is found among them.
_READ_AGAIN = timedelta(days=3)

# Which table a node has follows from its rows in the artifacts and from the names that results give; of several
# candidates also from when they were written.
_PLACES_SQL = f"""
WITH {TEST_PARENTS_SQL},
acted AS (SELECT NULL::VARCHAR AS unique_id, NULL::VARCHAR AS invocation_id WHERE false),
{places_sql(PLACED)},
counted AS (SELECT *, count(*) OVER (PARTITION BY unique_id) AS tables FROM candidates)
SELECT unique_id, string_agg(
    concat_ws('|', database, schema, full_table_name, CASE WHEN tables > 1 THEN concat(origin, generated_at) END), ';'
    ORDER BY database, schema, full_table_name
) AS place FROM counted GROUP BY unique_id
UNION ALL SELECT concat('parent of ', unique_id), parent FROM parents
UNION ALL SELECT '', string_agg(target, ';' ORDER BY target)
FROM (SELECT concat_ws('|', target_database, target_schema) AS target FROM targets)
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class EarlierResults:
    """The results before a time that conditions depend on.

    :param until: the time, by the watermark of results; all that is dated from it on is read.
    :param tables: by table of results, their rows; ``empty`` says which dbt commands recorded no result, and ``folded``
        when those results came that the first of a streak stands for.
    :param project: what else the choice depended on, as text: which table each node had, what counts if skipped, and
        which tests have results that name no command.
    :param key: where these were saved, that of the HMAC in place of the text; None for the text.
    """

    until: datetime
    tables: Mapping[str, pa.Table]
    project: str
    key: bytes | None = None

    def to_table(self) -> pa.Table:
        """Return all tables as one; ``part`` names the table of a row."""
        import pyarrow as pa

        parts = [
            found.append_column("part", pa.repeat(name, found.num_rows).cast(pa.string()))
            for name, found in self.tables.items()
        ]
        return pa.concat_tables(parts, promote_options="default")

    @classmethod
    def of_table(cls, until: datetime, stored: pa.Table, project: str, key: bytes) -> EarlierResults:
        """Return what :meth:`to_table` returned as one table.

        :raises KeyError: a column is missing.
        :raises ValueError: one is of another type.
        """
        import pyarrow.compute as pc

        tables = {name: stored.filter(pc.equal(stored["part"], name)) for name in (*RESULT_TABLES, "empty", "folded")}
        of_results = {name: _with_types(tables[name], name) for name in RESULT_TABLES}
        others = {
            "empty": tables["empty"].select(["invocation_id"]),
            "folded": tables["folded"].select(folded_schema().names).cast(folded_schema()),
        }
        return cls(until, {**of_results, **others}, project, key)

    def still_hold(self, engine: duckdb.DuckDBPyConnection, skips: Collection[str]) -> bool:
        """Return whether all results would still be reduced to these, and none came to an older command.

        :param engine: holds these and the results since, as :func:`reduced` says.
        :param skips: the ids of which a skipped result is a condition.
        """
        straddling = f"SELECT count(*) FROM ({_SPANS_SQL}) WHERE first < $until AND last >= $until"  # noqa: S608
        if engine.execute(straddling, {"until": self.until}).fetchall()[0][0]:
            return False
        if engine.sql(_EXECUTED_AGAIN_SQL).fetchall()[0][0]:
            return False
        now = _project(engine, self.tables, skips)
        return self.project == (now if self.key is None else keyed(now, self.key))


def folded_schema() -> pa.Schema:
    """Return the columns of the results that others stand for."""
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("kind", "unique_id", "invocation_id")]
    return pa.schema([*texts, ("created_at", pa.timestamp("us")), ("execution", pa.uint64())])


def keyed(project: str, key: bytes) -> str:
    """Return the HMAC of what a project says: nobody without the key can test what it may say."""
    return hmac.new(key, project.encode(), hashlib.sha256).hexdigest()


def settings() -> str:
    """Return a hash of the code that says which results there are, which are good, and what is saved of them."""
    sql = [files(__package__).joinpath(name).read_text() for name in ("dbt_results.sql", "earlier_results.sql")]
    sql += [RESULTS_SQL, EXECUTIONS_SQL, level_sql("status"), rank_sql("status")]
    facts = [__version__, *sql, dict(RESULT_COLUMNS)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


#: When the first and the last row of each dbt command was written.
_SPANS_SQL = f"""
SELECT min(created_at) AS first, max(created_at) AS last FROM ({
    " UNION ALL ".join(f"SELECT invocation_id, created_at FROM {name}" for name in (*RESULT_TABLES, "command_rows"))
}) GROUP BY coalesce(invocation_id, created_at::VARCHAR)
"""  # noqa: S608 - constants

#: Five bytes of the hash of an id: of millions, hardly two are the same by chance, and then all results are read.
_HASHED = "(md5_number_lower({}) & 1099511627775)"
#: How many results have the id of an execution that is not there any more, as another one stands for it.
_EXECUTED_AGAIN_SQL = f"""
SELECT count(*) FROM (
    SELECT trim(test_execution_id) AS id FROM elementary_test_results
    UNION SELECT trim(model_execution_id) FROM dbt_run_results
) WHERE {_HASHED.format("id")} IN (SELECT execution FROM folded)
"""  # noqa: S608 - constants

#: How many results have no time, and how many ids of executions several dbt commands gave.
_INDIVISIBLE_SQL = f"""
SELECT {" + ".join(f"(SELECT count(*) FROM {name} WHERE created_at IS NULL)" for name in RESULT_TABLES)} + (
    SELECT count(*) FROM (
        SELECT 1 FROM (
            SELECT trim(test_execution_id) AS id, invocation_id FROM elementary_test_results
            UNION ALL SELECT trim(model_execution_id), invocation_id FROM dbt_run_results
        ) WHERE id <> '' GROUP BY id HAVING min(invocation_id) <> max(invocation_id)
    )
)
"""  # noqa: S608 - constants


def reduced(
    engine: duckdb.DuckDBPyConnection,
    commands: Commands,
    skips: Collection[str],
    as_of: datetime,
    before: EarlierResults | None,
) -> EarlierResults | None:
    """Return the earlier results for the next run; None where results have no time or several have one execution's id.

    No dbt command has rows before their end and after it.

    :param engine: holds the tables of results, ``folded``, ``command_rows``, ``commands``, the artifacts, ``leveled``.
    :param commands: those up to ``as_of``, with ``has_results``: whether they recorded results.
    :param skips: the ids of which a skipped result is a condition.
    :param as_of: the moment that the source is of, UTC.
    :param before: what the results that were read continue; None where all were read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if engine.sql(_INDIVISIBLE_SQL).fetchall()[0][0]:
        return None
    latest = as_of - _READ_AGAIN
    quiet = f"""
    WITH ordered AS (
        SELECT first, max(last) OVER (ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier
        FROM ({_SPANS_SQL})
    )
    SELECT max(first) FROM ordered WHERE first <= $latest AND (earlier IS NULL OR earlier < first)
    """  # noqa: S608 - constants
    found = engine.execute(quiet, {"latest": latest}).fetchall()[0][0]
    times = [at for at in (found, before.until if before is not None else None) if at is not None]
    if not times:
        return None
    until = max(times)
    engine.register("with_id", commands.with_id.rows)
    # A row of a command may be there twice.
    of_each = 'SELECT DISTINCT invocation_id, job, "at" AS ran_at FROM with_id WHERE job IS NOT NULL'
    engine.execute(f"CREATE TABLE jobs AS {of_each}")
    gaps = [(job, last, usual_since(last)) for job, last in _last_runs(commands.with_id, as_of)]
    engine.register("gaps", _table(("job", "last", "since"), (pa.string(), *[pa.timestamp("us")] * 2), gaps))
    *chosen, folded = files(__package__).joinpath("earlier_results.sql").read_text().split(";\n")
    for query in chosen:
        engine.execute(query, {"until": until})
    tables = {
        name: _with_types(
            engine.sql(
                f"SELECT * FROM {name} AS r WHERE created_at < $until AND (invocation_id IS NULL OR "  # noqa: S608
                f"({column}, invocation_id) IN (SELECT (subject, invocation_id) FROM needed))",
                params={"until": until},
            ).to_arrow_table(),
            name,
        )
        for name, column in RESULT_TABLES.items()
    }
    project = _project(engine, tables, skips)
    old = commands.building.seen_before(until).rows
    tables["empty"] = old.filter(pc.invert(old["has_results"])).select(["invocation_id"])
    in_others = engine.sql(folded.format(hashed=_HASHED.format("execution"))).to_arrow_table()
    tables["folded"] = in_others.cast(folded_schema())
    return EarlierResults(until, tables, project)


def _last_runs(commands: Commands, as_of: datetime) -> Iterator[tuple[str, datetime]]:
    """Yield when each job ran last, and when before each time in which it did not run."""
    for job, own in commands.by_job.items():
        times = own.times()
        yield from ((job, last) for last in {times[-1], *(gap.last for gap in find_gaps(times, as_of))})


def _project(engine: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table], skips: Collection[str]) -> str:
    """Return as text what the choice of earlier results depends on beside these themselves."""
    # It is asked twice.
    engine.execute(f"CREATE TABLE IF NOT EXISTS said AS {_PLACES_SQL}")
    said = dict(engine.sql("SELECT unique_id, place FROM said").fetchall())
    # What dbt itself says of these tests counts no more.
    of_no_command = "SELECT DISTINCT test_unique_id FROM elementary_test_results WHERE invocation_id IS NULL"
    unnamed = {unique_id for (unique_id,) in engine.sql(of_no_command).fetchall()}
    ids: set[str] = {
        unique_id
        for table, column in RESULT_TABLES.items()
        for name in {column, "model_unique_id"} & {*tables[table].schema.names}
        for unique_id in tables[table][name].unique().to_pylist()
        if unique_id is not None
    }
    ids |= {parent for name in tuple(ids) if (parent := said.get(f"parent of {name}"))}
    keys = ["", *(key for name in sorted(ids) for key in (name, f"parent of {name}"))]
    return json.dumps([sorted(skips), sorted(ids & unnamed), [[key, said.get(key)] for key in keys]])


def _with_types(found: pa.Table, table: str) -> pa.Table:
    """Return the columns of a table of results, as the catalog has them."""
    columns = list(RESULT_COLUMNS[table])
    return found.select(columns).cast(arrow_schema(catalog_table(table), columns))


def _table(names: Sequence[str], types: Sequence[pa.DataType], rows: Sequence[Sequence[object]]) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], list(names))
