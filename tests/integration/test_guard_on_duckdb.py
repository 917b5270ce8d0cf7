"""Nothing that the guard lets pass reaches another schema, a file or a macro of a DuckDB file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ElementaryError,
    QueryRefusedError,
    WarehouseError,
)
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.unit.access.corpus import Case, cases

CANARY = "canary-c4e9"
_TYPES = {
    "string": "VARCHAR",
    "float64": "DOUBLE",
    "int64": "BIGINT",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}
HONEST = [case for case in cases("honest") if case.dialect == "duckdb" and case.tables is not None]
_TRAPS = f"""
CREATE SCHEMA raw;
CREATE TABLE raw.users AS SELECT '{CANARY}' AS name, '{CANARY}' AS email;
CREATE TABLE main.users AS FROM raw.users;
CREATE TABLE main.stocks AS FROM raw.users;
CREATE TABLE elementary.users AS FROM raw.users;
CREATE TABLE main.dbt_seeds AS FROM raw.users;
CREATE TABLE main.dbt_models AS FROM raw.users;
CREATE VIEW elementary.model_run_results AS FROM raw.users;
CREATE MACRO elementary.evil() AS (SELECT max(email) FROM raw.users);
CREATE MACRO main.leak() AS TABLE FROM raw.users;
"""


def make(path: Path, traps: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA elementary")
        for table in TABLES.values():
            # dbt_seeds is missing: an unqualified name would fall back to main.
            if table.name != "dbt_seeds":
                columns = ", ".join(f'"{column.name}" {_TYPES[column.type]}' for column in table.columns)
                connection.execute(f"CREATE TABLE elementary.{table.name} ({columns})")
                connection.execute(f"INSERT INTO elementary.{table.name} DEFAULT VALUES")
        connection.execute("UPDATE elementary.dbt_models SET name = 'orders', tags = '[\"a\", \"b\"]'")
        connection.execute(traps)
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarehouseSource]:
    path = make(tmp_path_factory.mktemp("duckdb") / "analytics.duckdb", _TRAPS)
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        yield source


def answer(source: WarehouseSource, sql: str) -> str:
    """Return what a person would see: the first rows, or the error."""
    try:
        # A recursive query may have no end.
        return str([row for batch in itertools.islice(source.query(sql), 5) for row in batch.to_pylist()])
    except ElementaryError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("case", HONEST, ids=str)
def test_an_honest_query_of_duckdb_runs(source: WarehouseSource, case: Case) -> None:
    assert answer(source, case.sql).startswith("[")


@pytest.mark.parametrize("case", [*cases("dangerous"), *cases()], ids=str)
def test_no_statement_of_the_corpus_reaches_a_row_outside(source: WarehouseSource, case: Case) -> None:
    assert CANARY not in answer(source, case.sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM dbt_seeds",
        'WITH "stoc\u212as" AS (SELECT 1) SELECT * FROM stocks',
        'WITH "stoc\u212as" AS (SELECT 1) SELECT * FROM "stoc\u212as", dbt_seeds',
        "WITH show AS (SELECT 1) SELECT * FROM (show users)",
        'WITH "show" AS (SELECT 1) SELECT * FROM ("show" users)',
        'WITH "summarize" AS (SELECT 1) SELECT * FROM ("summarize" users)',
        'WITH "desc" AS (SELECT 1) SELECT * FROM ("desc" "users")',
        "SELECT * FROM source",
        "WITH source AS (SELECT 1) SELECT * FROM source, dbt_models",
    ],
)
def test_a_name_never_means_a_relation_of_another_schema(source: WarehouseSource, sql: str) -> None:
    assert CANARY not in answer(source, sql)


def test_the_database_of_the_traps_answers_honest_queries(source: WarehouseSource) -> None:
    assert answer(source, "SELECT unnest(from_json(tags, '[\"VARCHAR\"]')) AS tag FROM dbt_models") == (
        "[{'tag': 'a'}, {'tag': 'b'}]"
    )
    assert answer(source, 'WITH "\u212a" AS (SELECT 1 AS x) SELECT x FROM "\u212a"') == "[{'x': 1}]"


@pytest.mark.parametrize(
    "macro",
    ["lower(x)", '"+"(a, b)', '"||"(a, b)', '"~~"(a, b)', "count(x)", "LOWER(x)", "json_each(x)"],
)
@pytest.mark.parametrize("schema", ["elementary", "main"])
def test_a_file_whose_macros_replace_builtin_functions_is_not_queried(tmp_path: Path, macro: str, schema: str) -> None:
    body = "AS TABLE FROM raw.users" if "each" in macro else "AS (SELECT max(email) FROM raw.users)"
    path = make(tmp_path / "analytics.duckdb", f"{_TRAPS} CREATE MACRO {schema}.{macro} {body}")

    with (
        WarehouseSource(DuckDBWarehouse(path, "elementary")) as source,
        pytest.raises(ConfigurationError, match="defines macros"),
    ):
        source.query("SELECT lower(name || 'x') FROM dbt_models")


@pytest.mark.parametrize(
    ("limit", "value", "words"), [("QUERY_SECONDS", -1.0, "took longer"), ("QUERY_BATCH_BYTES", 0, "One batch")]
)
def test_an_authors_query_ends_with_its_session_beyond_its_time_or_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: float, words: str
) -> None:
    monkeypatch.setattr(f"airflow_provider_elementary.warehouses.source.{limit}", value)
    path = make(tmp_path / "analytics.duckdb", _TRAPS)

    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        with pytest.raises(WarehouseError, match=words):
            source.query("SELECT name FROM dbt_models").read_all()
        with pytest.raises(WarehouseError):
            source.query("SELECT name FROM dbt_models").read_all()


WORDS = st.sampled_from(
    "users|stocks|raw.users|main.users|dbt_models|dbt_seeds|elementary.users|evil()|leak()|show|desc|summarize|describe|"
    "from|table|pivot|\"users\"|\"show\"|(show users)|(from users)|read_text('/etc/passwd')|glob('*')|unnest|lateral|"
    "WITH show AS (SELECT 1)|SELECT|*|,|(|)|UNION ALL|JOIN|AS|m|.|name|email|COLUMNS(*)|source|duckdb_tables()|"
    "\u212a|\u017f|'|\"".split("|")
)
PASSING = [case.sql for kind in (".", "honest") for case in cases(kind) if case.dialect == "duckdb" and case.tables]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(sql=st.sampled_from(PASSING), words=st.lists(WORDS, min_size=1, max_size=3), share=st.floats(0, 1))
def test_no_mutated_query_reaches_a_row_outside(
    source: WarehouseSource, sql: str, words: list[str], share: float
) -> None:
    pieces = sql.split(" ")
    at = int(share * len(pieces))
    mutated = " ".join([*pieces[:at], *words, *pieces[at + len(words) // 2 :]])
    try:
        source.guarded(mutated)
        event("it passes")
    except QueryRefusedError:
        event("it is refused")
    assert CANARY not in answer(source, mutated)
