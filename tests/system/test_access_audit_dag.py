"""The audit DAG stores each report, reports changes, and fails on excess privileges."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.access import AccessReport
from airflow_provider_elementary.snapshots import find_manifest, open_store
from tests.support.connections import local_store, postgres_reader, s3_store
from tests.support.dag_runs import DagRunOutcome, run_dag, run_parsed_dag
from tests.support.datasets import write_postgres
from tests.support.little_project import small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

DAG_ID = "elementary_access_audit"

#: Between the check and the snapshot, somebody opens a table outside the schema to the role.
WIDENED_DAG = """
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG

from airflow_provider_elementary.operators.access import ElementaryAccessCheckOperator
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator

with DAG("widened", params={"sql": ""}):
    (
        ElementaryAccessCheckOperator(task_id="check", elementary_conn_id="audited")
        >> SQLExecuteQueryOperator(task_id="widen", conn_id="owner", sql="{{ params.sql }}", split_statements=True)
        >> ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="audited", store_conn_id="audit_store")
    )
"""

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]


class Audited:
    """A database with a dedicated reader, audited into a store."""

    def __init__(self, server: PostgresServer, database: str, connect: Connect, store: str) -> None:
        connection = postgres_reader(server, database)
        self.server, self.database, self.store = server, database, store
        self.role = str(connection["login"])
        self.conn_id = connect("audited", connection)
        connect("audit_store", local_store(store))

    def run(self, sql: str) -> None:
        self.server.execute(sql.format(role=self.role), database=self.database)

    def audit(self, **conf: Any) -> DagRunOutcome:
        # Every field of the form: Airflow keeps what an earlier run of this process was given.
        form = {
            "elementary_conn_id": self.conn_id,
            "store_conn_id": "audit_store",
            "probes": None,
            "accept_unknown": None,
            "schema": None,
            "database": None,
        }
        return run_dag(DAG_ID, {**form, **conf})

    def kept(self) -> list[dict[str, Any]]:
        store = open_store(self.store)
        return [json.loads((store.get(found.key) or b"").partition(b"\n")[2]) for found in store.list("access/")]


@pytest.fixture
def audited(
    postgres_server: PostgresServer, postgres_database: str, airflow_connection: Connect, tmp_path: Path
) -> Audited:
    write_postgres(small_world(days=2), postgres_server, postgres_database)
    return Audited(postgres_server, postgres_database, airflow_connection, (tmp_path / "store").as_uri())


def test_the_first_report_has_nothing_to_be_compared_with(audited: Audited) -> None:
    outcome = audited.audit()

    assert outcome.states == {"audit": "success", "summary": "success"}
    assert outcome.returned["audit"]["drift"] == {
        "key": outcome.returned["audit"]["drift"]["key"],
        "sha256": outcome.returned["audit"]["drift"]["sha256"],
        "since": None,
        "appeared": [],
        "gone": [],
        "anchor": outcome.returned["audit"]["drift"]["anchor"],
    }
    assert outcome.returned["summary"] == (
        f"{audited.role} reads elementary and nothing else; this is the first report"
    )


def test_a_change_that_is_no_excess_privilege_is_reported_and_the_run_succeeds(audited: Audited) -> None:
    first = audited.audit()
    audited.run("DROP ROLE IF EXISTS harmless; CREATE ROLE harmless; GRANT harmless TO {role}")

    second = audited.audit()
    audited.run("DROP ROLE harmless")

    assert second.state == "success"
    assert second.returned["audit"]["drift"]["appeared"] == ["reachable role: harmless"]
    assert second.returned["audit"]["drift"]["since"] == first.returned["audit"]["checked_at"]
    assert "appeared: reachable role: harmless" in second.returned["summary"]


def test_an_excess_privilege_fails_the_run_and_is_stored(audited: Audited) -> None:
    audited.audit()
    audited.run("CREATE SCHEMA raw; CREATE TABLE raw.users (id int); GRANT SELECT ON raw.users TO {role}")

    opened = audited.audit()
    audited.run("REVOKE SELECT ON raw.users FROM {role}")
    closed = audited.audit()

    excess = f"reads-outside-schema: raw.users: SELECT through {audited.role}"
    assert opened.states["audit"] == "failed"
    assert [document["appeared"] for document in audited.kept()] == [[], ["reads-outside-schema: fail", excess], []]
    assert closed.returned["audit"]["drift"]["gone"] == ["reads-outside-schema: fail", excess]


def test_a_probe_of_the_form_is_tried(audited: Audited) -> None:
    audited.run("CREATE SCHEMA raw; CREATE TABLE raw.users (id int)")

    outcome = audited.audit(probes=["raw.users"])

    report = AccessReport.from_dict(
        {name: value for name, value in outcome.returned["audit"].items() if name != "drift"}
    )
    assert report.finding("canary-reads").evidence.startswith("denied: raw.users")


def test_the_reports_are_stored_on_s3_encrypted_with_kms(
    audited: Audited, aws_server: AwsServer, airflow_connection: Connect
) -> None:
    bucket, key_id = aws_server.create_bucket(), aws_server.create_key()
    airflow_connection("aws", aws_server.airflow_connection())

    outcome = audited.audit(
        store_conn_id=airflow_connection("on_s3", s3_store(aws_server, f"s3://{bucket}/elementary", key_id))
    )

    key = f"elementary/{outcome.returned['audit']['drift']['key']}"
    head = aws_server.client("s3").head_object(Bucket=bucket, Key=key)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key_id)


def test_each_task_that_opens_the_warehouse_checks_its_own_session(
    audited: Audited, airflow_connection: Connect
) -> None:
    conf = {
        "elementary_conn_id": audited.conn_id,
        "store_conn_id": "audit_store",
    }

    outcome = run_dag("elementary_observability", conf)

    manifest = find_manifest(opened(open_store(audited.store)))
    assert manifest.access is not None
    assert manifest.access["checked_at"] > outcome.returned["check_access"]["checked_at"]


def test_a_grant_between_the_check_and_the_snapshot_stops_the_snapshot(
    audited: Audited, airflow_connection: Connect, tmp_path: Path
) -> None:
    airflow_connection("owner", audited.server.airflow_connection(database=audited.database))
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "widened.py").write_text(WIDENED_DAG)
    grant = f'CREATE SCHEMA raw; CREATE TABLE raw.users (id int); GRANT SELECT ON raw.users TO "{audited.role}"'

    outcome = run_parsed_dag(tmp_path / "dags", "widened", {"sql": grant})

    assert outcome.states == {"check": "success", "widen": "success", "snapshot": "failed"}
    assert list(open_store(audited.store).list("manifests/")) == []
