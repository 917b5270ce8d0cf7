"""A report serves another session of the same DAG run only where the warehouse cannot tell the two apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.access.proof import STANDS, Proof
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from tests.connections import postgres_reader, snowflake_reader
from tests.worlds import small_world, write_postgres, write_snowflake

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

Connect = Callable[[str, Mapping[str, object]], str]


def prove(conn_id: str, *probes: str) -> Proof:
    hook = ElementaryHook(conn_id)
    with hook.source() as source:
        return hook.prove(source, probes)


def fingerprint(conn_id: str) -> str | None:
    hook = ElementaryHook(conn_id)
    with hook.source() as source:
        return hook.fingerprint(source)


class TestOnPostgres:
    @pytest.fixture
    def reader(self, postgres_server: PostgresServer, postgres_database: str) -> dict[str, Any]:
        write_postgres(small_world(days=2), postgres_server, postgres_database)
        return postgres_reader(postgres_server, postgres_database)

    def test_a_report_serves_the_next_session_of_the_same_connection(
        self, reader: dict[str, Any], airflow_connection: Connect
    ) -> None:
        conn_id = airflow_connection("reader", reader)

        proof = prove(conn_id)

        assert proof.stands_for(fingerprint(conn_id))

    def test_a_proof_survives_xcom(self, reader: dict[str, Any], airflow_connection: Connect) -> None:
        proof = prove(airflow_connection("reader", reader), "pg_catalog.pg_authid")

        assert Proof.from_dict(proof.to_dict()) == proof

    def test_it_serves_no_other_connection_even_of_the_same_user(
        self, reader: dict[str, Any], airflow_connection: Connect
    ) -> None:
        proof = prove(airflow_connection("reader", reader))

        assert not proof.stands_for(fingerprint(airflow_connection("other", reader)))

    def test_it_serves_no_other_user_behind_the_same_connection(
        self,
        reader: dict[str, Any],
        postgres_server: PostgresServer,
        postgres_database: str,
        airflow_connection: Connect,
    ) -> None:
        proof = prove(airflow_connection("reader", reader))

        superuser = postgres_server.airflow_connection(database=postgres_database)

        assert not proof.stands_for(fingerprint(airflow_connection("reader", superuser)))

    @pytest.mark.parametrize("change", ["GRANT pg_read_all_data TO {}", "ALTER ROLE {} BYPASSRLS"])
    def test_it_serves_no_session_whose_role_was_widened_since(
        self, change: str, reader: dict[str, Any], postgres_server: PostgresServer, airflow_connection: Connect
    ) -> None:
        conn_id = airflow_connection("reader", reader)
        proof = prove(conn_id)

        postgres_server.execute(change.format(f'"{reader["login"]}"'))

        assert not proof.stands_for(fingerprint(conn_id))

    def test_it_serves_no_session_over_a_link_protected_less(
        self, reader: dict[str, Any], airflow_connection: Connect
    ) -> None:
        proof = prove(airflow_connection("reader", reader))

        weaker = {**reader, "extra": {**reader["extra"], "sslmode": "require"}}

        assert not proof.stands_for(fingerprint(airflow_connection("reader", weaker)))

    def test_it_serves_no_session_with_another_allow_list(
        self, reader: dict[str, Any], airflow_connection: Connect
    ) -> None:
        proof = prove(airflow_connection("reader", reader))

        narrower = {**reader, "extra": {**reader["extra"], "allowed_addresses": "10.0.0.0/8"}}

        assert not proof.stands_for(fingerprint(airflow_connection("reader", narrower)))

    def test_it_serves_no_task_that_wants_more_probed(
        self, reader: dict[str, Any], airflow_connection: Connect
    ) -> None:
        conn_id = airflow_connection("reader", reader)
        proof = prove(conn_id, "pg_catalog.pg_authid")

        assert proof.stands_for(proof.session, ["pg_catalog.pg_authid"])
        assert not proof.stands_for(proof.session, ["raw.users"])

    @pytest.mark.parametrize("age", [STANDS + timedelta(seconds=1), timedelta(minutes=-1)], ids=["stale", "of later"])
    def test_it_serves_nobody_when_it_is_stale(
        self, age: timedelta, reader: dict[str, Any], airflow_connection: Connect
    ) -> None:
        proof = prove(airflow_connection("reader", reader))

        aged = replace(proof, report=replace(proof.report, checked_at=proof.report.checked_at - age))

        assert not aged.stands_for(proof.session)

    def test_the_fingerprint_does_not_depend_on_the_password(
        self, reader: dict[str, Any], postgres_server: PostgresServer, airflow_connection: Connect
    ) -> None:
        before = fingerprint(airflow_connection("reader", reader))

        postgres_server.execute(f"ALTER ROLE \"{reader['login']}\" PASSWORD 'rotated'")

        assert fingerprint(airflow_connection("reader", {**reader, "password": "rotated"})) == before


class TestOnSnowflake:
    def test_it_serves_the_next_session_until_the_user_gets_another_role(
        self, snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect
    ) -> None:
        write_snowflake(small_world(days=2), snowflake_server, snowflake_database)
        conn_id = airflow_connection("reader", snowflake_reader(snowflake_server, snowflake_database))
        proof = prove(conn_id)

        same = fingerprint(conn_id)
        snowflake_server.execute("CREATE ROLE LATER")
        snowflake_server.execute(f"GRANT ROLE LATER TO USER SYNC_{snowflake_database}")

        assert proof.stands_for(same)
        assert not proof.stands_for(fingerprint(conn_id))


def test_where_the_warehouse_does_not_tell_sessions_apart_each_is_checked(
    airflow_connection: Connect, tmp_path: Any
) -> None:
    from airflow_provider_elementary.sample import build_sample
    from tests.connections import duckdb_file

    proof = prove(airflow_connection("sample", duckdb_file(build_sample(tmp_path / "sample.duckdb"))))

    assert proof.session is None
    assert not proof.stands_for(proof.session)
