"""Runs the grants on a real PostgreSQL: the reader passes the access check and can do nothing else."""

from __future__ import annotations

import psycopg
import pytest

from airflow_provider_elementary.access import drift, grants
from tests.support.postgres_reader import Warehouse

pytestmark = pytest.mark.postgres


def test_the_reader_passes_every_check(warehouse: Warehouse) -> None:
    report = warehouse.check()

    assert [
        (finding.name, finding.evidence)
        for finding in report.findings
        if finding.status not in ("pass", "not applicable")
    ] == []
    report.require()


def test_running_them_twice_changes_nothing(warehouse: Warehouse) -> None:
    before = warehouse.check()

    warehouse.grant()

    assert not drift(before, warehouse.check())


def test_a_table_that_dbt_rebuilds_stays_readable(warehouse: Warehouse) -> None:
    warehouse.run(
        "SET ROLE {dbt}; DROP TABLE elementary.dbt_models CASCADE;"
        "CREATE TABLE elementary.dbt_models AS SELECT 'model.two' AS unique_id"
    )

    assert warehouse.read("SELECT unique_id FROM elementary.dbt_models") == [("model.two",)]


def test_a_table_that_dbt_rebuilds_stays_readable_where_no_dbt_role_was_named(warehouse: Warehouse) -> None:
    warehouse.run("ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA elementary REVOKE SELECT ON TABLES FROM {role}")

    for statement in grants("postgres", role=warehouse.role, user=warehouse.user, schema="elementary"):
        warehouse.server.execute(statement, database=warehouse.database)
    warehouse.run("SET ROLE {dbt}; CREATE TABLE elementary.dbt_tests AS SELECT 'test.one' AS unique_id")

    assert warehouse.read("SELECT unique_id FROM elementary.dbt_tests") == [("test.one",)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO elementary.dbt_models VALUES ('forged')",
        "UPDATE elementary.dbt_models SET unique_id = 'forged'",
        "DELETE FROM elementary.dbt_models",
        "TRUNCATE elementary.dbt_models",
        "DROP TABLE elementary.dbt_models",
        "CREATE TABLE elementary.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "SELECT * FROM raw.users",
        "SELECT * FROM closed.secrets",
        "SELECT * FROM pg_catalog.pg_authid",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY elementary.dbt_models TO PROGRAM 'cat'",
        "CREATE ROLE mine",
    ],
)
def test_all_else_is_denied(warehouse: Warehouse, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        warehouse.read(statement)


def test_another_database_is_closed(warehouse: Warehouse) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        warehouse.read("SELECT 1", database=warehouse.other_database)


def test_who_had_a_right_through_public_keeps_it(warehouse: Warehouse) -> None:
    rights = warehouse.server.execute(
        "SELECT has_database_privilege(%s, %s, 'TEMPORARY'), has_database_privilege(%s, %s, 'CONNECT')",
        [warehouse.dbt, warehouse.database, warehouse.dbt, warehouse.other_database],
    )

    assert rights == [(True, True)]


def test_names_with_sql_inside_are_only_names(warehouse: Warehouse) -> None:
    nasty = """x"; DROP SCHEMA raw CASCADE; --'$elementary$ %I {0}"""
    statements = grants("postgres", role=f"r{nasty}", user=f"u{nasty}", schema="elementary", dbt_role=warehouse.dbt)

    for statement in statements * 2:
        warehouse.server.execute(statement, database=warehouse.database)

    found = warehouse.server.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", ['_x";%'])
    assert found == [(f"r{nasty}",), (f"u{nasty}",)]
    for (name,) in found:
        warehouse.server.drop_role(name, database=warehouse.database)


def test_what_the_default_leaves_open_is_listed_and_fails_the_check(warehouse: Warehouse) -> None:
    warehouse.run("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC")

    warehouse.grant(harden=False)

    report = warehouse.check()
    assert [finding.name for finding in report.failed] == ["temporary-objects"]
    report.accept({"temporary-objects": "agreed"}).require()
    statement = grants("postgres", role=warehouse.role, user=warehouse.user, schema="elementary")[-1]
    with warehouse.server.connect(database=warehouse.database) as connection:
        listed = connection.execute(statement.encode()).fetchall()
    assert (f"DATABASE {warehouse.database}", "TEMPORARY") in listed


def test_the_undo_that_harden_prints_restores_every_right(warehouse: Warehouse) -> None:
    state = (
        "SELECT d.datname::text, a.grantee::int, a.privilege_type FROM pg_catalog.pg_database d, "
        "aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a ORDER BY 1, 2, 3"
    )
    warehouse.run("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC; GRANT TEMPORARY ON DATABASE {database} TO {dbt}")
    # The owner of this one holds CONNECT and its right to create by default, which no ACL says.
    warehouse.run("ALTER DATABASE {other_database} OWNER TO {dbt}")
    warehouse.server.execute(
        "UPDATE pg_catalog.pg_database SET datacl = NULL WHERE datname = %s", [warehouse.other_database]
    )
    before = warehouse.server.execute(state)
    undo: list[str] = []

    with warehouse.server.connect(database=warehouse.database) as connection:
        connection.add_notice_handler(lambda notice: undo.append(notice.message_primary or ""))
        for statement in grants("postgres", role=warehouse.role, user=warehouse.user, schema="elementary", harden=True):
            connection.execute(statement.encode())
        hardened = warehouse.server.execute(state)
        for line in undo:
            if line.startswith("undo: "):
                connection.execute(line.removeprefix("undo: ").encode())

    assert hardened != before
    assert warehouse.server.execute(state) == before
    warehouse.server.execute(f"ALTER DATABASE {warehouse.other_database} OWNER TO {warehouse.server.superuser}")


def test_a_login_named_like_a_managed_service_keeps_its_rights(warehouse: Warehouse) -> None:
    login = f"azure_{warehouse.dbt}"
    warehouse.run(f"CREATE ROLE {login} LOGIN; GRANT TEMPORARY ON DATABASE {{database}} TO PUBLIC")

    warehouse.grant()

    try:
        assert warehouse.server.execute(
            "SELECT has_database_privilege(%s, %s, 'TEMPORARY')", [login, warehouse.database]
        ) == [(True,)]
    finally:
        warehouse.server.drop_role(login, database=warehouse.database)
