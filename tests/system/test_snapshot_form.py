"""The DAG that takes a snapshot and nothing else does what its form says, for somebody who knows no Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.snapshots import (
    LocalKeys,
    Repository,
    SnapshotSource,
    open_store,
)
from airflow_provider_elementary.snapshots.lookup import read_manifest
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.layout import GENESIS
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from tests.support.connections import duckdb_file, local_store, s3_store
from tests.support.dag_runs import parse_dag, run_dag
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

Connect = Callable[[str, Mapping[str, object]], str]
Conf = dict[str, Any]

DAG_ID = "elementary_snapshot"

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]


@pytest.fixture
def warehouse(tmp_path: Path, airflow_connection: Connect) -> Conf:
    path = write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb")
    return {"elementary_conn_id": airflow_connection("warehouse", duckdb_file(path))}


def manifest_policy(directory: Path, sequence: int) -> Mapping[str, Any]:
    return read_manifest(opened(open_store((directory / "store").as_uri())), sequence).policy


def taken(store: Path) -> list[str]:
    """Return the names of what a store holds beside the record of the failed sync."""
    names = [found.key for found in open_store(store.as_uri()).list("")]
    return [name for name in names if not name.startswith("results/failures/")]


class TestTheForm:
    @pytest.fixture
    def master_keys(self) -> dict[str, str]:
        return LocalKeys.generate()

    @pytest.fixture
    def conf(self, warehouse: Conf, master_keys: dict[str, str], tmp_path: Path, airflow_connection: Connect) -> Conf:
        store = local_store(tmp_path / "store", master_keys, failed_rows_days=3650)
        return {**warehouse, "store_conn_id": airflow_connection("store", store)}

    @pytest.fixture
    def opened(self, master_keys: dict[str, str], tmp_path: Path) -> Callable[[], SnapshotSource]:
        return opened(open_store((tmp_path / "store").as_uri()), LocalKeys(master_keys)).source

    def test_as_it_is_it_takes_six_categories_and_the_next_run_adds_to_it(self, conf: Conf) -> None:
        first, second = (run_dag(DAG_ID, conf) for _ in range(2))

        assert (first.state, second.state) == ("success", "success")
        assert "query_logs" not in first.returned["snapshot"]["categories"]
        assert len(first.returned["snapshot"]["categories"]) == 6
        assert [outcome.returned["snapshot"]["kind"] for outcome in (first, second)] == ["full", "incremental"]

    def test_what_stays_behind_is_what_was_chosen(self, conf: Conf, opened: Callable[[], SnapshotSource]) -> None:
        chosen = {
            "dropped_columns": ["dbt_models.description"],
            "masked_columns": ["dbt_models.owner"],
            "hashed_columns": ["dbt_models.alias"],
            "full_every_days": 0,
        }

        outcome = run_dag(DAG_ID, {**conf, **chosen})

        models = read_all(opened(), "dbt_models")
        policy = opened().manifest.policy
        assert outcome.state == "success"
        assert "description" not in models.column_names
        assert set(models["owner"].to_pylist()) <= {"***", None}
        assert policy["hashed_columns"] == ["dbt_models.alias"]

    def test_a_table_may_be_without_failed_rows(self, conf: Conf, opened: Callable[[], SnapshotSource]) -> None:
        run_dag(DAG_ID, {**conf, "failed_rows_excluded_tables": ["DWH.Analytics.Orders"]})

        assert opened().manifest.policy["failed_rows_excluded_tables"] == ["dwh.analytics.orders"]

    def test_one_switch_takes_nothing_that_quotes_data(self, conf: Conf, opened: Callable[[], SnapshotSource]) -> None:
        outcome = run_dag(DAG_ID, {**conf, "without_raw_values": True})

        assert outcome.state == "success"
        assert "failed_rows_sample" not in outcome.returned["snapshot"]["categories"]
        assert opened().manifest.policy["dropped_metrics"] == ["max", "min", "sum"]

    def test_a_column_that_does_not_exist_fails_the_run_before_the_first_read(self, conf: Conf, tmp_path: Path) -> None:
        outcome = run_dag(DAG_ID, {**conf, "masked_columns": ["dbt_models.no_such_column"]})

        assert outcome.state == "failed"
        assert taken(tmp_path / "store") == [GENESIS]

    @pytest.mark.parametrize(
        "wider",
        [
            {"categories": ["metadata", "query_logs"]},
            {"failed_rows_per_test": 6},
            {"failed_rows_days": 3650},
            {"full_every_days": 8},
        ],
        ids=str,
    )
    def test_a_form_that_asks_for_more_than_the_connection_allows_fails(
        self, warehouse: Conf, wider: Conf, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        store = airflow_connection("strict", local_store(tmp_path / "store"))

        outcome = run_dag(DAG_ID, {**warehouse, "store_conn_id": store, **wider})

        assert outcome.state == "failed"
        assert taken(tmp_path / "store") == [GENESIS]

    @pytest.mark.parametrize("dag_id", [DAG_ID, "elementary_observability"])
    def test_a_scheduled_run_takes_what_the_empty_form_takes(
        self, dag_id: str, warehouse: Conf, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        said = {
            "categories": ["metadata", "table_metrics"],
            "masked_columns": ["dbt_models.owner"],
            "full_every_days": 0,
        }
        airflow_connection("elementary_store_default", local_store(tmp_path / "store", **said))
        airflow_connection("elementary_default", duckdb_file(tmp_path / "warehouse.duckdb"))
        shown = dict(parse_dag(dag_id).params)

        scheduled, submitted = run_dag(dag_id, {}), run_dag(dag_id, shown)

        policies = [manifest_policy(tmp_path, number) for number in (1, 2)]
        assert (scheduled.state, submitted.state) == ("success", "success")
        assert policies[0] == policies[1]
        assert policies[0]["categories"] == ["metadata", "table_metrics"]
        assert policies[0]["masked_columns"] == ["dbt_models.owner"]


class TestOnS3:
    def test_a_category_has_its_own_key_and_a_store_that_is_not_pinned_takes_nothing(
        self, warehouse: Conf, aws_server: AwsServer, airflow_connection: Connect
    ) -> None:
        kms = aws_server.client("kms")
        bucket, key, own = aws_server.create_bucket(), aws_server.create_key(), aws_server.create_key()
        signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["Arn"]
        airflow_connection("aws", aws_server.airflow_connection())
        store = s3_store(
            aws_server,
            f"s3://{bucket}/elementary",
            key,
            signing_kms_key_id=signing,
            category_kms_key_ids={"run_results": own},
        )
        facts = {name: value for name, value in store["extra"].items() if name != "store_id"}
        pinned = {"store_conn_id": airflow_connection("pinned", store)}
        unpinned = {"store_conn_id": airflow_connection("unpinned", {**store, "extra": facts})}

        refused = run_dag(DAG_ID, {**warehouse, **unpinned})
        taken = run_dag(DAG_ID, {**warehouse, **pinned})
        verified = run_dag("elementary_snapshot_verify", pinned)
        s3 = S3Store(aws_server.client("s3"), bucket, "elementary", kms_key_id=key)
        repository = Repository(s3, store_id=store["extra"]["store_id"])
        manifest = read_manifest(repository, 1)

        assert [outcome.state for outcome in (refused, taken, verified)] == ["failed", "success", "success"]
        assert manifest.keys["run_results"].master_key_id == own
        assert manifest.keys["metadata"].master_key_id == key
