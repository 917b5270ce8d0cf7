"""What the pages on security and grants say is what happens: the statements make a reader that passes, no role less."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.access import AccessReport
from airflow_provider_elementary.access.check.report import CHECKS, ONLY_ON
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from tests.support.connections import postgres_reader, snowflake_reader
from tests.support.datasets import write_postgres, write_snowflake
from tests.support.little_project import small_world

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

DOCS = Path(__file__).parents[2] / "docs"
Connect = Callable[[str, Mapping[str, object]], str]

NOT_APPLICABLE = {
    "postgres": {"client-address"},
    "snowflake": {"server-functions", "untrusted-languages", "client-address"},
}

LOOSE_ON_POSTGRES = """
CREATE SCHEMA raw;
CREATE TABLE raw.users (id int, email text);
CREATE ROLE {analysts};
GRANT USAGE ON SCHEMA raw TO {analysts};
GRANT SELECT ON ALL TABLES IN SCHEMA raw TO {analysts};
ALTER DEFAULT PRIVILEGES IN SCHEMA raw GRANT SELECT ON TABLES TO {analysts};
GRANT {analysts} TO {role};
ALTER ROLE {role} CREATEDB;
GRANT INSERT ON elementary.dbt_models TO {role};
GRANT TEMPORARY ON DATABASE {database} TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;
CREATE FUNCTION public.leak() RETURNS SETOF raw.users LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM raw.users';
CREATE VIEW elementary.leak AS SELECT * FROM raw.users;
"""
LOOSE_ON_SNOWFLAKE = """
GRANT OPERATE ON WAREHOUSE WH TO ROLE {role};
GRANT INSERT ON TABLE {database}.ELEMENTARY.DBT_MODELS TO ROLE {role};
GRANT USAGE ON SCHEMA {database}.RAW TO ROLE {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {database}.RAW TO ROLE {role};
CREATE ROLE {second};
GRANT CREATE TABLE ON SCHEMA {database}.RAW TO ROLE {second};
GRANT SELECT ON FUTURE TABLES IN SCHEMA {database}.RAW TO ROLE {second};
GRANT ROLE {second} TO ROLE {role};
GRANT ROLE {second} TO USER {user}
"""


def shown_statements(dialect: str) -> list[str]:
    """Return the statements that the page on grants shows, without comments."""
    page = (DOCS / "grants.md").read_text()
    shown = re.search(rf"airflow-elementary grants {dialect}\b.*?```text\n(.*?)\n```", page, re.DOTALL)
    assert shown is not None
    return [re.sub(r"^--.*\n", "", statement, flags=re.MULTILINE) for statement in shown[1].split("\n\n")]


def shown_findings() -> dict[str, list[str]]:
    """Return the table of the page on security: the statuses in the order of its columns, by check."""
    rows = re.findall(r"^\| `([\w-]+)` \|(.*)\|$", (DOCS / "security.md").read_text(), re.MULTILINE)
    return {name: [status.strip().strip("*") for status in statuses.split("|")] for name, statuses in rows}


def statuses(report: AccessReport) -> dict[str, str]:
    return {finding.name: finding.status for finding in report.findings}


def tight(dialect: str) -> dict[str, str]:
    """Return the status of every check for a tight role, from any address."""
    elsewhere = {name for name, (warehouses, _) in ONLY_ON.items() if dialect not in warehouses}
    return {name: "not applicable" if name in NOT_APPLICABLE[dialect] | elsewhere else "pass" for name in CHECKS}


def loose(dialect: str, warehouse: int) -> dict[str, str]:
    """Return the status of every check for a loose role: the table shows those that do not pass."""
    return tight(dialect) | {name: row[warehouse] for name, row in shown_findings().items()}


def test_the_table_of_findings_shows_checks_that_do_not_pass_in_their_order() -> None:
    shown = shown_findings()

    assert list(shown) == [name for name in CHECKS if name in shown]
    assert all(set(row) & {"fail", "unknown"} for row in shown.values())


class TestPostgres:
    @pytest.fixture
    def dwh(self, postgres_server: PostgresServer) -> Iterator[PostgresServer]:
        postgres_server.create_database("dwh")
        postgres_server.execute("CREATE ROLE dbt")
        write_postgres(small_world(days=2), postgres_server, "dwh")
        yield postgres_server
        postgres_server.drop_database("dwh")
        for role in ("elementary_sync", "elementary_reader", "dbt"):
            postgres_server.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")

    def test_the_statements_of_the_page_make_a_reader_that_passes(
        self, dwh: PostgresServer, airflow_connection: Connect
    ) -> None:
        for statement in shown_statements("postgres"):
            dwh.execute(statement, database="dwh")
        dwh.execute("ALTER ROLE elementary_sync PASSWORD 'by hand'")

        connection = dwh.airflow_connection("elementary_sync", "by hand", "dwh")
        report = ElementaryHook(airflow_connection("reader", connection)).check_access()

        assert statuses(report) == tight("postgres")

    @pytest.fixture
    def loose_role(self, postgres_server: PostgresServer, postgres_database: str) -> Iterator[dict[str, Any]]:
        write_postgres(small_world(days=2), postgres_server, postgres_database)
        reader = postgres_reader(postgres_server, postgres_database)
        analysts = f"analysts_{uuid.uuid4().hex[:8]}"
        sql = LOOSE_ON_POSTGRES.format(role=reader["login"], database=postgres_database, analysts=analysts)
        postgres_server.execute(sql, database=postgres_database)
        yield {**reader, "extra": {"sslmode": "require"}}
        postgres_server.drop_role(analysts, database=postgres_database)

    def test_a_loose_role_fails_as_the_page_says(self, loose_role: dict[str, Any], airflow_connection: Connect) -> None:
        report = ElementaryHook(airflow_connection("loose", loose_role)).check_access()

        assert statuses(report) == loose("postgres", 0)


class TestSnowflake:
    @pytest.fixture
    def dwh(self, snowflake_server: SnowflakeServer) -> Iterator[SnowflakeServer]:
        write_snowflake(small_world(days=2), snowflake_server, "DWH")
        yield snowflake_server
        snowflake_server.drop_database("DWH")

    def test_the_statements_of_the_page_make_a_reader_that_passes(
        self, dwh: SnowflakeServer, airflow_connection: Connect
    ) -> None:
        for statement in shown_statements("snowflake"):
            dwh.execute(statement.removesuffix(";"))
        # In the place of a key, which the look-alike would take unseen.
        dwh.account.users["ELEMENTARY_SYNC"].password = "by hand"

        connection = dwh.airflow_connection("ELEMENTARY_SYNC", "by hand", database="DWH", role="ELEMENTARY_READER")
        report = ElementaryHook(airflow_connection("reader", connection)).check_access()

        assert statuses(report) == tight("snowflake")

    def test_a_loose_role_fails_as_the_page_says(
        self, snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect
    ) -> None:
        write_snowflake(small_world(days=2), snowflake_server, snowflake_database)
        reader = snowflake_reader(snowflake_server, snowflake_database)
        snowflake_server.create_schema(snowflake_database, "RAW")
        snowflake_server.execute(f'CREATE TABLE "{snowflake_database}"."RAW"."USERS" (EMAIL VARCHAR)')
        names = {
            "role": reader["extra"]["role"],
            "user": reader["login"],
            "second": f"SECOND_{snowflake_database}",
            "database": snowflake_database,
        }
        for statement in LOOSE_ON_SNOWFLAKE.format(**names).split(";"):
            snowflake_server.execute(statement.strip())

        report = ElementaryHook(airflow_connection("loose", reader)).check_access()

        assert statuses(report) == loose("snowflake", 1)

    @pytest.mark.parametrize(
        "grant",
        [
            "SELECT ON TABLE {database}.ELEMENTARY.DBT_MODELS",
            "USAGE ON SCHEMA {database}.ELEMENTARY",
            "USAGE ON DATABASE {database}",
            "USAGE ON WAREHOUSE WH",
        ],
    )
    def test_a_right_that_may_be_granted_on_fails_until_it_is_remedied(
        self, snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect, grant: str
    ) -> None:
        write_snowflake(small_world(days=2), snowflake_server, snowflake_database)
        reader = snowflake_reader(snowflake_server, snowflake_database)
        right = grant.format(database=snowflake_database)
        snowflake_server.execute(f"GRANT {right} TO ROLE {reader['extra']['role']} WITH GRANT OPTION")
        hook = ElementaryHook(airflow_connection("grantable", reader))

        finding = hook.check_access().finding("other-privileges")

        assert finding.status == "fail"
        assert right.replace(" ON ", " on ") in finding.evidence
        snowflake_server.execute((finding.remediation or "").removesuffix(";"))
        assert hook.check_access().finding("other-privileges").status == "pass"
