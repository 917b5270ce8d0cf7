"""The DAGs on snapshots run as a person triggers them, and stop where they must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.snapshots import KmsKeys, LocalKeys, Manifest, open_store
from airflow_provider_elementary.snapshots.lookup import committed_sequences
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from airflow_provider_elementary.storage.object_store.store import patient_config
from tests.support.connections import duckdb_file, local_store, s3_store
from tests.support.dag_runs import run_dag
from tests.support.signing import STORE_ID
from tests.support.stores import Rest, grow, local_rest, take, world_after

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]
Conf = dict[str, Any]

KEEP_ONE = {
    "keep_last": 1,
    "keep_daily": 0,
    "keep_weekly": 0,
    "keep_monthly": 0,
    "keep_hourly": 0,
    "keep_yearly": 0,
}

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]


@pytest.fixture
def master_keys() -> dict[str, str]:
    return LocalKeys.generate()


@pytest.fixture
def rest(tmp_path: Path, master_keys: dict[str, str]) -> Rest:
    made = local_rest(tmp_path)
    return Rest(made.store, LocalKeys(master_keys), made.folder)


@pytest.fixture
def manifests(rest: Rest, tmp_path: Path) -> list[Manifest]:
    return grow(rest, tmp_path, [3, 4, 5])


@pytest.fixture
def conf(rest: Rest, manifests: list[Manifest], master_keys: dict[str, str], airflow_connection: Connect) -> Conf:
    return {"store_conn_id": airflow_connection("store", local_store(rest.store.uri, master_keys))}


class TestVerify:
    def test_a_sound_store_passes(self, conf: Conf, manifests: list[Manifest]) -> None:
        outcome = run_dag("elementary_snapshot_verify", {**conf, "snapshot": "all"})

        returned = outcome.returned["verify"]
        assert outcome.state == "success"
        assert (returned["sound"], returned["manifests"]) == (True, 3)
        assert returned["opened"] == returned["files"] > 0

    def test_hashes_need_no_keys(self, conf: Conf, rest: Rest, airflow_connection: Connect) -> None:
        keyless = {"conn_type": "elementary_store", "extra": {"uri": rest.store.uri, "store_id": STORE_ID}}
        form = {"store_conn_id": airflow_connection("keyless", keyless), "decrypt": False}

        outcome = run_dag("elementary_snapshot_verify", {**conf, **form})

        assert outcome.state == "success"
        assert outcome.returned["verify"]["opened"] == 0

    def test_a_changed_file_fails_the_run(self, conf: Conf, rest: Rest, manifests: list[Manifest]) -> None:
        rest.path(manifests[-1].files[0].key).write_bytes(b"forged")

        assert run_dag("elementary_snapshot_verify", conf).state == "failed"

    def test_an_anchor_from_the_form_fails_a_truncated_chain(
        self, conf: Conf, rest: Rest, manifests: list[Manifest]
    ) -> None:
        anchor = run_dag("elementary_snapshot_verify", conf).returned["verify"]["head"]
        rest.store.delete(manifest_key(3))
        given = {"anchor_sequence": anchor["sequence"], "anchor_sha256": anchor["manifest_sha256"]}

        assert run_dag("elementary_snapshot_verify", conf).state == "success"
        assert run_dag("elementary_snapshot_verify", {**conf, **given}).state == "failed"

    def test_the_asset_event_of_the_snapshot_fails_a_truncated_chain(
        self, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        conf = {"store_conn_id": airflow_connection("anchored", local_store(tmp_path / "anchored"))}
        sample = airflow_connection("sample", duckdb_file(build_sample(tmp_path / "sample.duckdb")))
        taken = [run_dag("elementary_observability", {**conf, "elementary_conn_id": sample}) for _ in range(2)]

        before = run_dag("elementary_snapshot_verify", conf)
        open_store((tmp_path / "anchored").as_uri()).delete(manifest_key(2))
        after = run_dag("elementary_snapshot_verify", conf)

        assert [outcome.state for outcome in (*taken, before, after)] == ["success", "success", "success", "failed"]


class TestRestore:
    def test_to_a_duckdb_file(self, conf: Conf, manifests: list[Manifest], tmp_path: Path) -> None:
        path = tmp_path / "restored.duckdb"

        outcome = run_dag("elementary_snapshot_restore", {**conf, "target_path": str(path)})

        with duckdb.connect(str(path), read_only=True) as restored:
            counts = restored.execute("SELECT count(*) FROM elementary.dbt_invocations").fetchall()
        assert outcome.state == "success"
        assert set(outcome.returned["restore"]["tables"]) == set(TABLES)
        assert counts == [(5,)]

    def test_an_earlier_time_and_two_categories(self, conf: Conf, manifests: list[Manifest], tmp_path: Path) -> None:
        chosen = {
            "target_path": str(tmp_path / "restored.duckdb"),
            "snapshot": manifests[0].snapshot_id,
            "categories": ["metadata", "run_results"],
        }

        outcome = run_dag("elementary_snapshot_restore", {**conf, **chosen})

        assert outcome.returned["restore"]["sequence"] == 1
        assert outcome.returned["restore"]["categories"] == ["metadata", "run_results"]

    def test_to_a_schema_of_postgresql(
        self, conf: Conf, postgres_server: PostgresServer, postgres_database: str, airflow_connection: Connect
    ) -> None:
        connection = airflow_connection("target", postgres_server.airflow_connection(database=postgres_database))

        outcome = run_dag(
            "elementary_snapshot_restore", {**conf, "target_conn_id": connection, "target_schema": "back"}
        )

        statement = "SELECT count(*) FROM back.model_run_results"
        assert outcome.state == "success"
        assert postgres_server.execute(statement, database=postgres_database) == [(10,)]

    def test_what_exists_is_not_overwritten(self, conf: Conf, tmp_path: Path) -> None:
        (tmp_path / "mine.duckdb").write_text("precious")

        outcome = run_dag("elementary_snapshot_restore", {**conf, "target_path": str(tmp_path / "mine.duckdb")})

        assert outcome.state == "failed"
        assert (tmp_path / "mine.duckdb").read_text() == "precious"

    def test_without_a_target_it_fails(self, conf: Conf) -> None:
        assert run_dag("elementary_snapshot_restore", conf).state == "failed"


class TestPrune:
    def test_the_form_as_it_is_removes_nothing(self, conf: Conf, rest: Rest) -> None:
        before = {path: path.read_bytes() for path in rest.folder.rglob("*") if path.is_file()}

        outcome = run_dag("elementary_snapshot_prune", conf)

        assert outcome.returned["prune"]["dry_run"] is True
        assert {path: path.read_bytes() for path in rest.folder.rglob("*") if path.is_file()} == before

    def test_what_no_rule_keeps_goes_and_the_store_still_verifies(self, conf: Conf, rest: Rest) -> None:
        outcome = run_dag("elementary_snapshot_prune", {**conf, **KEEP_ONE, "preview": False})

        assert (outcome.returned["prune"]["kept"], outcome.returned["prune"]["removed"]) == (1, 2)
        # The manifests of the first two stay, as the list of the third adds to theirs.
        assert committed_sequences(rest.repository) == [3]
        assert run_dag("elementary_snapshot_verify", conf).state == "success"


class TestDiff:
    def test_changes_between_two_snapshots_are_counted_without_naming_people(
        self, conf: Conf, manifests: list[Manifest]
    ) -> None:
        outcome = run_dag("elementary_snapshot_diff", {**conf, "before": manifests[0].snapshot_id})

        returned = outcome.returned["diff"]
        assert outcome.state == "success"
        assert returned["rows"]["dbt_invocations"] == {"before": 3, "after": 5}
        assert "@" not in str(returned)


def test_verify_and_restore_work_on_s3_with_kms(
    tmp_path: Path, aws_server: AwsServer, airflow_connection: Connect
) -> None:
    bucket, key_id = aws_server.create_bucket(), aws_server.create_key()
    # The look-alike answers late on a busy machine; the clients wait as those of the tasks do.
    s3, kms = (aws_server.client(service, config=patient_config()) for service in ("s3", "kms"))
    rest = Rest(S3Store(s3, bucket, "elementary", kms_key_id=key_id), KmsKeys(kms, key_id), tmp_path)
    take(rest, tmp_path / "warehouse.duckdb", world_after(3))
    airflow_connection("aws", aws_server.airflow_connection())
    conf = {"store_conn_id": airflow_connection("store", s3_store(aws_server, rest.store.uri, key_id))}

    verified = run_dag("elementary_snapshot_verify", conf)
    restored = run_dag("elementary_snapshot_restore", {**conf, "target_path": str(tmp_path / "restored.duckdb")})

    assert (verified.state, restored.state) == ("success", "success")
    assert verified.returned["verify"]["opened"] == verified.returned["verify"]["files"]
