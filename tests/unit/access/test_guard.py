"""The SQL guard over its corpus, and what a corpus cannot say."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace
from importlib.metadata import version
from unicodedata import normalize

import pytest
from packaging.version import Version
from sqlglot import exp, parse_one

from airflow_provider_elementary.access.guard import GuardedQuery, guard_query
from airflow_provider_elementary.access.guard.functions import FUNCTIONS, PORTABLE
from airflow_provider_elementary.access.guard.grammar import ALLOWED, PLAIN_TYPES
from airflow_provider_elementary.access.guard.preprocess import MAX_LENGTH
from airflow_provider_elementary.access.guard.spelling import FOLDINGS, LEXICONS, lower
from airflow_provider_elementary.exceptions import QueryRefusedError
from tests.unit.access.corpus import Case, cases

ALLOWED_CASES = [case for case in cases() if case.tables is not None]
#: The sqlglot that the corpus and the tables of facts were written with, or a later one.
KNOWS_THE_CORPUS = Version(version("sqlglot")) >= Version("30.22")
#: Nodes that earlier releases of sqlglot have and 30.30 does not.
REMOVED = {"SortArray"}
REFUSED_CASES = [case for case in cases() if case.tables is None]


@pytest.mark.parametrize("case", ALLOWED_CASES, ids=str)
def test_an_allowed_statement_passes_with_exactly_its_tables(case: Case) -> None:
    guarded = guard_query(case.sql, dialect=case.dialect, schema=case.schema, database=case.database)

    assert guarded.tables == case.tables


@pytest.mark.parametrize("case", REFUSED_CASES, ids=str)
def test_a_refused_statement_is_refused_for_the_expected_reason(case: Case) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        guard_query(case.sql, dialect=case.dialect, schema=case.schema, database=case.database)

    # An older sqlglot parses less, so that a statement may be refused at an earlier step.
    assert case.reason in refused.value.reason or not KNOWS_THE_CORPUS


@pytest.mark.parametrize("case", ALLOWED_CASES, ids=str)
def test_what_passed_passes_again_unchanged(case: Case) -> None:
    guarded = guard_query(case.sql, dialect=case.dialect, schema=case.schema, database=case.database)

    again = guard_query(guarded.sql, dialect=case.dialect, schema=case.schema, database=case.database)

    assert again == guarded


HONEST = list(cases("honest"))
#: The property tests and the corpus bound what passes from both sides: a guard that refuses everything fails here.
REFUSED_SHARE = 0.15


@pytest.mark.parametrize("case", HONEST, ids=str)
def test_an_honest_query_passes_or_its_reason_is_listed(case: Case) -> None:
    try:
        outcome: object = guard_query(case.sql, dialect=case.dialect, schema=case.schema, database=case.database).tables
    except QueryRefusedError as refused:
        outcome = "listed" if case.reason and case.reason in refused.reason else refused.reason

    assert outcome == (case.tables or "listed") or not KNOWS_THE_CORPUS


def test_few_honest_queries_are_refused_in_any_dialect() -> None:
    written = Counter(case.dialect for case in HONEST)
    refused = Counter(case.dialect for case in HONEST if case.tables is None)
    print("\n".join(f"{dialect:12} {refused[dialect]:3} of {count:3} refused" for dialect, count in written.items()))

    assert len(HONEST) >= 60
    assert set(written) == set(FUNCTIONS)
    assert [dialect for dialect, count in written.items() if refused[dialect] > REFUSED_SHARE * count] == []


@pytest.mark.parametrize("case", list(cases("dangerous")), ids=str)
def test_no_dangerous_statement_passes(case: Case) -> None:
    with pytest.raises(QueryRefusedError):
        guard_query(case.sql, dialect=case.dialect, schema=case.schema, database=case.database)


@pytest.mark.parametrize("dialect", FUNCTIONS)
@pytest.mark.parametrize("database", ["analytics", None])
def test_every_table_that_runs_is_fully_qualified(dialect: str, database: str | None) -> None:
    guarded = guard_query("SELECT * FROM dbt_models m", dialect=dialect, schema="elementary", database=database)

    table = parse_one(guarded.sql, dialect=dialect).find(exp.Table)
    assert table is not None
    assert [part.name.lower() for part in table.parts] == [
        *([database] if database else []),
        "elementary",
        "dbt_models",
    ]
    assert all(part.args["quoted"] for part in table.parts)


@pytest.mark.parametrize("dialect", FUNCTIONS)
def test_the_query_that_reads_a_whole_table_passes_in_every_dialect(dialect: str) -> None:
    name = FOLDINGS[dialect].stored("dbt_models")
    column = exp.column(exp.to_identifier("name", quoted=True))
    table = exp.table_(name, db="elementary", catalog="analytics", quoted=True)

    guarded = guard_query(
        exp.select(column).from_(table).sql(dialect), dialect=dialect, schema="elementary", database="analytics"
    )

    assert guarded.tables == ("dbt_models",)


@pytest.mark.parametrize("word", ["\u212a", "\u017f", "\u0130", "\uff53"])
@pytest.mark.parametrize("dialect", FUNCTIONS)
def test_a_cte_whose_name_only_looks_like_a_table_hides_none(dialect: str, word: str) -> None:
    quote = LEXICONS[dialect].names[0]
    hidden = f"WITH {quote}stoc{word}{quote} AS (SELECT 1) SELECT * FROM {{}}"

    for other in (normalize("NFKC", word), word.lower(), word.upper(), word.casefold()):
        if other not in (word, lower(word)):
            with pytest.raises(QueryRefusedError):
                guard_query(hidden.format(f"{quote}stoc{other}{quote}"), dialect=dialect, schema="elementary")


def test_the_corpus_is_large_and_covers_every_dialect(record_property: Callable[[str, object], None]) -> None:
    counts = Counter((case.dialect, "refused" if case.tables is None else "allowed") for case in cases())

    record_property("corpus", dict(counts))
    print("\n".join(f"{dialect:12} {verdict:8} {count:4}" for (dialect, verdict), count in sorted(counts.items())))

    assert counts.total() >= 400
    assert {dialect for dialect, _ in counts} | {case.dialect for case in HONEST} >= set(FUNCTIONS)


@pytest.mark.parametrize(
    ("sql", "to_run"),
    [
        ("  SELECT 1 ;; \n", "SELECT 1"),
        ("SELECT 1 -- one\n FROM metadata; -- end", 'SELECT 1  \n FROM "elementary"."metadata"'),
        ("/* head */ SELECT ';' /* tail */", "SELECT ';'"),
        ("SELECT '--', \"/*\" FROM metadata", 'SELECT \'--\', "/*" FROM "elementary"."metadata"'),
    ],
)
def test_the_statement_to_run_has_no_comments_and_no_trailing_semicolon(sql: str, to_run: str) -> None:
    assert guard_query(sql, dialect="postgres", schema="elementary").sql == to_run


def test_a_guarded_query_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError, match="guard_query"):
        GuardedQuery("DROP TABLE users", (), "postgres")


def test_a_guarded_query_cannot_be_changed() -> None:
    guarded = guard_query("SELECT 1", dialect="postgres", schema="elementary")

    with pytest.raises(FrozenInstanceError):
        guarded.sql = "DROP TABLE users"  # type: ignore[misc]
    with pytest.raises((TypeError, ValueError)):
        replace(guarded, sql="DROP TABLE users")


def test_a_guarded_query_travels_between_processes() -> None:
    guarded = guard_query("SELECT 1 FROM metadata", dialect="postgres", schema="elementary")

    assert pickle.loads(pickle.dumps(guarded)) == guarded  # noqa: S301


def test_a_refusal_does_not_repeat_literals_or_the_statement() -> None:
    with pytest.raises(QueryRefusedError) as refused:
        guard_query("SELECT 's3cret' FROM raw.users WHERE token = 'hunter2'", dialect="postgres", schema="elementary")

    assert "s3cret" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_refusal_shortens_a_long_name() -> None:
    with pytest.raises(QueryRefusedError) as refused:
        guard_query(f'SELECT * FROM "{"x" * 1000}"', dialect="postgres", schema="elementary")

    assert len(refused.value.reason) < 200


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "1 + " * (MAX_LENGTH // 4) + "1",
        "SELECT " + "NOT " * 5000 + "true",
        "SELECT " + "-" * 1 + "- " * 5000 + "1",
        "SELECT " + "a OR " * 5000 + "b FROM metadata",
        "SELECT 1" + " UNION ALL SELECT 1" * 2000,
        "SELECT " + "CASE WHEN true THEN " * 2000 + "1" + " END" * 2000,
        "SELECT a" + "[1]" * 5000 + " FROM metadata",
        "SELECT " + "x." * 5000 + "y FROM metadata",
        "(" * 5000 + "SELECT 1" + ")" * 5000,
    ],
    ids=["long", "not", "minus", "or", "union", "case", "index", "dots", "brackets"],
)
def test_an_immense_statement_is_answered_and_not_an_accident(sql: str) -> None:
    try:
        answer: object = guard_query(sql, dialect="postgres", schema="elementary").tables
    except QueryRefusedError as refused:
        answer = refused.reason

    assert answer is not None


@pytest.mark.parametrize("subscript", ["[1]", " [ 1 ]", "['a']", "[[1][1]]", "[1].b", "[1]::text"])
@pytest.mark.parametrize("dialect", ["postgres", "duckdb", "snowflake", "bigquery"])
def test_more_square_brackets_than_a_person_writes_are_refused_unparsed(dialect: str, subscript: str) -> None:
    with pytest.raises(QueryRefusedError, match="more than 100 square brackets"):
        guard_query(f"SELECT name{subscript * 101} FROM dbt_models", dialect=dialect, schema="elementary")


def test_square_brackets_in_texts_and_a_hundred_others_are_allowed() -> None:
    sql = f"SELECT {', '.join(['name[1]'] * 100)} FROM dbt_models WHERE name <> '{'[' * 200}'"

    assert guard_query(sql, dialect="postgres", schema="elementary").tables == ("dbt_models",)


def test_the_tables_of_facts_name_things_that_exist() -> None:
    assert {name for name in ALLOWED if not hasattr(exp, name)} <= REMOVED or not KNOWS_THE_CORPUS
    assert [name for name in PLAIN_TYPES if name not in exp.DataType.Type.__members__] == []
    assert set(FUNCTIONS) == set(LEXICONS) == set(FOLDINGS)
    assert all(name == name.lower() for functions in FUNCTIONS.values() for name in functions)


@pytest.mark.parametrize("dialect", FUNCTIONS)
@pytest.mark.parametrize(
    "word",
    "pg_read_file dblink nextval setval set_config current_setting pg_sleep version result_scan get_ddl generator "
    "query_to_xml lo_import read_csv glob getenv query url file remote dictget joinget sleep hostname external_query "
    "read_files ai_query java_method reflect repeat generate_series sequence range generate_array unnest flatten "
    "explode arrayjoin identifier table numbers input xmltable json_table current_user session_user".split(),
)
def test_no_dialect_allows_a_function_that_reads_or_runs_something(dialect: str, word: str) -> None:
    assert word not in FUNCTIONS[dialect] | PORTABLE


def test_a_table_stored_in_quotes_passes_on_snowflake_where_the_catalog_has_it() -> None:
    place = {"schema": "ELEMENTARY", "database": "DBT", "quoted_tables": frozenset({"dbt_models", "secrets"})}

    found = guard_query('SELECT "name" FROM "DBT"."ELEMENTARY"."dbt_models"', dialect="snowflake", **place)

    assert found.tables == ("dbt_models",)
    for other in ('"dbt_tests"', '"secrets"', '"Dbt_Models"'):
        with pytest.raises(QueryRefusedError):
            guard_query(f"SELECT 1 FROM {other}", dialect="snowflake", **place)


@pytest.mark.parametrize("dialect", FUNCTIONS)
def test_a_function_named_as_a_word_of_the_grammar_is_refused(dialect: str) -> None:
    words = set("apply cube end for interval over partition pivot rename rlike rollup".split()) - FUNCTIONS[dialect]
    passed = []
    for word in sorted(words):
        for call in (f"{word}(name)", f"{word}(name, 'x')", f"max({word}(name))"):
            with suppress(QueryRefusedError):
                passed.append(guard_query(f"SELECT {call} FROM dbt_models", dialect=dialect, schema="elementary").sql)

    assert passed == []
