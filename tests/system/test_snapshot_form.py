"""The DAG that takes a snapshot and nothing else does what its form says, for somebody who knows no Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.snapshots import KmsKeys, LocalKeys, SnapshotSource, open_snapshot, open_store
from airflow_provider_elementary.snapshots.s3 import S3Store
from airflow_provider_elementary.source import read_all
from tests.connections import duckdb_file, local_keys
from tests.dag_runs import run_dag
from tests.worlds import small_world, write_duckdb

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

Connect = Callable[[str, Mapping[str, object]], str]
Conf = dict[str, Any]

DAG_ID = "elementary_snapshot"

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]


@pytest.fixture
def warehouse(tmp_path: Path, airflow_connection: Connect) -> Conf:
    path = write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb")
    return {"elementary_conn_id": airflow_connection("warehouse", duckdb_file(path)), "failed_rows_days": 3650}


class TestTheForm:
    @pytest.fixture
    def master_keys(self) -> dict[str, str]:
        return LocalKeys.generate()

    @pytest.fixture
    def conf(self, warehouse: Conf, master_keys: dict[str, str], tmp_path: Path, airflow_connection: Connect) -> Conf:
        keys = airflow_connection("keys", local_keys(master_keys))
        return {**warehouse, "store": (tmp_path / "store").as_uri(), "keys_conn_id": keys}

    def opened(self, conf: Conf, master_keys: dict[str, str]) -> SnapshotSource:
        return open_snapshot(open_store(conf["store"]), keys=LocalKeys(master_keys))

    def test_as_it_is_it_takes_six_categories_and_the_next_run_adds_to_it(self, conf: Conf) -> None:
        first, second = (run_dag(DAG_ID, conf) for _ in range(2))

        assert (first.state, second.state) == ("success", "success")
        assert "query_logs" not in first.returned["snapshot"]["categories"]
        assert len(first.returned["snapshot"]["categories"]) == 6
        assert [outcome.returned["snapshot"]["kind"] for outcome in (first, second)] == ["full", "incremental"]

    def test_what_stays_behind_is_what_was_chosen(self, conf: Conf, master_keys: dict[str, str]) -> None:
        chosen = {
            "dropped_columns": ["dbt_models.description"],
            "masked_columns": ["dbt_models.owner"],
            "hashed_columns": ["dbt_models.alias"],
            "full_every_days": 0,
        }

        outcome = run_dag(DAG_ID, {**conf, **chosen})

        models = read_all(self.opened(conf, master_keys), "dbt_models")
        policy = self.opened(conf, master_keys).manifest.policy
        assert outcome.state == "success"
        assert "description" not in models.column_names
        assert set(models["owner"].to_pylist()) <= {"***", None}
        assert policy["hashed_columns"] == ["dbt_models.alias"]

    def test_a_table_may_be_without_failed_rows(self, conf: Conf, master_keys: dict[str, str]) -> None:
        run_dag(DAG_ID, {**conf, "failed_rows_excluded_tables": ["DWH.Analytics.Orders"]})

        assert self.opened(conf, master_keys).manifest.policy["failed_rows_excluded_tables"] == ["dwh.analytics.orders"]

    def test_one_switch_takes_nothing_that_quotes_data(self, conf: Conf, master_keys: dict[str, str]) -> None:
        outcome = run_dag(DAG_ID, {**conf, "without_raw_values": True})

        assert outcome.state == "success"
        assert "failed_rows_sample" not in outcome.returned["snapshot"]["categories"]
        assert self.opened(conf, master_keys).manifest.policy["dropped_metrics"] == ["max", "min", "sum"]

    def test_a_column_that_does_not_exist_fails_the_run_before_the_first_read(self, conf: Conf) -> None:
        outcome = run_dag(DAG_ID, {**conf, "masked_columns": ["dbt_models.no_such_column"]})

        assert outcome.state == "failed"
        assert list(open_store(conf["store"]).list("")) == []


class TestOnS3:
    def test_a_category_has_a_key_of_its_own_and_the_snapshot_a_signature_that_verify_asks_for(
        self, warehouse: Conf, aws_server: AwsServer, airflow_connection: Connect
    ) -> None:
        kms = aws_server.client("kms")
        bucket, key, own = aws_server.create_bucket(), aws_server.create_key(), aws_server.create_key()
        signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["Arn"]
        store = {
            "store": f"s3://{bucket}/elementary",
            "aws_conn_id": airflow_connection("aws", aws_server.airflow_connection()),
            "kms_key_id": key,
            "keys_conn_id": None,
        }

        unsigned = run_dag(DAG_ID, {**warehouse, **store, "category_kms_key_ids": {"run_results": own}})
        refused = run_dag("elementary_snapshot_verify", {**store, "signing_kms_key_id": signing})
        signed = run_dag(
            DAG_ID, {**warehouse, **store, "category_kms_key_ids": {"run_results": own}, "signing_kms_key_id": signing}
        )
        s3 = S3Store(aws_server.client("s3"), bucket, "elementary", kms_key_id=key)
        names = sorted(found.key for found in s3.list("signatures/"))
        manifest = open_snapshot(s3, keys=KmsKeys(kms, key)).manifest

        assert [outcome.state for outcome in (unsigned, refused, signed)] == ["success", "failed", "success"]
        assert manifest.keys["run_results"].master_key_id == own
        assert manifest.keys["metadata"].master_key_id == key
        assert names == ["signatures/manifests/0000000002.json"]
