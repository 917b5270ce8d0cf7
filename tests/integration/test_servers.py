"""The servers that other tests rely on answer, over TLS only, and deny what the real ones deny."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from tests.support.datasets import (
    copy_duckdb_world,
    copy_postgres,
    create_table,
    load_world_a_postgres,
    many_metrics,
    restore_postgres,
    world_a,
    write_duckdb,
    write_postgres,
    write_snowflake,
)
from tests.support.little_project import small_world

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.certificates import Certificates
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

READER_GRANTS = (
    "CREATE ROLE IF NOT EXISTS READER",
    "GRANT USAGE ON DATABASE {database} TO ROLE READER",
    "GRANT USAGE ON SCHEMA {database}.ELEMENTARY TO ROLE READER",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {database}.ELEMENTARY TO ROLE READER",
    "GRANT SELECT ON FUTURE TABLES IN SCHEMA {database}.ELEMENTARY TO ROLE READER",
)


class TestPostgres:
    def test_the_link_is_tls_1_3_with_a_verified_certificate(self, postgres_server: PostgresServer) -> None:
        with postgres_server.connect() as connection:
            row = connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()

        assert row == (True, "TLSv1.3")

    def test_a_link_without_tls_is_refused(self, postgres_server: PostgresServer) -> None:
        with pytest.raises(psycopg.OperationalError, match="no encryption"):
            postgres_server.connect(sslmode="disable")

    def test_a_role_made_for_plaintext_may_connect_without_tls(
        self, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        password = postgres_server.create_role("careless", plaintext=True)
        postgres_server.execute(f"GRANT CONNECT ON DATABASE {postgres_database} TO careless")

        with postgres_server.connect("careless", password, postgres_database, sslmode="disable") as connection:
            row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        postgres_server.drop_role("careless", database=postgres_database)

        assert row == (False,)

    def test_a_wrong_password_is_refused(self, postgres_server: PostgresServer) -> None:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            postgres_server.connect("postgres", "wrong")

    def test_a_new_role_may_read_nothing_until_it_is_granted(
        self, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        write_postgres(small_world(days=1), postgres_server, postgres_database)
        password = postgres_server.create_role("outsider")
        postgres_server.execute(f"GRANT CONNECT ON DATABASE {postgres_database} TO outsider")

        with (
            postgres_server.connect("outsider", password, postgres_database) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for schema elementary"),
        ):
            connection.execute("SELECT * FROM elementary.dbt_models")
        postgres_server.drop_role("outsider", database=postgres_database)

    def test_adbc_connects_by_the_same_uri(self, postgres_server: PostgresServer) -> None:
        import adbc_driver_postgresql.dbapi

        with adbc_driver_postgresql.dbapi.connect(postgres_server.uri()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            row = cursor.fetchone()

        assert row == (True,)

    def test_airflow_connects_by_its_connection(
        self, postgres_server: PostgresServer, airflow_connection: Callable[[str, Mapping[str, object]], str]
    ) -> None:
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        conn_id = airflow_connection("warehouse", postgres_server.airflow_connection())
        row = PostgresHook(conn_id).get_first("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

        assert tuple(row) == (True,)


class TestSnowflake:
    def test_plain_http_is_refused(self, snowflake_server: SnowflakeServer) -> None:
        with pytest.raises(OSError, match=r"Connection reset|closed connection|timed out"):
            urllib.request.urlopen(f"http://127.0.0.1:{snowflake_server.port}/", timeout=5)

    def test_the_certificate_verifies_against_our_authority_only(
        self, snowflake_server: SnowflakeServer, certificates: Certificates
    ) -> None:
        url = f"https://localhost:{snowflake_server.port}/"

        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(url, timeout=5, context=ssl.create_default_context())
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(url, timeout=5, context=ssl.create_default_context(cafile=str(certificates.ca)))

    def test_a_session_says_who_it_is(self, snowflake_server: SnowflakeServer) -> None:
        with snowflake_server.connect(warehouse="WH") as connection:
            cursor = connection.cursor()
            cursor.execute("USE SECONDARY ROLES NONE")
            row = cursor.execute(
                "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_ACCOUNT(), "
                "CURRENT_SECONDARY_ROLES(), IS_ROLE_IN_SESSION('NOBODY')"
            ).fetchone()

        assert row == ("ADMIN", "ACCOUNTADMIN", "WH", "FAKESNOW", '{"roles": "", "value": ""}', False)

    def test_a_query_tag_is_logged(self, snowflake_server: SnowflakeServer) -> None:
        with snowflake_server.connect() as connection:
            connection.cursor().execute("ALTER SESSION SET QUERY_TAG = 'elementary: sync'")
            connection.cursor().execute("SELECT 1")

        assert snowflake_server.queries[-1].sql == "SELECT 1"
        assert snowflake_server.queries[-1].tag == "elementary: sync"

    def test_what_fakesnow_cannot_run_is_a_sql_error(self, snowflake_server: SnowflakeServer) -> None:
        from snowflake.connector.errors import ProgrammingError

        with snowflake_server.connect() as connection, pytest.raises(ProgrammingError, match="Unsupported feature"):
            connection.cursor().execute("EXPLAIN SELECT 1")

    def test_a_long_result_comes_in_several_batches(
        self, snowflake_server: SnowflakeServer, snowflake_database: str
    ) -> None:
        table = f'"{snowflake_database}"."ELEMENTARY"."DATA_MONITORING_METRICS"'
        snowflake_server.execute(create_table("snowflake", "data_monitoring_metrics", table))
        snowflake_server.insert(many_metrics(25_000), snowflake_database, "ELEMENTARY", "DATA_MONITORING_METRICS")

        with snowflake_server.connect() as connection:
            batches = connection.cursor().execute(f"SELECT * FROM {table}").fetch_arrow_batches()
            sizes = [batch.num_rows for batch in batches]

        assert sizes == [10_000, 10_000, 5_000]

    def test_a_reader_reads_the_elementary_schema_and_nothing_else(
        self, snowflake_server: SnowflakeServer, snowflake_database: str
    ) -> None:
        from snowflake.connector.errors import ProgrammingError

        write_snowflake(small_world(days=1), snowflake_server, snowflake_database)
        snowflake_server.create_schema(snowflake_database, "RAW")
        snowflake_server.execute(f"CREATE TABLE {snowflake_database}.RAW.USERS (ID INT)")
        password = snowflake_server.create_user("sync", "READER")
        for statement in READER_GRANTS:
            snowflake_server.execute(statement.format(database=snowflake_database))

        with snowflake_server.connect("sync", password, database=snowflake_database, schema="ELEMENTARY") as connection:
            cursor = connection.cursor()
            (count,) = cursor.execute("SELECT count(*) FROM DBT_MODELS").fetchone()
            schemas = cursor.execute("SELECT DISTINCT TABLE_SCHEMA FROM INFORMATION_SCHEMA.TABLES").fetchall()
            with pytest.raises(ProgrammingError, match=r"'.*RAW' does not exist or not authorized"):
                cursor.execute(f"SELECT * FROM {snowflake_database}.RAW.USERS")
            with pytest.raises(ProgrammingError, match="Insufficient privileges"):
                cursor.execute("DELETE FROM DBT_MODELS")

        assert count == 2
        assert schemas == [("ELEMENTARY",)]

    def test_a_secondary_role_leaks_until_it_is_switched_off(
        self, snowflake_server: SnowflakeServer, snowflake_database: str
    ) -> None:
        from snowflake.connector.errors import ProgrammingError

        snowflake_server.execute(f"CREATE TABLE {snowflake_database}.ELEMENTARY.USERS (ID INT)")
        password = snowflake_server.create_user("two_roles", "EMPTY", "SECOND")
        for statement in READER_GRANTS[1:4]:
            snowflake_server.execute(statement.format(database=snowflake_database).replace("READER", "SECOND"))

        with snowflake_server.connect("two_roles", password, database=snowflake_database) as connection:
            cursor = connection.cursor()
            leaked = cursor.execute(f"SELECT * FROM {snowflake_database}.ELEMENTARY.USERS").fetchall()
            cursor.execute("USE SECONDARY ROLES NONE")
            with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
                cursor.execute(f"SELECT * FROM {snowflake_database}.ELEMENTARY.USERS")

        assert leaked == []

    def test_show_grants_lists_what_a_role_holds(
        self, snowflake_server: SnowflakeServer, snowflake_database: str
    ) -> None:
        snowflake_server.execute("CREATE ROLE LISTED")
        snowflake_server.execute(f"GRANT USAGE ON DATABASE {snowflake_database} TO ROLE LISTED")

        with snowflake_server.connect() as connection:
            cursor = connection.cursor().execute("SHOW GRANTS TO ROLE LISTED")
            columns = [column.name for column in cursor.description]
            rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

        assert [(row["privilege"], row["granted_on"], row["name"], row["grantee_name"]) for row in rows] == [
            ("USAGE", "DATABASE", snowflake_database, "LISTED")
        ]

    def test_the_views_about_roles_show_the_sessions_own(
        self, snowflake_server: SnowflakeServer, snowflake_database: str
    ) -> None:
        password = snowflake_server.create_user("viewer", "VIEWER")
        snowflake_server.execute(f"GRANT USAGE ON DATABASE {snowflake_database} TO ROLE VIEWER")

        with snowflake_server.connect("viewer", password, database=snowflake_database) as connection:
            cursor = connection.cursor()
            roles = cursor.execute("SELECT ROLE_NAME FROM INFORMATION_SCHEMA.ENABLED_ROLES").fetchall()
            privileges = cursor.execute(
                "SELECT GRANTEE, OBJECT_NAME, PRIVILEGE_TYPE FROM INFORMATION_SCHEMA.OBJECT_PRIVILEGES"
            ).fetchall()
            tables = cursor.execute("SELECT * FROM INFORMATION_SCHEMA.TABLE_PRIVILEGES").fetchall()

        assert roles == [("PUBLIC",), ("VIEWER",)]
        assert privileges == [("VIEWER", snowflake_database, "USAGE")]
        assert tables == []

    def test_a_wrong_password_is_refused(self, snowflake_server: SnowflakeServer) -> None:
        from snowflake.connector.errors import DatabaseError

        with pytest.raises(DatabaseError, match="Incorrect username or password"):
            snowflake_server.connect(password="wrong")

    def test_airflow_connects_by_its_connection(
        self,
        snowflake_server: SnowflakeServer,
        snowflake_database: str,
        airflow_connection: Callable[[str, Mapping[str, object]], str],
    ) -> None:
        from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

        conn_id = airflow_connection(
            "warehouse", snowflake_server.airflow_connection(database=snowflake_database, schema="ELEMENTARY")
        )
        row = SnowflakeHook(conn_id).get_first("SELECT CURRENT_ROLE(), CURRENT_DATABASE(), CURRENT_SCHEMA()")

        assert tuple(row) == ("ACCOUNTADMIN", snowflake_database, "ELEMENTARY")


class TestAws:
    def test_plain_http_is_refused(self, aws_server: AwsServer) -> None:
        with pytest.raises(OSError, match=r"Connection reset|closed connection|timed out"):
            urllib.request.urlopen(aws_server.endpoint_url.replace("https", "http"), timeout=5)  # noqa: S310

    def test_an_object_keeps_the_key_it_was_encrypted_with(self, aws_server: AwsServer) -> None:
        bucket, key = aws_server.create_bucket(), aws_server.create_key()
        s3 = aws_server.client("s3")

        s3.put_object(Bucket=bucket, Key="a", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        head = s3.head_object(Bucket=bucket, Key="a")

        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)

    def test_a_second_put_if_absent_is_refused(self, aws_server: AwsServer) -> None:
        from botocore.exceptions import ClientError

        bucket, s3 = aws_server.create_bucket(), aws_server.client("s3")
        s3.put_object(Bucket=bucket, Key="manifest", Body=b"1", IfNoneMatch="*")

        with pytest.raises(ClientError, match="PreconditionFailed"):
            s3.put_object(Bucket=bucket, Key="manifest", Body=b"2", IfNoneMatch="*")

    def test_a_key_is_found_by_its_alias_and_binds_the_encryption_context(self, aws_server: AwsServer) -> None:
        from botocore.exceptions import ClientError

        kms = aws_server.client("kms")
        aws_server.create_key("metrics")
        encrypted = kms.encrypt(KeyId="alias/metrics", Plaintext=b"key", EncryptionContext={"file": "a"})[
            "CiphertextBlob"
        ]

        opened = kms.decrypt(CiphertextBlob=encrypted, EncryptionContext={"file": "a"})["Plaintext"]

        assert opened == b"key"
        with pytest.raises(ClientError, match="InvalidCiphertext"):
            kms.decrypt(CiphertextBlob=encrypted, EncryptionContext={"file": "b"})

    def test_a_user_may_do_what_its_policy_says_and_no_more_while_enforcing(self, aws_server: AwsServer) -> None:
        from botocore.exceptions import ClientError

        bucket = aws_server.create_bucket()
        aws_server.client("s3").put_object(Bucket=bucket, Key="a", Body=b"1")
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
        access_key, secret_key = aws_server.create_user("reader", policy)
        s3 = aws_server.client("s3", access_key=access_key, secret_key=secret_key)

        with aws_server.enforcing():
            body = s3.get_object(Bucket=bucket, Key="a")["Body"].read()
            with pytest.raises(ClientError, match="AccessDenied"):
                s3.put_object(Bucket=bucket, Key="a", Body=b"2")

        assert body == b"1"

    def test_airflow_connects_by_its_connection(
        self, aws_server: AwsServer, airflow_connection: Callable[[str, Mapping[str, object]], str]
    ) -> None:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        bucket = aws_server.create_bucket()
        conn_id = airflow_connection("bucket", aws_server.airflow_connection())

        assert S3Hook(conn_id).check_for_bucket(bucket)


class TestWorlds:
    def test_a_small_world_holds_rows_of_every_table(self) -> None:
        world = small_world()

        assert [name for name in TABLES if world[name].num_rows == 0] == []

    def test_a_small_world_is_the_same_in_duckdb_and_postgres(
        self, postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
    ) -> None:
        import duckdb

        world = small_world()
        query = "SELECT count(*), count(column_name), sum(metric_value) FROM elementary.data_monitoring_metrics"
        write_postgres(world, postgres_server, postgres_database)
        with duckdb.connect(str(write_duckdb(world, tmp_path / "world.duckdb"))) as connection:
            in_duckdb = connection.execute(query).fetchall()

        assert postgres_server.execute(query, database=postgres_database) == in_duckdb

    def test_many_metrics_arrive_in_postgres(self, postgres_server: PostgresServer, postgres_database: str) -> None:
        table = create_table("postgres", "data_monitoring_metrics", "public.data_monitoring_metrics")
        postgres_server.execute(table, database=postgres_database)

        copy_postgres(many_metrics(5_000), postgres_server, postgres_database, "public", "data_monitoring_metrics")

        query = "SELECT count(*), count(DISTINCT id), max(bucket_start)::text FROM data_monitoring_metrics"
        assert postgres_server.execute(query, database=postgres_database) == [(5_000, 5_000, "2020-01-01 04:00:00")]

    def test_world_a_arrives_in_postgres_whole(
        self, postgres_server: PostgresServer, postgres_database: str, shared: Path
    ) -> None:
        load_world_a_postgres(postgres_server, postgres_database, shared)

        query = (
            "SELECT (SELECT count(*) FROM elementary.data_monitoring_metrics), "
            "(SELECT count(*) FROM elementary.test_result_rows), (SELECT count(*) FROM elementary.alerts_dbt_tests)"
        )
        ((metrics, result_rows, alerts),) = postgres_server.execute(query, database=postgres_database)
        assert (metrics, result_rows) == (15_402, 54_697)
        assert alerts > 0

    def test_the_dump_of_dbt_postgres_is_restored(
        self, postgres_server: PostgresServer, postgres_database: str, shared: Path
    ) -> None:
        restore_postgres(postgres_server, postgres_database, shared)

        query = "SELECT count(*) FROM elementary.dbt_invocations"
        assert postgres_server.execute(query, database=postgres_database) == [(46,)]

    def test_world_a_arrives_in_snowflake_whole(
        self, snowflake_server: SnowflakeServer, snowflake_database: str, shared: Path
    ) -> None:
        write_snowflake(world_a(shared), snowflake_server, snowflake_database)

        rows = snowflake_server.execute(f"SELECT count(*) FROM {snowflake_database}.ELEMENTARY.TEST_RESULT_ROWS")
        assert rows == [(54_697,)]

    def test_a_copy_of_a_duckdb_world_may_be_written(self, shared: Path, tmp_path: Path) -> None:
        import duckdb

        with duckdb.connect(str(copy_duckdb_world(shared, tmp_path))) as connection:
            connection.execute("DELETE FROM elementary.dbt_models")
            rows = connection.execute("SELECT count(*) FROM elementary.dbt_models").fetchall()

        assert rows == [(0,)]
