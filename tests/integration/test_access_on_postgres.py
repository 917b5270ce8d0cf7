"""Runs the access check on a real PostgreSQL: each excess privilege fails its check."""

from __future__ import annotations

import adbc_driver_postgresql.dbapi
import pytest

from airflow_provider_elementary.access import AccessReport, check_access, drift
from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.exceptions import AccessDeniedError, ConfigurationError
from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
from tests.support.postgres_reader import VERIFIED, PsycopgSession, Warehouse

pytestmark = pytest.mark.postgres


#: An excess privilege, and every check that fails for it.
EXCESS = {
    "BYPASSRLS": ("ALTER ROLE {user} BYPASSRLS", {"administrative-rights"}),
    "CREATEDB": ("ALTER ROLE {user} CREATEDB", {"administrative-rights"}),
    "CREATEROLE": ("ALTER ROLE {user} CREATEROLE", {"administrative-rights"}),
    "REPLICATION": ("ALTER ROLE {user} REPLICATION", {"administrative-rights"}),
    "a right on a parameter": ("GRANT SET ON PARAMETER work_mem TO {user}", {"administrative-rights"}),
    "membership in a wider role": (
        "GRANT USAGE ON SCHEMA raw TO {wide}; GRANT SELECT ON raw.users TO {wide}; GRANT {wide} TO {user}",
        {"role-memberships", "reads-outside-schema", "canary-reads"},
    ),
    "membership in a wider role, NOINHERIT": (
        "GRANT USAGE ON SCHEMA raw TO {wide}; GRANT SELECT ON raw.users TO {wide}; GRANT {wide} TO {user};"
        "ALTER ROLE {user} NOINHERIT",
        {"role-memberships", "reads-outside-schema", "schema-readable"},
    ),
    "membership in a role that is CREATEDB, two steps away": (
        "ALTER ROLE {dbt} CREATEDB; GRANT {dbt} TO {wide}; GRANT {wide} TO {user}",
        {
            "role-memberships",
            "administrative-rights",
            "ownership",
            "writes-inside-schema",
            "creates-objects",
            "temporary-objects",
            "other-databases",
        },
    ),
    "pg_read_all_data": (
        "GRANT pg_read_all_data TO {user}",
        {"role-memberships", "reads-outside-schema", "canary-reads"},
    ),
    "pg_monitor": ("GRANT pg_monitor TO {user}", {"role-memberships", "reads-outside-schema", "server-functions"}),
    "pg_read_server_files": ("GRANT pg_read_server_files TO {user}", {"role-memberships", "server-functions"}),
    "ADMIN OPTION": ("GRANT {role} TO {user} WITH ADMIN OPTION", {"role-memberships"}),
    "CREATE on schema public through PUBLIC": ("GRANT CREATE ON SCHEMA public TO PUBLIC", {"creates-objects"}),
    "CREATE on the database": ("GRANT CREATE ON DATABASE {database} TO {user}", {"creates-objects"}),
    "CREATE on a tablespace": ("GRANT CREATE ON TABLESPACE pg_default TO {user}", {"creates-objects"}),
    "TEMPORARY on the database through PUBLIC": (
        "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
        {"temporary-objects"},
    ),
    "SELECT on one table outside": (
        "GRANT USAGE ON SCHEMA raw TO {user}; GRANT SELECT ON raw.users TO {user}",
        {"reads-outside-schema", "canary-reads"},
    ),
    "SELECT on one table outside, without USAGE yet": ("GRANT SELECT ON raw.users TO {user}", {"reads-outside-schema"}),
    "SELECT on one column outside": (
        "GRANT USAGE ON SCHEMA raw TO {user}; GRANT SELECT (email) ON raw.users TO {user}",
        {"reads-outside-schema", "canary-reads"},
    ),
    "SELECT on one table outside through PUBLIC": (
        "GRANT USAGE ON SCHEMA raw TO PUBLIC; GRANT SELECT ON raw.users TO PUBLIC",
        {"reads-outside-schema", "canary-reads"},
    ),
    "SELECT on the passwords": (
        "GRANT SELECT ON pg_catalog.pg_authid TO {user}",
        {"reads-outside-schema", "canary-reads"},
    ),
    "a large object": (
        "SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO {user}",
        {"reads-outside-schema"},
    ),
    "INSERT inside": ("GRANT INSERT ON elementary.dbt_models TO {role}", {"role-memberships", "writes-inside-schema"}),
    "UPDATE inside": ("GRANT UPDATE ON elementary.dbt_models TO {user}", {"writes-inside-schema"}),
    "UPDATE of one column inside": (
        "GRANT UPDATE (unique_id) ON elementary.dbt_models TO {user}",
        {"writes-inside-schema"},
    ),
    "DELETE inside": ("GRANT DELETE ON elementary.dbt_models TO {user}", {"writes-inside-schema"}),
    "TRUNCATE inside": ("GRANT TRUNCATE ON elementary.dbt_models TO {user}", {"writes-inside-schema"}),
    "INSERT outside": ("GRANT INSERT ON raw.users TO {user}", {"writes-outside-schema"}),
    "nextval of a sequence": (
        "CREATE SEQUENCE raw.numbers; GRANT USAGE ON SEQUENCE raw.numbers TO {user}",
        {"writes-outside-schema"},
    ),
    "ownership of a function": (
        "CREATE FUNCTION closed.one() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "ALTER FUNCTION closed.one() OWNER TO {user}",
        {"ownership"},
    ),
    "a SECURITY DEFINER function": (
        "CREATE FUNCTION public.leak() RETURNS SETOF raw.users LANGUAGE sql SECURITY DEFINER"
        " AS 'SELECT * FROM raw.users'",
        {"definer-functions"},
    ),
    "dblink": ("CREATE EXTENSION dblink", {"foreign-servers"}),
    "a foreign server": (
        "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;"
        "GRANT USAGE ON FOREIGN SERVER elsewhere TO {user}",
        {"foreign-servers"},
    ),
    "a user mapping": (
        "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;"
        "CREATE USER MAPPING FOR PUBLIC SERVER elsewhere",
        {"foreign-servers"},
    ),
    "default privileges on another schema": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA raw GRANT SELECT ON TABLES TO {user}",
        {"future-grants"},
    ),
    "default privileges on every schema": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} GRANT SELECT ON TABLES TO {user}",
        {"future-grants"},
    ),
    "default privileges on every schema through PUBLIC": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} GRANT SELECT ON TABLES TO PUBLIC",
        {"future-grants"},
    ),
    "default privileges to write inside": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA elementary GRANT INSERT ON TABLES TO {user}",
        {"future-grants"},
    ),
    "a view that reaches outside": (
        "CREATE VIEW elementary.leak AS SELECT * FROM raw.users",
        {"objects-reaching-outside"},
    ),
    "a view over a view that reaches outside": (
        "CREATE VIEW raw.hidden AS SELECT * FROM raw.users; CREATE VIEW elementary.leak AS SELECT * FROM raw.hidden",
        {"objects-reaching-outside"},
    ),
    "a view of passwords": (
        "CREATE VIEW elementary.leak AS SELECT * FROM pg_catalog.pg_authid",
        {"objects-reaching-outside"},
    ),
    "a materialized view of data outside": (
        "CREATE MATERIALIZED VIEW elementary.leak AS SELECT * FROM raw.users",
        {"objects-reaching-outside"},
    ),
    "a view that calls a SECURITY DEFINER function of a closed schema": (
        "CREATE FUNCTION closed.leak() RETURNS SETOF raw.users LANGUAGE sql SECURITY DEFINER"
        " AS 'SELECT * FROM raw.users'; CREATE VIEW elementary.leak AS SELECT * FROM closed.leak()",
        {"objects-reaching-outside"},
    ),
    "a table that inherits rows from outside": (
        "CREATE TABLE elementary.leak (id int, email text); ALTER TABLE raw.users INHERIT elementary.leak",
        {"objects-reaching-outside"},
    ),
    "CONNECT to another database": ("GRANT CONNECT ON DATABASE {other_database} TO PUBLIC", {"other-databases"}),
    "EXECUTE on pg_read_file": ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {user}", {"server-functions"}),
    "EXECUTE on lo_import through PUBLIC": (
        "GRANT EXECUTE ON FUNCTION lo_import(text) TO PUBLIC",
        {"server-functions"},
    ),
    "an untrusted language": (
        "CREATE LANGUAGE plpgsqlu HANDLER plpgsql_call_handler;"
        "CREATE FUNCTION public.run() RETURNS int LANGUAGE plpgsqlu AS 'BEGIN RETURN 1; END'",
        {"untrusted-languages"},
    ),
    "a C function of no extension": (
        "CREATE FUNCTION public.autoinc() RETURNS trigger LANGUAGE c AS '$libdir/autoinc'",
        {"untrusted-languages"},
    ),
}

#: What looks like an excess privilege and is none.
HARMLESS = {
    "a security_invoker view": "CREATE VIEW elementary.honest WITH (security_invoker) AS SELECT * FROM raw.users",
    "a view of the public catalogue": (
        "CREATE VIEW elementary.tables AS SELECT table_name FROM information_schema.tables, pg_catalog.pg_class"
    ),
    "a SECURITY DEFINER function in a closed schema": (
        "CREATE FUNCTION closed.leak() RETURNS SETOF raw.users LANGUAGE sql SECURITY DEFINER"
        " AS 'SELECT * FROM raw.users'"
    ),
    "an extension with C functions": "CREATE EXTENSION pg_trgm",
    "default privileges of another role": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} REVOKE EXECUTE ON FUNCTIONS FROM {wide};"
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA raw GRANT SELECT ON TABLES TO {wide}"
    ),
    "membership in a role without rights": "GRANT {wide} TO {user}",
}


class TestCheckAccess:
    @pytest.mark.parametrize(("sql", "expected"), EXCESS.values(), ids=EXCESS)
    def test_an_excess_privilege_fails_its_check_and_no_other(
        self, warehouse: Warehouse, sql: str, expected: set[str]
    ) -> None:
        warehouse.run(sql)

        report = warehouse.check()

        assert {finding.name for finding in report.failed} == expected
        assert report.unknown == ()
        assert all(finding.remediation and finding.excess for finding in report.failed)

    @pytest.mark.parametrize("sql", HARMLESS.values(), ids=HARMLESS)
    def test_what_only_looks_like_an_excess_privilege_passes(self, warehouse: Warehouse, sql: str) -> None:
        warehouse.run(sql)

        assert warehouse.failed() == set()

    @pytest.mark.parametrize(
        ("sql", "finding"),
        [
            ("REVOKE SELECT ON raw.users FROM {user};", "reads-outside-schema"),
            ("REVOKE SELECT (email) ON raw.users FROM {user};", "reads-outside-schema"),
            ("REVOKE CREATE ON SCHEMA public FROM {user};", "creates-objects"),
            ("REVOKE EXECUTE ON ROUTINE pg_read_file(text) FROM {user};", "server-functions"),
            ("REVOKE CONNECT ON DATABASE {other_database} FROM {user};", "other-databases"),
        ],
    )
    def test_the_remediation_is_the_statement_that_revokes(self, warehouse: Warehouse, sql: str, finding: str) -> None:
        warehouse.run(sql.replace("REVOKE", "GRANT").replace("FROM", "TO"))

        remediation = warehouse.check().finding(finding).remediation
        warehouse.run(remediation)

        assert remediation == sql.format(**vars(warehouse))
        assert warehouse.failed() == set()

    def test_a_superuser_fails_and_a_dedicated_role_is_recommended(self, warehouse: Warehouse) -> None:
        warehouse.run("ALTER ROLE {user} SUPERUSER")

        report = warehouse.check()

        assert {finding.name for finding in report.failed} >= {
            "administrative-rights",
            "reads-outside-schema",
            "writes-inside-schema",
            "writes-outside-schema",
            "creates-objects",
            "temporary-objects",
            "server-functions",
            "other-databases",
            "canary-reads",
        }
        assert "was made for this sync" in report.finding("reads-outside-schema").remediation

    def test_a_superuser_who_only_set_the_readers_role_fails(self, warehouse: Warehouse) -> None:
        with warehouse.server.connect(database=warehouse.database) as connection:
            connection.execute(f"SET ROLE {warehouse.user}".encode())
            report = check_access(PsycopgSession(connection))

        assert report.user == f"postgres as {warehouse.user}"
        assert "administrative-rights" in {finding.name for finding in report.failed}

    def test_a_right_inside_another_database_is_seen_from_here(self, warehouse: Warehouse) -> None:
        warehouse.run(
            "CREATE TABLE public.elsewhere (id int); GRANT SELECT ON public.elsewhere TO {user}",
            database=warehouse.other_database,
        )

        assert warehouse.failed() == {"other-databases"}

    def test_ownership_in_another_database_is_seen_from_here(self, warehouse: Warehouse) -> None:
        warehouse.run(
            "CREATE TABLE public.mine (id int); ALTER TABLE public.mine OWNER TO {user}",
            database=warehouse.other_database,
        )

        assert warehouse.check().finding("ownership").excess == (
            f"an object in database {warehouse.other_database} is owned by {warehouse.user}",
        )

    def test_a_table_of_the_schema_that_cannot_be_read_fails(self, warehouse: Warehouse) -> None:
        warehouse.run("REVOKE SELECT ON elementary.dbt_models FROM {role}")

        assert warehouse.failed() == {"schema-readable"}

    def test_a_schema_that_does_not_exist_fails(self, warehouse: Warehouse) -> None:
        warehouse.run("ALTER SCHEMA elementary RENAME TO renamed")

        assert "schema-readable" in warehouse.failed()

    def test_tables_without_lasting_privileges_are_pointed_out(self, warehouse: Warehouse) -> None:
        warehouse.run(
            "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA elementary REVOKE SELECT ON TABLES FROM {role}"
        )

        finding = warehouse.check().finding("schema-readable")

        assert finding.status == "pass"
        assert f"a table that {warehouse.dbt} rebuilds cannot be read" in finding.evidence

    def test_the_check_reads_no_row_even_where_a_canary_is_open(self, warehouse: Warehouse) -> None:
        warehouse.run("GRANT USAGE ON SCHEMA raw TO {user}; GRANT SELECT ON raw.users TO {user}")

        report = warehouse.check()

        assert report.finding("canary-reads").excess == ("raw.users was read",)
        assert "someone@example.com" not in str(report.to_dict())

    def test_an_error_names_each_excess_privilege_and_its_remediation(self, warehouse: Warehouse) -> None:
        warehouse.run("GRANT SELECT ON raw.users TO {user}")

        with pytest.raises(AccessDeniedError, match=r"reads-outside-schema \(fail\): raw.users: SELECT") as refusal:
            warehouse.check().require()

        assert f"REVOKE SELECT ON raw.users FROM {warehouse.user};" in str(refusal.value)


class TestLink:
    def test_a_link_without_tls_fails(self, warehouse: Warehouse) -> None:
        warehouse.run(
            "GRANT may_connect_without_tls TO {user};"
            "REVOKE TEMPORARY ON DATABASE {database} FROM may_connect_without_tls;"
            "REVOKE CONNECT ON DATABASE {other_database} FROM may_connect_without_tls"
        )
        facts = TransportFacts(False, None, False, "sslmode=disable")

        with warehouse.server.connect(
            warehouse.user, warehouse.password, warehouse.database, sslmode="disable"
        ) as connection:
            report = check_access(PsycopgSession(connection, facts))

        assert {finding.name for finding in report.failed} == {"link-encrypted", "tls-version", "certificate-verified"}

    def test_a_certificate_that_nobody_verified_fails(self, warehouse: Warehouse) -> None:
        facts = TransportFacts(True, None, False, "sslmode=require")

        with warehouse.server.connect(warehouse.user, warehouse.password, warehouse.database) as connection:
            report = check_access(PsycopgSession(connection, facts))

        assert [finding.evidence for finding in report.failed] == ["sslmode=require"]

    def test_what_no_driver_reports_is_unknown(self, warehouse: Warehouse) -> None:
        with warehouse.server.connect(warehouse.user, warehouse.password, warehouse.database) as connection:
            report = check_access(PsycopgSession(connection, None))

        assert [finding.name for finding in report.unknown] == ["certificate-verified"]
        report.require(accept_unknown=["certificate-verified"])

    def test_an_address_that_is_allowed_passes(self, warehouse: Warehouse) -> None:
        finding = warehouse.check(allowed_addresses=["10.0.0.0/8", "127.0.0.1"]).finding("client-address")

        assert (finding.status, finding.evidence) == ("pass", "the warehouse sees 127.0.0.1, which is allowed")

    def test_an_address_that_is_not_allowed_fails(self, warehouse: Warehouse) -> None:
        assert warehouse.failed(allowed_addresses=["10.0.0.0/8"]) == {"client-address"}


class TestProbes:
    def test_a_probe_that_is_denied_passes(self, warehouse: Warehouse) -> None:
        finding = warehouse.check(probes=["closed.secrets"]).finding("canary-reads")

        assert (finding.status, finding.evidence) == (
            "pass",
            "denied: closed.secrets, raw.users, pg_catalog.pg_authid",
        )

    @pytest.mark.parametrize("name", ['"Big ""Table"""', '"user"', "Folded"])
    def test_a_probe_is_spelled_as_in_sql(self, warehouse: Warehouse, name: str) -> None:
        warehouse.run(f"CREATE TABLE closed.{name} (id int)")

        finding = warehouse.check(probes=[f"closed.{name}"]).finding("canary-reads")

        assert finding.status == "pass"

    def test_a_probe_that_can_be_read_fails(self, warehouse: Warehouse) -> None:
        warehouse.run("GRANT USAGE ON SCHEMA closed TO {user}; GRANT SELECT ON closed.secrets TO {user}")

        assert "canary-reads" in warehouse.failed(probes=["closed.secrets"])

    def test_a_probe_that_does_not_exist_proves_nothing(self, warehouse: Warehouse) -> None:
        report = warehouse.check(probes=["raw.no_such_table", "elsewhere.raw.users"])

        assert [finding.name for finding in report.unknown] == ["canary-reads"]
        assert "raw.no_such_table, elsewhere.raw.users" in report.finding("canary-reads").evidence

    def test_a_database_with_nothing_outside_the_schema_says_so(self, warehouse: Warehouse) -> None:
        warehouse.run("DROP SCHEMA raw, closed CASCADE")

        finding = warehouse.check().finding("canary-reads")

        assert (finding.status, finding.evidence) == ("pass", "denied: pg_catalog.pg_authid")

    @pytest.mark.parametrize("probe", ["users", "elementary.dbt_models", "raw.users; DROP TABLE raw.users", ""])
    def test_a_probe_that_names_nothing_outside_is_refused(self, warehouse: Warehouse, probe: str) -> None:
        with pytest.raises(ConfigurationError, match="Probe "):
            warehouse.check(probes=[probe])


def test_the_session_that_the_sync_reads_through_passes(warehouse: Warehouse) -> None:
    uri = warehouse.server.uri(warehouse.user, warehouse.password, warehouse.database)
    session = PostgresWarehouse(adbc_driver_postgresql.dbapi.connect(uri), "elementary", warehouse.database, VERIFIED)

    report = check_access(session, probes=["closed.secrets", "raw.no_such_table"])
    session.close()

    assert report.failed == ()
    assert [finding.name for finding in report.unknown] == ["canary-reads"]
    assert report.finding("canary-reads").evidence.endswith("proves nothing: raw.no_such_table")


class TestDrift:
    def test_what_appeared_and_what_is_gone_is_listed(self, warehouse: Warehouse) -> None:
        warehouse.run("GRANT CREATE ON SCHEMA public TO {user}")
        before = warehouse.check()
        warehouse.run("REVOKE CREATE ON SCHEMA public FROM {user}; GRANT SELECT ON raw.users TO {user}")

        change = drift(AccessReport.from_dict(before.to_dict()), warehouse.check())

        assert change.appeared == (
            "reads-outside-schema: fail",
            f"reads-outside-schema: raw.users: SELECT through {warehouse.user}",
        )
        assert change.gone == (
            "creates-objects: fail",
            f"creates-objects: SCHEMA public through {warehouse.user}",
        )
