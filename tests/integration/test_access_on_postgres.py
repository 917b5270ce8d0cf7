"""Runs the access check on a real PostgreSQL: each excess privilege fails its check."""

from __future__ import annotations

import adbc_driver_postgresql.dbapi
import pytest

from airflow_provider_elementary.access import AccessReport, check_access, drift
from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.exceptions import AccessDeniedError, ConfigurationError
from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
from tests.support.postgres_excess import EXCESS, HARMLESS
from tests.support.postgres_reader import VERIFIED, PsycopgSession, Warehouse

pytestmark = pytest.mark.postgres


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
