"""No statement that the guard lets pass touches a table outside the schema, even where the role could read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, currently_in_test_context, event, given, settings
from hypothesis import strategies as st

from airflow_provider_elementary.access.guard import GuardedQuery, guard_query
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import QueryRefusedError
from tests.servers.postgres import PostgresServer
from tests.unit.access.corpus import cases

CANARY = "canary-b5d1"
_TYPES = {
    "string": "text",
    "float64": "double precision",
    "int64": "bigint",
    "boolean": "boolean",
    "timestamp": "timestamp",
}

_REACHES_OUT = "SECURITY DEFINER LANGUAGE sql AS 'SELECT pg_catalog.max(email) FROM raw.users'"
#: What a wider role sees: the same names in other places, other cases and types, views and functions that reach out.
_TRAPS = f"""
CREATE SCHEMA raw;
CREATE TABLE raw.users (id text, name text, email text, created_at timestamp);
INSERT INTO raw.users SELECT '{CANARY}', '{CANARY}', '{CANARY}', now() FROM generate_series(1, 3);
CREATE TABLE raw.dbt_models AS SELECT * FROM raw.users;
CREATE TABLE public.users AS SELECT * FROM raw.users;
CREATE TABLE public.dbt_models AS SELECT * FROM raw.users;
CREATE TABLE elementary.users AS SELECT * FROM raw.users;
CREATE TABLE elementary."Dbt_Models" AS SELECT * FROM raw.users;
CREATE TABLE elementary."DBT_MODELS" AS SELECT * FROM raw.users;
CREATE TABLE elementary."raw.users" AS SELECT * FROM raw.users;
CREATE TABLE "Elementary.dbt_models" AS SELECT * FROM raw.users;
CREATE SCHEMA "Elementary";
CREATE TABLE "Elementary".dbt_models AS SELECT * FROM raw.users;
CREATE VIEW elementary.model_run_results AS SELECT * FROM raw.users;
CREATE SEQUENCE elementary.seq;
CREATE FUNCTION elementary.evil() RETURNS text {_REACHES_OUT};
CREATE FUNCTION elementary.evil(text) RETURNS text {_REACHES_OUT};
CREATE FUNCTION elementary.evil(elementary.dbt_models) RETURNS text {_REACHES_OUT};
CREATE FUNCTION elementary.ifnull(text, text) RETURNS text {_REACHES_OUT};
CREATE FUNCTION elementary.ifnull_of(text, varchar) RETURNS text {_REACHES_OUT};
CREATE OPERATOR elementary.|| (LEFTARG = text, RIGHTARG = varchar, FUNCTION = elementary.ifnull_of);
CREATE OPERATOR elementary.+ (LEFTARG = text, RIGHTARG = text, FUNCTION = elementary.ifnull);
CREATE AGGREGATE elementary.max(text) (SFUNC = elementary.ifnull, STYPE = text, INITCOND = '');
CREATE FUNCTION elementary.upper(text) RETURNS text {_REACHES_OUT};
CREATE FUNCTION elementary.leak() RETURNS SETOF raw.users SECURITY DEFINER LANGUAGE sql AS 'SELECT * FROM raw.users';
"""


@dataclass(frozen=True)
class Witness:
    """A session of a role that may read everything, and another that sees which tables it has opened."""

    session: psycopg.Connection[tuple[Any, ...]]
    observer: psycopg.Connection[tuple[Any, ...]]

    def touched(self, sql: str, *, guarded: bool = True) -> tuple[set[str], str] | None:
        """Return the relations that a statement opens and the rows that it returns; None if the server refuses it."""
        self.session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if guarded:
            # As PostgresWarehouse does.
            self.session.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        try:
            self.session.execute(b"EXPLAIN (VERBOSE) " + sql.encode())
            opened, rows = self._opened(), ""
            self.session.execute("SAVEPOINT planned")
            try:
                rows = str(self.session.execute(sql.encode()).fetchmany(100))
            except psycopg.Error:
                self.session.execute("ROLLBACK TO planned")
            return opened | self._opened(), rows
        except psycopg.Error:
            return None
        finally:
            self.session.execute("ROLLBACK")

    def _opened(self) -> set[str]:
        # Whatever a transaction has parsed, planned or read stays locked until its end.
        return {
            name
            for (name,) in self.observer.execute(
                "SELECT n.nspname || '.' || c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
                "JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE l.pid = %s AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                "AND c.relkind NOT IN ('i', 'I', 't')",
                [self.session.info.backend_pid],
            )
        }


@pytest.fixture(scope="module")
def witness(postgres_server: PostgresServer) -> Iterator[Witness]:
    """A database with the catalog's tables, the traps around them, and a role that may read all of it."""
    name = "analytics"
    postgres_server.create_database(name)
    password = postgres_server.create_role("reads_all")
    tables = "".join(
        f"CREATE TABLE elementary.{table.name} ("
        + ", ".join(f'"{column.name}" {_TYPES[column.type]}' for column in table.columns)
        + f"); INSERT INTO elementary.{table.name} DEFAULT VALUES;"
        for table in TABLES.values()
    )
    postgres_server.execute(
        f"CREATE SCHEMA elementary; {tables} {_TRAPS}"
        f"GRANT CONNECT ON DATABASE {name} TO reads_all; GRANT pg_read_all_data TO reads_all;"
        "GRANT USAGE ON SEQUENCE elementary.seq TO reads_all;"
        "ALTER ROLE reads_all SET search_path = elementary, public, pg_temp;"
        "ALTER ROLE reads_all SET statement_timeout = '2s'",
        database=name,
    )
    with (
        postgres_server.connect("reads_all", password, name) as session,
        postgres_server.connect(database=name) as observer,
    ):
        yield Witness(session, observer)
    postgres_server.drop_database(name)
    postgres_server.drop_role("reads_all")


def guarded(sql: str) -> GuardedQuery | None:
    try:
        return guard_query(sql, dialect="postgres", schema="elementary", database="analytics")
    except QueryRefusedError:
        return None


def assert_stays_inside(witness: Witness, query: GuardedQuery) -> None:
    answer = witness.touched(query.sql)
    if currently_in_test_context():
        event("the server refuses it" if answer is None else "the server runs it")
    if answer is not None:
        opened, rows = answer
        # A name that PostgreSQL takes for a CTE further on is a table to the guard, which therefore may see more.
        assert opened <= {f"elementary.{table}" for table in query.tables}
        assert CANARY not in rows


STATEMENTS = sorted({case.sql for case in cases() if "\x00" not in case.sql})
PASSING = [sql for sql in STATEMENTS if guarded(sql)]
_PIECES = re.compile(r"'[^']*'|\"[^\"]*\"|\w+|\s+|[^\w\s]")
FRAGMENTS = (
    'raw.users|users|"users"|raw . users|elementary.users|public.dbt_models|"Dbt_Models"|"Elementary".dbt_models|'
    "dbt_models|elementary.dbt_models|analytics.elementary.dbt_models|model_run_results|(SELECT email FROM raw.users)|"
    "(TABLE raw.users)|TABLE raw.users|FROM raw.users|JOIN raw.users u ON true|, raw.users|, users|"
    "UNION SELECT email FROM raw.users|UNION ALL TABLE raw.users|EXCEPT|INTERSECT|WITH users AS (SELECT 1)|"
    "WITH raw AS (SELECT 1)|WITH dbt_models AS (SELECT * FROM raw.users)|users AS (SELECT 1),|LATERAL|ONLY|RECURSIVE|"
    "evil()|evil(name)|elementary.evil()|m.evil|(m).evil|dbt_models.evil|ifnull(name, name)|leak()|"
    "nextval('elementary.seq')|seq.last_value|query_to_xml('select * from raw.users', true, true, '')|"
    "'raw.users'::regclass|::text|::regclass|m.*|m|*|1|NULL|'x'|''|'|\"|''''|E'\\''|E'\\\\'|'\\'|$$|$a$|--|-- |--\n|"
    "\n|\r|/*|*/|/* */|/*/**/*/|/*!|;|;;|,|.|(|)|[|]|:|::|=|<|>|||+|AS|IN|ANY|ARRAY|FROM|SELECT|WHERE|VALUES|USING|ON|"
    "AND|INTO x|FOR UPDATE|FOR SHARE|TABLESAMPLE|U&\"\\0072aw\"|u&'x'|ROWS FROM|AT TIME ZONE 'UTC'|IS DISTINCT FROM|"
    "EXTRACT(epoch FROM now())|TRIM(BOTH FROM 'x')|\u00a0|\u200b|\u0131|\u017f|#|@|?|`|\\"
).split("|")
fragments = st.sampled_from(FRAGMENTS)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A statement of the corpus with some of its words replaced, removed, doubled, or taken from another statement."""
    pieces = _PIECES.findall(draw(st.sampled_from(PASSING) | st.sampled_from(STATEMENTS)))
    other = _PIECES.findall(draw(st.sampled_from(STATEMENTS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(pieces)))
        to = min(len(pieces), at + draw(st.integers(0, 3)))
        start = draw(st.integers(0, max(0, len(other) - 1)))
        replacement = draw(
            fragments.map(lambda text: [f" {text} "])
            | fragments.map(lambda text: [text])
            | st.just(other[start : start + draw(st.integers(1, 12))])
            | st.just([])
        )
        pieces[at:to] = replacement
    return "".join(pieces)


NAMES = ["dbt_models", "dbt_tests", "metadata", "users", "raw", "m", "t", '"users"', '"Dbt_Models"', "evil"]
RELATIONS = [
    *["dbt_models", "elementary.dbt_tests", "dbt_run_results", '"dbt_seeds"', "metadata", "DBT_MODELS"] * 3,
    *[
        "users",
        "raw.users",
        "raw.dbt_models",
        "m",
        "t",
        '"Dbt_Models"',
        "elementary.users",
        "model_run_results",
        "pg_class",
    ],
]
names, relations = st.sampled_from(NAMES), st.sampled_from(RELATIONS)
columns = st.sampled_from(
    ["name", "unique_id", "1", "*", "'x'", "count(*)", "m.name", "t.name", "m", "users.email", "m.evil"]
)


def subqueries(queries: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    inner = queries.map(lambda query: f"({query})")
    source = relations | st.builds("{} AS {}".format, relations | inner, names)
    joined = source | st.builds("{} {} {}".format, source, st.sampled_from([",", "CROSS JOIN", "NATURAL JOIN"]), source)
    condition = st.builds("name IN {}".format, inner) | st.builds("EXISTS {}".format, inner) | st.just("true")
    select = st.builds("SELECT {} FROM {} WHERE {}".format, columns | inner, joined, condition)
    union = st.builds("{} {} {}".format, queries, st.sampled_from(["UNION ALL", "EXCEPT", "UNION"]), queries)
    with_ = st.sampled_from(["WITH", "WITH RECURSIVE"])
    cte = st.builds("{} {} AS ({}) {}".format, with_, names, queries, queries)
    two = st.builds("{} {} AS ({}), {} AS ({}) {}".format, with_, names, queries, names, queries, queries)
    return select | union | cte | two


queries = st.recursive(st.builds("SELECT {} FROM {}".format, columns, relations), subqueries, max_leaves=6)

many = settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def share_that_passes(strategy: st.SearchStrategy[str]) -> float:
    answers = []

    @settings(max_examples=600, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(sql=strategy)
    def collect(sql: str) -> None:
        answers.append(guarded(sql) is not None)

    collect()
    return sum(answers) / len(answers)


def test_a_bounded_share_of_the_generated_statements_passes() -> None:
    generated, mutated = share_that_passes(queries), share_that_passes(mutations())
    print(f"of the generated queries {generated:.0%} pass, of the mutated statements {mutated:.0%}")

    assert 0.2 <= generated <= 0.8
    # Hypothesis draws from the constants of all imported modules: which statements come differs from run to run.
    assert 0.02 <= mutated <= 0.5


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name || 'x' FROM dbt_models",
        "SELECT name || CAST('x' AS varchar) FROM dbt_models",
        "SELECT max(name) FROM dbt_models",
        "SELECT upper(name) FROM dbt_models",
        "SELECT name + alias FROM dbt_models",
    ],
)
def test_an_operator_aggregate_or_function_made_by_a_user_is_never_reached(witness: Witness, sql: str) -> None:
    query = guarded(sql)

    assert query is not None
    assert_stays_inside(witness, query)


def test_the_traps_of_user_made_operators_do_leak_without_the_search_path(witness: Witness) -> None:
    _, rows = witness.touched("SELECT upper(name), name + alias FROM dbt_models", guarded=False) or (set(), "")

    assert CANARY in rows


def test_the_witness_sees_what_an_unguarded_statement_touches(witness: Witness) -> None:
    opened, rows = witness.touched("SELECT evil(), u.email FROM model_run_results u, dbt_models m", guarded=False) or (
        set(),
        "",
    )

    assert opened == {"elementary.model_run_results", "raw.users", "elementary.dbt_models"}
    assert CANARY in rows


@pytest.mark.parametrize(
    "sql",
    [case.sql for case in cases() if case.dialect == "postgres" and case.tables is not None and guarded(case.sql)],
)
def test_what_the_corpus_allows_runs_and_opens_exactly_its_tables(witness: Witness, sql: str) -> None:
    query = guard_query(sql, dialect="postgres", schema="elementary", database="analytics")

    opened, rows = witness.touched(query.sql) or (None, "")

    assert opened == {f"elementary.{table}" for table in query.tables}
    assert CANARY not in rows


@many
@given(sql=mutations())
def test_no_mutation_of_the_corpus_that_passes_leaves_the_schema(witness: Witness, sql: str) -> None:
    query = guarded(sql)

    event("it is refused" if query is None else "it passes")
    if query is not None:
        assert_stays_inside(witness, query)


@many
@given(sql=queries)
def test_no_generated_query_that_passes_leaves_the_schema(witness: Witness, sql: str) -> None:
    query = guarded(sql)

    event("it is refused" if query is None else "it passes")
    if query is not None:
        assert_stays_inside(witness, query)


@many
@given(sql=queries, share=st.floats(0, 1), fragment=fragments, blank=st.sampled_from(["", " ", "\n"]))
def test_no_noise_in_a_generated_query_hides_a_table(
    witness: Witness, sql: str, share: float, fragment: str, blank: str
) -> None:
    at = sql.rfind(" ", 0, int(share * len(sql))) + 1
    query = guarded(sql[:at] + fragment + blank + sql[at:])

    event("it is refused" if query is None else "it passes")
    if query is not None:
        assert_stays_inside(witness, query)
