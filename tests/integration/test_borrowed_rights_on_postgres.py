"""Reads foreign rows through borrowed rights on a real PostgreSQL: the access check has to fail."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.postgres_reader import Warehouse

pytestmark = pytest.mark.postgres

_LEAK = "LANGUAGE sql SECURITY DEFINER AS 'SELECT email FROM raw.users'"
_ORACLE = "RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT EXISTS (SELECT FROM raw.users WHERE email ~ $1)'"
_AGGREGATE = (
    f"CREATE FUNCTION closed.leak(text, int) RETURNS text {_LEAK};"
    "REVOKE EXECUTE ON FUNCTION closed.leak(text, int) FROM PUBLIC;"
)
_OPERATOR = f"CREATE FUNCTION closed.leak(int, int) RETURNS text {_LEAK};"
_FOREIGN_ROW = [("someone@example.com",)]

#: How rights are lent without USAGE on the function's schema; what the reader reads by it; the checks that fail.
BORROWED = {
    "an operator": (
        _OPERATOR + "CREATE OPERATOR elementary.<<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = closed.leak)",
        "SELECT 1 OPERATOR(elementary.<<<<) 2",
        _FOREIGN_ROW,
        {"definer-functions"},
    ),
    "an aggregate whose state function is revoked": (
        _AGGREGATE + "CREATE AGGREGATE elementary.leak(int) (SFUNC = closed.leak, STYPE = text)",
        "SELECT elementary.leak(1)",
        _FOREIGN_ROW,
        {"definer-functions"},
    ),
    "a cast": (
        "CREATE TYPE elementary.ticket AS (id int);"
        f"CREATE FUNCTION closed.leak(elementary.ticket) RETURNS text {_LEAK};"
        "CREATE CAST (elementary.ticket AS text) WITH FUNCTION closed.leak(elementary.ticket)",
        "SELECT CAST(CAST(ROW(1) AS elementary.ticket) AS text)",
        _FOREIGN_ROW,
        {"definer-functions"},
    ),
    "a domain's CHECK that answers whether a row exists": (
        f"CREATE FUNCTION closed.leak(text) {_ORACLE};"
        "CREATE DOMAIN elementary.guess AS text CHECK (closed.leak(VALUE))",
        "SELECT CAST('^someone@' AS elementary.guess)",
        [("^someone@",)],
        {"definer-functions"},
    ),
    "a row policy on a table of the schema": (
        f"CREATE FUNCTION closed.leak(text) {_ORACLE}; ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY leak ON elementary.dbt_models USING (closed.leak('^someone@'))",
        "SELECT unique_id FROM elementary.dbt_models",
        [("model.one",)],
        {"objects-reaching-outside"},
    ),
    "a view over an aggregate of a closed schema": (
        _AGGREGATE + "CREATE AGGREGATE closed.total(int) (SFUNC = closed.leak, STYPE = text);"
        "CREATE VIEW elementary.leak AS SELECT closed.total(1); GRANT SELECT ON elementary.leak TO {role}",
        "SELECT * FROM elementary.leak",
        _FOREIGN_ROW,
        {"objects-reaching-outside"},
    ),
    "a view over an operator of a closed schema": (
        _OPERATOR + "CREATE OPERATOR closed.<<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = closed.leak);"
        "CREATE VIEW elementary.leak AS SELECT 1 OPERATOR(closed.<<<<) 2; GRANT SELECT ON elementary.leak TO {role}",
        "SELECT * FROM elementary.leak",
        _FOREIGN_ROW,
        {"objects-reaching-outside"},
    ),
    "a function whose SQL body resolved its names when it was created": (
        f"CREATE FUNCTION closed.leak() RETURNS text {_LEAK};"
        "CREATE FUNCTION elementary.leak() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT closed.leak(); END",
        "SELECT elementary.leak()",
        _FOREIGN_ROW,
        {"definer-functions"},
    ),
    "an aggregate over a function that the server keeps to itself": (
        "CREATE AGGREGATE elementary.leak(text) (SFUNC = textcat, STYPE = text, FINALFUNC = pg_read_file)",
        "SELECT elementary.leak('pg_hba.conf') ~ 'hostssl'",
        [(True,)],
        {"server-functions"},
    ),
    "an operator class whose equality is in a closed schema": (
        "CREATE TYPE elementary.ticket AS (id int); CREATE FUNCTION closed.leak(elementary.ticket, elementary.ticket)"
        " RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT EXISTS (SELECT FROM raw.users WHERE id = ($1).id)';"
        "CREATE FUNCTION closed.same(elementary.ticket, elementary.ticket) RETURNS int LANGUAGE sql AS 'SELECT 0';"
        "CREATE OPERATOR closed.<<< (LEFTARG = elementary.ticket, RIGHTARG = elementary.ticket,"
        " FUNCTION = closed.leak);"
        "CREATE OPERATOR closed.=== (LEFTARG = elementary.ticket, RIGHTARG = elementary.ticket,"
        " FUNCTION = closed.leak);"
        "CREATE OPERATOR CLASS closed.o DEFAULT FOR TYPE elementary.ticket USING btree AS OPERATOR 1 closed.<<<,"
        " OPERATOR 3 closed.===, FUNCTION 1 closed.same(elementary.ticket, elementary.ticket)",
        "SELECT (SELECT count(*) FROM (SELECT DISTINCT x FROM (VALUES (ROW(1)::elementary.ticket),"
        " (ROW(1)::elementary.ticket)) v(x)) one), (SELECT count(*) FROM (SELECT DISTINCT x FROM"
        " (VALUES (ROW(2)::elementary.ticket), (ROW(2)::elementary.ticket)) v(x)) two)",
        # There is a user 1, and no user 2.
        [(1, 2)],
        {"definer-functions"},
    ),
    "a materialized view over a function with its owner's rights": (
        "CREATE FUNCTION closed.leak() RETURNS text LANGUAGE sql AS 'SELECT email FROM raw.users';"
        "CREATE MATERIALIZED VIEW elementary.m AS SELECT closed.leak(); GRANT SELECT ON elementary.m TO {role}",
        "SELECT * FROM elementary.m",
        _FOREIGN_ROW,
        {"objects-reaching-outside"},
    ),
    "a function of language internal": (
        "DO $$ BEGIN EXECUTE format('CREATE FUNCTION public.leak(text) RETURNS text STRICT LANGUAGE internal AS %L',"
        " (SELECT prosrc FROM pg_proc WHERE oid = 'pg_read_file(text)'::regprocedure)); END $$",
        "SELECT public.leak('pg_hba.conf') ~ 'hostssl'",
        [(True,)],
        {"untrusted-languages"},
    ),
}

#: What lends no rights to this reader.
HARMLESS = {
    "an operator of a closed schema": (
        _OPERATOR + "CREATE OPERATOR closed.<<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = closed.leak)"
    ),
    "an aggregate of a closed schema": (
        _AGGREGATE + "CREATE AGGREGATE closed.total(int) (SFUNC = closed.leak, STYPE = text)"
    ),
    "an operator whose function the reader may not execute": (
        _OPERATOR + "CREATE OPERATOR elementary.<<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = closed.leak);"
        "REVOKE EXECUTE ON FUNCTION closed.leak(int, int) FROM PUBLIC"
    ),
    "an aggregate over a function with its caller's rights": (
        "CREATE FUNCTION public.add(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2';"
        "CREATE AGGREGATE public.total(int) (SFUNC = public.add, STYPE = int, INITCOND = '0')"
    ),
    "a view over a function with its caller's rights": (
        "CREATE FUNCTION closed.users() RETURNS SETOF raw.users LANGUAGE sql AS 'SELECT * FROM raw.users';"
        "CREATE VIEW elementary.honest AS SELECT * FROM closed.users()"
    ),
    "a view over a definer function that the reader may not execute": (
        f"CREATE FUNCTION closed.leak() RETURNS text {_LEAK}; REVOKE EXECUTE ON FUNCTION closed.leak() FROM PUBLIC;"
        "CREATE VIEW elementary.honest AS SELECT closed.leak(); GRANT SELECT ON elementary.honest TO {role}"
    ),
    "a row policy without a function": (
        "ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY honest ON elementary.dbt_models USING (unique_id <> 'hidden')"
    ),
    "an extension that opens its own views to PUBLIC": "CREATE EXTENSION pg_stat_statements",
    "an extension with types, casts and operators": "CREATE EXTENSION hstore; CREATE EXTENSION citext",
}

#: A right that may be granted on, and how the reader grants it to PUBLIC.
GRANT_OPTIONS = {
    "USAGE": ("USAGE ON SCHEMA elementary", "GRANT USAGE ON SCHEMA elementary TO PUBLIC"),
    "SELECT": ("SELECT ON elementary.dbt_models", "GRANT SELECT ON elementary.dbt_models TO PUBLIC"),
    "SELECT of a column": (
        "SELECT (unique_id) ON elementary.dbt_models",
        "GRANT SELECT (unique_id) ON elementary.dbt_models TO PUBLIC",
    ),
    "CONNECT": ("CONNECT ON DATABASE {database}", "GRANT CONNECT ON DATABASE {database} TO PUBLIC"),
}


@pytest.mark.parametrize(("sql", "query", "rows", "expected"), BORROWED.values(), ids=BORROWED)
def test_borrowed_rights_read_a_foreign_row_and_fail_their_check(
    warehouse: Warehouse, sql: str, query: str, rows: list[tuple[object, ...]], expected: set[str]
) -> None:
    warehouse.run(sql)

    assert warehouse.read(query) == rows
    report = warehouse.check()
    assert {finding.name for finding in report.failed} == expected
    assert all("leak" in finding.evidence for finding in report.failed)


@pytest.mark.parametrize("sql", HARMLESS.values(), ids=HARMLESS)
def test_a_tight_reader_passes(warehouse: Warehouse, sql: str) -> None:
    warehouse.run(sql)

    report = warehouse.check()

    assert [
        (finding.name, finding.evidence)
        for finding in report.findings
        if finding.status not in ("pass", "not applicable")
    ] == []


@pytest.mark.parametrize("sql", [sql for sql in HARMLESS.values() if "VIEW elementary.honest" in sql])
def test_a_view_over_what_its_reader_may_not_use_reads_nothing(warehouse: Warehouse, sql: str) -> None:
    warehouse.run(sql + "; GRANT SELECT ON elementary.honest TO {role}")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.read("SELECT * FROM elementary.honest")


@pytest.mark.parametrize(("right", "grant"), GRANT_OPTIONS.values(), ids=GRANT_OPTIONS)
def test_a_right_that_may_be_granted_on_fails(warehouse: Warehouse, right: str, grant: str) -> None:
    warehouse.run(f"GRANT {right} TO {{user}} WITH GRANT OPTION")

    warehouse.read(grant.format(**vars(warehouse)))
    finding = warehouse.check().finding("other-privileges")

    assert finding.status == "fail"
    assert f"through {warehouse.user}" in finding.evidence


def test_the_remediation_takes_the_grant_option(warehouse: Warehouse) -> None:
    warehouse.run("GRANT SELECT ON elementary.dbt_models TO {user} WITH GRANT OPTION")

    remediation = warehouse.check().finding("other-privileges").remediation
    warehouse.run(remediation)

    assert remediation == f"REVOKE GRANT OPTION FOR SELECT ON elementary.dbt_models FROM {warehouse.user};"
    assert warehouse.failed() == set()
