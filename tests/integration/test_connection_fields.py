"""Each field of the form of an ``elementary`` connection reaches the driver, and a field left empty does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Connection
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_elementary.exceptions import ConfigurationError, WarehouseError
from airflow_provider_elementary.get_provider_info import CONNECTION_FIELDS, extra_fields
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from tests.support.connections import postgres_reader
from tests.support.datasets import write_postgres
from tests.support.little_project import small_world

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]
Arguments = dict[str, Any]

#: What Airflow's form keeps of fields left empty.
EMPTY: dict[str, Any] = {**dict.fromkeys(CONNECTION_FIELDS), "sslrootcert": "", "allowed_addresses": ""}


class DriverCalledError(Exception):
    """Raised in the place of logging in."""


def form(kind: str, standard: Mapping[str, Any], **extra: Any) -> dict[str, Any]:
    """Return the connection that the form of one warehouse saves."""
    warehouse = WAREHOUSES[kind]
    empty = {**dict.fromkeys(extra_fields(warehouse.form)), "allowed_addresses": ""}
    assert extra.keys() <= empty.keys()
    return {"conn_type": warehouse.connection_type, **standard, "extra": {**empty, **extra}}


def generic_form(kind: str, standard: Mapping[str, Any], **extra: Any) -> dict[str, Any]:
    """Return the connection that the form of any warehouse saves."""
    return {"conn_type": "elementary", **standard, "extra": {**EMPTY, "warehouse_kind": kind, **extra}}


@pytest.fixture
def driver_arguments(monkeypatch: pytest.MonkeyPatch, airflow_connection: Connect) -> Callable[..., Arguments]:
    """Open a connection up to the call of the driver, and return what the driver was called with."""

    def call(connect: str, connection: Mapping[str, object]) -> Arguments:
        called: Arguments = {}

        def record(*positional: Any, **named: Any) -> None:
            called.update(named, positional=positional)
            raise DriverCalledError

        monkeypatch.setattr(connect, record)
        with pytest.raises(WarehouseError, match="DriverCalledError"):
            ElementaryHook(airflow_connection("form", connection)).source()
        return called

    return call


class TestPostgres:
    @pytest.fixture
    def reader(self, postgres_server: PostgresServer, postgres_database: str) -> dict[str, Any]:
        write_postgres(small_world(days=2), postgres_server, postgres_database)
        connection = postgres_reader(postgres_server, postgres_database)
        return {name: connection[name] for name in ("host", "port", "login", "password")}

    def test_a_form_with_nothing_but_the_database_and_the_authority_verifies_the_server(
        self,
        reader: dict[str, Any],
        postgres_server: PostgresServer,
        postgres_database: str,
        airflow_connection: Connect,
    ) -> None:
        connection = form(
            "postgres", reader, elementary_database=postgres_database, sslrootcert=str(postgres_server.ca)
        )

        report = ElementaryHook(airflow_connection("form", connection)).check_access()

        assert report.finding("certificate-verified").evidence == "sslmode=verify-full"
        assert (report.failed, report.unknown) == ((), ())

    def test_the_authority_of_the_form_is_used(
        self, reader: dict[str, Any], postgres_database: str, airflow_connection: Connect
    ) -> None:
        connection = form("postgres", reader, elementary_database=postgres_database)

        with pytest.raises(WarehouseError, match="signed by an authority that the connection does not trust"):
            ElementaryHook(airflow_connection("form", connection)).source()

    def test_a_weaker_mode_of_the_form_is_used_and_fails_the_check(
        self, reader: dict[str, Any], postgres_database: str, airflow_connection: Connect
    ) -> None:
        connection = form("postgres", reader, elementary_database=postgres_database, sslmode="require")

        report = ElementaryHook(airflow_connection("form", connection)).check_access()

        assert [finding.name for finding in report.failed] == ["certificate-verified"]

    def test_the_schema_and_the_addresses_of_the_form_are_used(
        self,
        reader: dict[str, Any],
        postgres_server: PostgresServer,
        postgres_database: str,
        airflow_connection: Connect,
    ) -> None:
        postgres_server.execute("ALTER SCHEMA elementary RENAME TO observed", database=postgres_database)
        connection = form(
            "postgres",
            reader,
            elementary_database=postgres_database,
            elementary_schema="observed",
            sslrootcert=str(postgres_server.ca),
            allowed_addresses="10.0.0.0/8, 192.0.2.1",
        )

        report = ElementaryHook(airflow_connection("form", connection)).check_access()

        assert report.schema == "observed"
        assert [finding.name for finding in report.failed] == ["client-address"]


class TestSnowflake:
    STANDARD: Mapping[str, Any] = {"login": "ELEMENTARY_AIRFLOW", "password": "passphrase"}
    CONNECT = "snowflake.connector.connect"

    def test_account_role_warehouse_database_and_schema_reach_the_connector(
        self, driver_arguments: Callable[..., Arguments]
    ) -> None:
        connection = form(
            "snowflake",
            {**self.STANDARD, "host": "privatelink.example.com", "port": 8443},
            account="myorg-myaccount",
            role="ELEMENTARY_READER",
            warehouse="WH",
            elementary_database="DBT",
            elementary_schema="OBSERVED",
        )

        arguments = driver_arguments(self.CONNECT, connection)

        assert {name: arguments[name] for name in ("user", "account", "role", "warehouse", "database", "schema")} == {
            "user": "ELEMENTARY_AIRFLOW",
            "account": "myorg-myaccount",
            "role": "ELEMENTARY_READER",
            "warehouse": "WH",
            "database": "DBT",
            "schema": "OBSERVED",
        }
        assert (arguments["host"], arguments["port"]) == ("privatelink.example.com", 8443)
        assert arguments["authenticator"] == "snowflake"

    @pytest.mark.parametrize("field", ["private_key_content", "private_key_file"])
    def test_the_private_key_is_opened_with_the_password_as_its_passphrase(
        self, field: str, tmp_path: Path, driver_arguments: Callable[..., Arguments]
    ) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        ).decode()
        (tmp_path / "key.p8").write_text(pem)
        value = pem if field == "private_key_content" else str(tmp_path / "key.p8")

        arguments = driver_arguments(self.CONNECT, form("snowflake", self.STANDARD, account="a", **{field: value}))

        assert arguments["private_key"] == key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        assert "password" not in arguments

    def test_a_programmatic_access_token_is_passed_however_the_authenticator_is_spelled(
        self, driver_arguments: Callable[..., Arguments]
    ) -> None:
        connection = form("snowflake", self.STANDARD, account="a", authenticator="PROGRAMMATIC_ACCESS_TOKEN")

        assert driver_arguments(self.CONNECT, connection)["token"] == "passphrase"

    def test_a_form_without_an_account_is_refused_by_name(self, airflow_connection: Connect) -> None:
        conn_id = airflow_connection("form", form("snowflake", self.STANDARD))

        with pytest.raises(ConfigurationError, match="names no Snowflake account"):
            ElementaryHook(conn_id).source()


class TestRedshift:
    STANDARD: Mapping[str, Any] = {"host": "cluster.example.com", "port": 5439, "login": "reader", "password": "secret"}

    def test_the_database_reaches_the_driver_and_the_server_is_verified(
        self, monkeypatch: pytest.MonkeyPatch, driver_arguments: Callable[..., Arguments]
    ) -> None:
        arguments = driver_arguments(
            "redshift_connector.connect", form("redshift", self.STANDARD, elementary_database="dwh")
        )

        assert arguments == {
            "positional": (),
            "user": "reader",
            "password": "secret",
            "port": 5439,
            "host": "cluster.example.com",
            "database": "dwh",
            "sslmode": "verify-full",
        }

    @pytest.mark.parametrize("field", [{"sslmode": "prefer"}, {"sslrootcert": "/etc/ca.pem"}])
    def test_what_the_driver_would_ignore_is_refused(self, field: dict[str, str], airflow_connection: Connect) -> None:
        conn_id = airflow_connection("form", generic_form("redshift", self.STANDARD, **field))

        with pytest.raises(ConfigurationError, match="sslmode must be verify-full or verify-ca, without sslrootcert"):
            ElementaryHook(conn_id).source()


class TestDuckDB:
    def test_the_host_is_the_path_of_the_file(self, tmp_path: Path, airflow_connection: Connect) -> None:
        path = build_sample(tmp_path / "sample.duckdb")
        conn_id = airflow_connection("form", form("duckdb", {"host": str(path)}))

        with ElementaryHook(conn_id).source() as source:
            assert "dbt_models" in source.tables()

    def test_the_generic_form_opens_the_same_file(self, tmp_path: Path, airflow_connection: Connect) -> None:
        path = tmp_path / "sample.duckdb"
        build_sample(path)
        conn_id = airflow_connection("form", generic_form("duckdb", {"host": str(path)}))

        with ElementaryHook(conn_id).source() as source:
            assert "dbt_models" in source.tables()

    def test_airflow_tests_the_connection_by_its_types_own_hook(
        self, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        path = tmp_path / "sample.duckdb"
        build_sample(path)
        connection = Connection.get(airflow_connection("form", form("duckdb", {"host": str(path)})))

        hook = connection.get_hook()

        assert type(hook).__name__ == "ElementaryDuckdbHook"
        assert hook.test_connection()[0]

    def test_a_host_that_may_hold_a_token_is_refused_and_not_repeated(self, airflow_connection: Connect) -> None:
        conn_id = airflow_connection("form", form("duckdb", {"host": "md:dwh?motherduck_token=PLANTED"}))

        with pytest.raises(ConfigurationError) as refusal:
            ElementaryHook(conn_id).source()

        assert "PLANTED" not in str(refusal.value)


def test_a_form_without_the_kind_of_warehouse_is_refused(airflow_connection: Connect) -> None:
    conn_id = airflow_connection("form", generic_form("", {"host": "example.com"}))

    with pytest.raises(ConfigurationError, match="does not name the kind of warehouse"):
        ElementaryHook(conn_id).source()
