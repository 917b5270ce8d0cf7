"""The example DAG runs as it is: on the sample, on PostgreSQL to S3 with KMS, and stops where it must."""

from __future__ import annotations

import email
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.snapshots import Keys, LocalKeys, Store, open_snapshot, open_store
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from airflow_provider_elementary.storage.records.results import read_result
from tests.docs.mail import mail_server
from tests.support.connections import duckdb_file, local_store, postgres_reader, s3_store
from tests.support.dag_runs import run_dag
from tests.support.datasets import write_postgres
from tests.support.little_project import FAILED_ROW_VALUE, SECRET_VAR, small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

DAG_ID = "elementary_observability"
TASKS = {"check_access", "snapshot", "metrics", "anomalies", "summary", "maintain"}
#: Nobody is named in the form who would get a mail.
SKIPPED = {"alerts": "skipped"}

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]


def smtp(port: int) -> dict[str, object]:
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.com"}
    return {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}


def found_incidents(store: Store, keys: Keys, key: str) -> set[tuple[str, str | None, str, str]]:
    with read_result(opened(store, keys), key) as reader:
        rows = reader.read_all().to_pylist()
    return {
        (row["full_table_name"], row["column_name"], row["metric_name"], f"{row['bucket_start']:%Y-%m-%d}")
        for row in rows
        if row["is_anomalous"] and row["bucket_start"]
    }


class TestOnTheSample:
    @pytest.fixture
    def conf(self, tmp_path: Path, airflow_connection: Connect) -> dict[str, Any]:
        return {
            "elementary_conn_id": airflow_connection("sample", duckdb_file(build_sample(tmp_path / "sample.duckdb"))),
            "store_conn_id": airflow_connection("store", local_store(tmp_path / "store")),
            "days": 60,
        }

    def test_every_task_succeeds_and_the_known_incidents_are_found(
        self, conf: dict[str, Any], airflow_connection: Connect, tmp_path: Path
    ) -> None:
        keys = LocalKeys.generate()
        airflow_connection("store", local_store(tmp_path / "store", keys))

        outcome = run_dag(DAG_ID, conf)

        store = open_store((tmp_path / "store").as_uri())
        found = found_incidents(store, LocalKeys(keys), outcome.returned["anomalies"]["verdicts"])
        assert outcome.states == dict.fromkeys(TASKS, "success") | SKIPPED
        assert found >= {
            ("JAFFLE.CORE.FCT_ORDERS", "amount", "standard_deviation", "2026-11-12"),
            ("JAFFLE.RAW_SHOP.CUSTOMERS", "email", "null_percent", "2026-10-27"),
            ("JAFFLE.RAW_WEB.EVENTS", "user_id", "null_percent", "2026-10-13"),
            ("JAFFLE.RAW_WEB.EVENTS", None, "event_freshness", "2026-11-19"),
            ("JAFFLE.RAW_SHOP.PAYMENTS", None, "freshness", "2026-10-06"),
            ("JAFFLE.CORE.FCT_PAYMENTS", "amount", "null_percent", "2026-10-30"),
            ("JAFFLE.MARTS.MART_DAILY_REVENUE", "revenue", "sum", "2026-11-12"),
        }
        assert outcome.returned["summary"].startswith(f"Snapshot {outcome.returned['snapshot']['snapshot_id']}: 28,0")

    def test_what_is_passed_between_tasks_is_small_and_holds_no_rows(self, conf: dict[str, Any]) -> None:
        outcome = run_dag(DAG_ID, {**conf, "days": 2})

        passed = {task: str(value) for task, value in outcome.returned.items()}

        assert all(len(text) < 16_000 for text in passed.values())
        assert "example.org" not in "".join(passed.values())

    def test_people_named_in_the_form_get_a_mail(self, conf: dict[str, Any], airflow_connection: Connect) -> None:
        with mail_server() as (port, mails):
            airflow_connection("smtp_default", smtp(port))

            outcome = run_dag(DAG_ID, {**conf, "alert_emails": ["a@example.com", "b@example.com"]})

        alerts = outcome.returned["alerts"]
        assert alerts["sent"] == {"mail": len(mails)}
        assert len(mails) == alerts["open_incidents"] > 0
        assert all("To: a@example.com, b@example.com" in mail for mail in mails)

    def test_categories_chosen_in_the_form_are_those_taken(self, conf: dict[str, Any]) -> None:
        outcome = run_dag(DAG_ID, {**conf, "categories": ["table_metrics", "aggregated_metrics"]})

        assert set(outcome.returned["snapshot"]["categories"]) == {"table_metrics", "aggregated_metrics"}
        assert outcome.state == "success"


class TestOnPostgresToS3:
    def test_a_snapshot_on_s3_is_encrypted_twice(
        self,
        postgres_server: PostgresServer,
        postgres_database: str,
        aws_server: AwsServer,
        airflow_connection: Connect,
    ) -> None:
        write_postgres(small_world(), postgres_server, postgres_database)
        bucket, key_id = aws_server.create_bucket(), aws_server.create_key()
        conf = {
            "elementary_conn_id": airflow_connection("dwh", postgres_reader(postgres_server, postgres_database)),
            "store_conn_id": airflow_connection("store", s3_store(aws_server, f"s3://{bucket}/elementary", key_id)),
        }
        airflow_connection("aws", aws_server.airflow_connection())

        outcome = run_dag(DAG_ID, conf)

        client = aws_server.client("s3")
        listed = client.list_objects_v2(Bucket=bucket)["Contents"]
        heads = [client.head_object(Bucket=bucket, Key=found["Key"]) for found in listed]
        contents = b"".join(client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read() for found in listed)
        assert outcome.states == dict.fromkeys(TASKS, "success") | SKIPPED
        assert {(head["ServerSideEncryption"], head["SSEKMSKeyId"]) for head in heads} == {("aws:kms", key_id)}
        assert SECRET_VAR.encode() not in contents
        assert FAILED_ROW_VALUE.encode() not in contents
        assert set(outcome.returned["snapshot"]["tables"]) == set(TABLES)
        assert isinstance(S3Store(client, bucket, "elementary", kms_key_id=key_id).get(manifest_key(1)), bytes)


class TestWhereItStops:
    def test_a_role_that_reads_more_than_the_schema_stops_the_run_before_the_snapshot(
        self, postgres_server: PostgresServer, postgres_database: str, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        write_postgres(small_world(days=2), postgres_server, postgres_database)
        connection = postgres_reader(postgres_server, postgres_database)
        postgres_server.execute(
            "CREATE SCHEMA raw; CREATE TABLE raw.customers (email text); "
            f'GRANT USAGE ON SCHEMA raw TO "{connection["login"]}"; '
            f'GRANT SELECT ON raw.customers TO "{connection["login"]}"',
            database=postgres_database,
        )
        conf = {
            "elementary_conn_id": airflow_connection("dwh", connection),
            "store_conn_id": airflow_connection("store", local_store(tmp_path / "store", LocalKeys.generate())),
            "alert_emails": ["a@example.com"],
        }

        with mail_server() as (port, mails):
            airflow_connection("smtp_default", smtp(port))
            outcome = run_dag(DAG_ID, conf)

        assert outcome.state == outcome.states["check_access"] == "failed"
        assert outcome.states["snapshot"] == outcome.states["maintain"] == "upstream_failed"
        [mail] = map(email.message_from_string, mails)
        text = "".join(part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart())  # type: ignore[union-attr]
        assert "The access check of dwh failed" in text
        assert "The sync failed (AccessDeniedError)" in text
        assert not (tmp_path / "store" / "manifests").exists()

    @pytest.mark.parametrize("wrong", ["nowhere", "no_such_schema"])
    def test_a_connection_that_does_not_fit_fails_the_first_task(
        self, wrong: str, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        sample = duckdb_file(build_sample(tmp_path / "other.duckdb"))
        airflow_connection("no_such_schema", {**sample, "extra": {"elementary_schema": "no_such_schema"}})
        conf = {
            "elementary_conn_id": airflow_connection("sample", duckdb_file(build_sample(tmp_path / "sample.duckdb"))),
            "store_conn_id": airflow_connection("store", local_store(tmp_path / "store")),
        }

        outcome = run_dag(DAG_ID, {**conf, "elementary_conn_id": wrong})

        assert outcome.states["check_access"] == "failed"

    def test_s3_without_a_kms_key_fails_the_snapshot(self, tmp_path: Path, airflow_connection: Connect) -> None:
        conf = {
            "elementary_conn_id": airflow_connection("sample", duckdb_file(build_sample(tmp_path / "sample.duckdb"))),
            "store_conn_id": airflow_connection("store", local_store("s3://bucket/elementary")),
        }

        outcome = run_dag(DAG_ID, conf)

        assert outcome.states["check_access"] == "success"
        assert outcome.states["snapshot"] == "failed"


def test_a_run_of_an_analyst_needs_the_store_and_its_keys_only(tmp_path: Path, airflow_connection: Connect) -> None:
    keys = LocalKeys.generate()
    run_dag(
        DAG_ID,
        {
            "elementary_conn_id": airflow_connection("sample", duckdb_file(build_sample(tmp_path / "sample.duckdb"))),
            "store_conn_id": airflow_connection("store", local_store(tmp_path / "store", keys)),
        },
    )
    (tmp_path / "sample.duckdb").unlink()

    snapshot = open_snapshot(opened(open_store((tmp_path / "store").as_uri()), LocalKeys(keys)))

    assert read_all(snapshot, "dbt_invocations").num_rows == 220
