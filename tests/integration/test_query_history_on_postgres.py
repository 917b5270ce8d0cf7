"""PostgreSQL's second role reads the counters of statements, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from airflow_provider_elementary.query_history import HistoryPolicy
from tests.support.history_roles import Shop, history_shop
from tests.support.query_histories import stored, updated
from tests.support.stores import Rest, local_rest

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

SECRET = "hunter2"
NODE = '/* {"app": "dbt", "node_id": "model.shop.orders"} */'


@pytest.fixture(scope="module")
def shop(postgres_server: PostgresServer) -> Iterator[Shop]:
    with history_shop(postgres_server) as shop:
        yield shop


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return local_rest(tmp_path)


def read(shop: Shop, rest: Rest, run: str, **options: Any) -> tuple[str, ...]:
    with shop.session() as session:
        return updated(rest, session, run, now=None, **options).notes


def test_the_role_of_the_grants_passes_every_check(shop: Shop) -> None:
    report = shop.check()

    assert {finding.status for finding in report.findings} <= {"pass", "not applicable"}


def test_granting_twice_changes_nothing(shop: Shop) -> None:
    before = shop.check()
    shop.grant()

    assert [finding.status for finding in shop.check().findings] == [finding.status for finding in before.findings]


@pytest.mark.parametrize("statement", ["SELECT * FROM shop.orders", "SELECT * FROM pg_catalog.pg_authid"])
def test_the_role_reads_no_table(shop: Shop, statement: str) -> None:
    with (
        shop.server.connect(shop.user, shop.password, shop.database) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


#: What makes the role read more than the history: how, how it is undone, and the check that fails.
WIDER = [
    ("GRANT USAGE ON SCHEMA shop TO {role}; GRANT SELECT ON shop.orders TO {role}",
     "REVOKE ALL ON shop.orders FROM {role}; REVOKE ALL ON SCHEMA shop FROM {role}", "reads-outside-schema"),
    ("GRANT SELECT (id) ON shop.orders TO {role}", "REVOKE SELECT (id) ON shop.orders FROM {role}",
     "reads-outside-schema"),
    ("CREATE TABLE elementary_history.copy (a int); GRANT SELECT ON elementary_history.copy TO {role}",
     "DROP TABLE elementary_history.copy", "reads-outside-schema"),
    ("CREATE VIEW elementary_history.v AS SELECT * FROM shop.orders; GRANT SELECT ON elementary_history.v TO {role}",
     "DROP VIEW elementary_history.v", "objects-reaching-outside"),
    ("GRANT pg_read_all_data TO {user}", "REVOKE pg_read_all_data FROM {user}", "reads-outside-schema"),
    ("GRANT pg_read_all_stats TO {user}", "REVOKE pg_read_all_stats FROM {user}", "role-memberships"),
    ("CREATE FUNCTION elementary_history.all() RETURNS SETOF shop.orders LANGUAGE sql SECURITY DEFINER AS "
     "'SELECT * FROM shop.orders'", "DROP FUNCTION elementary_history.all()", "definer-functions"),
    ("ALTER FUNCTION elementary_history.query_history() SET search_path = public",
     "ALTER FUNCTION elementary_history.query_history() SET search_path = pg_catalog, pg_temp", "definer-functions"),
    ("ALTER FUNCTION elementary_history.query_history() OWNER TO postgres",
     "ALTER FUNCTION elementary_history.query_history() OWNER TO {role}_owner", "definer-functions"),
]  # fmt: skip


@pytest.mark.parametrize(("wider", "undo", "check"), WIDER, ids=[wider[:40] for wider, _, _ in WIDER])
def test_a_role_that_can_read_more_fails(shop: Shop, wider: str, undo: str, check: str) -> None:
    shop.run(wider)
    try:
        assert check in shop.failed()
    finally:
        shop.run(undo)


def test_a_changed_body_of_the_function_fails(shop: Shop) -> None:
    kept = shop.run("SELECT pg_get_functiondef('elementary_history.query_history'::regproc)")[0][0]
    with shop.server.connect(database=shop.database) as connection:
        connection.execute(kept.replace("left(min(s.query)", "left(min(s.query || version())").encode())
        try:
            assert "definer-functions" in shop.failed()
        finally:
            connection.execute(kept.encode())
    assert "definer-functions" not in shop.failed()


def test_runs_between_two_reads_become_rows_without_literals(shop: Shop, rest: Rest) -> None:
    shop.run("SELECT pg_stat_statements_reset()")
    policy = HistoryPolicy(include_text=True)
    assert "first read" in " ".join(read(shop, rest, "one", policy=policy))
    for number in range(3):
        statement = f"{NODE} SELECT count(*) FROM shop.orders WHERE email = '{SECRET}{number}'"
        shop.server.execute(statement, database=shop.database)
    shop.run(f"/* {SECRET} */ CREATE ROLE someone_{shop.role} PASSWORD '{SECRET}'; DROP ROLE someone_{shop.role}")

    read(shop, rest, "two", policy=policy)

    rows = stored(rest).to_pylist()
    (row,) = [row for row in rows if row["dbt_node"]]
    assert (row["runs"], row["dbt_node"], row["tables"]) == (3, "model.shop.orders", '["SHOP.ORDERS"]')
    assert (row["statement_text"], row["rows"]) == ("select count ( * ) from shop . orders where email = ?", 3)
    assert SECRET not in str(rows)


def test_a_reset_of_the_real_counters_is_noticed(shop: Shop, rest: Rest) -> None:
    shop.run("SELECT id FROM shop.orders")
    read(shop, rest, "one")
    shop.run("SELECT pg_stat_statements_reset()")
    shop.run("SELECT id FROM shop.orders")

    notes = read(shop, rest, "two")

    assert "were reset" in " ".join(notes)
    assert {row["runs"] for row in stored(rest).to_pylist() if row["tables"] == '["SHOP.ORDERS"]'} == {1}
