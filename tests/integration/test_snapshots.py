"""A snapshot holds what the policy lets through, opens with its keys only, and is committed whole or not at all."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreRefusedError,
    UnknownTableError,
    WarehouseError,
)
from airflow_provider_elementary.snapshots import (
    Keys,
    KmsKeys,
    LocalKeys,
    Manifest,
    Policy,
    Store,
    find_manifest,
    open_snapshot,
    open_store,
    write_snapshot,
)
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import many_metrics, write_duckdb
from tests.support.little_project import FAILED_ROW_VALUE, OWNER_EMAIL, SECRET_VAR, SQL_LITERAL, World, small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

EVERYTHING = Policy(categories=tuple(Category), failed_rows_days=100_000)


@dataclass(frozen=True)
class Rest:
    """Where snapshots of a test rest, and the keys to them."""

    store: Store
    keys: Keys

    @property
    def repository(self) -> Repository:
        """The store with its keys."""
        return opened(self.store, self.keys)


@pytest.fixture
def world() -> World:
    return small_world(days=5)


@pytest.fixture
def source(world: World, tmp_path: Path) -> Iterator[WarehouseSource]:
    path = write_duckdb(world, tmp_path / "warehouse.duckdb")
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        yield source


@pytest.fixture
def local(tmp_path: Path) -> Rest:
    return Rest(open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate()))


@pytest.fixture
def s3(aws_server: AwsServer) -> Rest:
    key_id = aws_server.create_key()
    store = S3Store(aws_server.client("s3"), aws_server.create_bucket(), "elementary", kms_key_id=key_id)
    return Rest(store, KmsKeys(aws_server.client("kms"), key_id))


@pytest.fixture(params=["local", "s3"])
def rest(request: pytest.FixtureRequest) -> Rest:
    found: Rest = request.getfixturevalue(request.param)
    return found


def rows_of(table: Any) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=repr)


def stored_bytes(store: Store) -> bytes:
    contents = (store.get(entry.key) or b"" for prefix in ("data/", "manifests/") for entry in store.list(prefix))
    return b"".join(contents)


def write_and_break_off(store: Store, content: bytes) -> None:
    with store.create("data/large") as file:
        file.write(content)
        raise RuntimeError("worker killed")


def data_key(rest: Rest, manifest: Manifest, category: Category) -> bytes:
    return rest.repository.keys.unwrap(category, manifest.keys[category.value], Purpose.SNAPSHOT)


class TestWhatIsInASnapshot:
    def test_every_row_of_every_table_comes_back_but_dbt_vars_are_masked(
        self, source: WarehouseSource, world: World, rest: Rest
    ) -> None:
        write_snapshot(source, rest.repository, policy=EVERYTHING)

        snapshot = open_snapshot(rest.repository)

        assert snapshot.tables() == list(TABLES)
        for name, table in world.items():
            open_columns = [column for column in table.column_names if column not in ("vars", "invocation_vars")]
            assert rows_of(read_all(snapshot, name, open_columns)) == rows_of(table.select(open_columns))
        assert set(read_all(snapshot, "dbt_invocations")["vars"].to_pylist()) == {"***"}

    def test_the_manifest_counts_what_was_read_and_what_was_held_back(
        self, source: WarehouseSource, world: World, local: Rest
    ) -> None:
        manifest = write_snapshot(source, local.repository)

        assert {name: entry.rows for name, entry in manifest.tables.items()} == {
            name: table.num_rows for name, table in world.items()
        }
        assert {
            "rule": "masked",
            "column": "dbt_invocations.vars",
            "category": "configuration",
            "values": 5,
        } in manifest.exclusions
        assert manifest.tables["dbt_run_results"].excluded_categories == (Category.QUERY_LOGS,)

    def test_query_logs_stay_in_the_warehouse_by_default(self, source: WarehouseSource, local: Rest) -> None:
        manifest = write_snapshot(source, local.repository)

        snapshot = open_snapshot(local.repository)

        assert not any(file.category is Category.QUERY_LOGS for file in manifest.files)
        assert not {"compiled_code", "query_id"} & set(snapshot.schema("dbt_run_results").names)

    def test_a_table_of_a_category_that_is_out_is_not_there(self, source: WarehouseSource, local: Rest) -> None:
        write_snapshot(source, local.repository, policy=Policy(categories=(Category.TABLE_METRICS,)))

        snapshot = open_snapshot(local.repository)

        assert snapshot.tables() == ["data_monitoring_metrics"]
        assert read_all(snapshot, "data_monitoring_metrics")["column_name"].null_count == len(
            read_all(snapshot, "data_monitoring_metrics")
        )
        with pytest.raises(UnknownTableError, match="does not hold dbt_models"):
            read_all(snapshot, "dbt_models")

    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            (Policy(failed_rows_days=100_000), 5),
            (Policy(failed_rows_days=100_000, failed_rows_per_test=0), 0),
            (Policy(failed_rows_days=0), 0),
        ],
        ids=["limit not reached", "none per test", "all too old"],
    )
    def test_failed_rows_are_limited_in_number_and_age(
        self, source: WarehouseSource, local: Rest, policy: Policy, expected: int
    ) -> None:
        write_snapshot(source, local.repository, policy=policy)

        rows = read_all(open_snapshot(local.repository), "test_result_rows")

        assert rows["test_type"].to_pylist().count("dbt_test") == expected

    def test_a_column_masked_by_choice_is_masked(self, source: WarehouseSource, local: Rest) -> None:
        write_snapshot(source, local.repository, policy=Policy(masked_columns=("dbt_groups.owner_email",)))

        groups = read_all(open_snapshot(local.repository), "dbt_groups")

        assert set(groups["owner_email"].drop_null().to_pylist()) <= {"***"}

    def test_nothing_readable_is_stored(self, source: WarehouseSource, rest: Rest) -> None:
        write_snapshot(source, rest.repository, policy=EVERYTHING)

        stored = stored_bytes(rest.store)

        for planted in (SECRET_VAR, FAILED_ROW_VALUE, SQL_LITERAL, OWNER_EMAIL):
            assert planted.encode() not in stored


class TestKeys:
    def test_each_category_has_a_key_of_its_own(self, source: WarehouseSource, local: Rest) -> None:
        manifest = write_snapshot(source, local.repository, policy=EVERYTHING)

        keys = {category: data_key(local, manifest, category) for category in Category}

        assert len(set(keys.values())) == len(Category)

    def test_a_reader_with_one_key_reads_its_category_and_learns_which_others_there_are(
        self, source: WarehouseSource, tmp_path: Path
    ) -> None:
        master_keys = LocalKeys.generate()
        store = open_store((tmp_path / "store").as_uri())
        write_snapshot(source, opened(store, LocalKeys(master_keys)))

        snapshot = open_snapshot(opened(store, LocalKeys({"table_metrics": master_keys["table_metrics"]})))

        assert snapshot.tables() == ["data_monitoring_metrics"]
        assert snapshot.excluded_categories("data_monitoring_metrics") == [Category.AGGREGATED_METRICS]
        assert read_all(snapshot, "data_monitoring_metrics").num_rows > 0
        with pytest.raises(KeyUnavailableError, match=r"No master key for .*there are keys for: table_metrics"):
            read_all(snapshot, "dbt_models")

    def test_another_key_opens_nothing(self, source: WarehouseSource, local: Rest) -> None:
        write_snapshot(source, local.repository)

        foreign = open_snapshot(opened(local.store, LocalKeys(LocalKeys.generate())))

        with pytest.raises(KeyUnavailableError, match="does not open what"):
            read_all(foreign, "dbt_models")

    def test_plain_pyarrow_opens_a_file_with_its_data_key(
        self, source: WarehouseSource, world: World, local: Rest, tmp_path: Path
    ) -> None:
        manifest = write_snapshot(source, local.repository)
        file = next(file for file in manifest.files if file.table == "dbt_groups")

        opened = pq.read_table(
            tmp_path / "store" / file.key,
            decryption_properties=pe.create_decryption_properties(data_key(local, manifest, file.category)),
        )

        assert rows_of(opened) == rows_of(world["dbt_groups"])

    def test_plain_duckdb_opens_a_file_of_many_row_groups_with_its_data_key(self, local: Rest, tmp_path: Path) -> None:
        path = write_duckdb({"data_monitoring_metrics": many_metrics(300_000).read_all()}, tmp_path / "many.duckdb")
        with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
            manifest = write_snapshot(source, local.repository)
        file = max(manifest.files, key=lambda file: file.rows)

        key = base64.b64encode(data_key(local, manifest, file.category)).decode()
        with duckdb.connect() as plain:
            plain.execute(f"PRAGMA add_parquet_key('k', '{key}')")
            query = "SELECT count(*), count(DISTINCT id) FROM read_parquet(?, encryption_config = {footer_key: 'k'})"
            found = plain.execute(query, [str(tmp_path / "store" / file.key)]).fetchall()

        assert found == [(file.rows, file.rows)]
        assert file.rows >= 200_000


class TestCommit:
    def test_a_second_attempt_of_the_same_run_returns_the_first_snapshot(
        self, source: WarehouseSource, rest: Rest
    ) -> None:
        first = write_snapshot(source, rest.repository, run_key="dag/run 1")

        second = write_snapshot(source, rest.repository, run_key="dag/run 1")

        assert second == first
        assert [entry.key for entry in rest.store.list("manifests/")] == ["manifests/0000000001"]

    def test_snapshots_form_a_chain(self, source: WarehouseSource, rest: Rest) -> None:
        first = write_snapshot(source, rest.repository)

        second = write_snapshot(source, rest.repository)

        assert (first.parent, second.sequence) == (None, 2)
        assert second.parent is not None
        assert second.parent.sequence == 1

    def test_a_snapshot_is_found_by_its_id_and_by_time(self, source: WarehouseSource, local: Rest) -> None:
        first = write_snapshot(source, local.repository)
        second = write_snapshot(source, local.repository)

        assert find_manifest(local.repository, first.snapshot_id) == first
        assert find_manifest(local.repository, second.taken_at) == second
        assert find_manifest(local.repository) == second

    def test_a_warehouse_that_goes_away_leaves_no_manifest(
        self, source: WarehouseSource, rest: Rest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_snapshot(source, rest.repository)
        stream = source.warehouse.stream

        def break_off(query: Any) -> Iterator[Any]:
            if query.tables == ("elementary_test_results",):
                raise WarehouseError("the server closed the connection")
            yield from stream(query)

        monkeypatch.setattr(source.warehouse, "stream", break_off)
        with pytest.raises(WarehouseError, match="the server closed the connection"):
            write_snapshot(source, rest.repository)

        assert [entry.key for entry in rest.store.list("manifests/")] == ["manifests/0000000001"]
        assert read_all(open_snapshot(rest.repository), "dbt_models").num_rows > 0

    def test_an_empty_store_is_an_error(self, rest: Rest) -> None:
        with pytest.raises(SnapshotNotFoundError, match="holds no snapshot"):
            open_snapshot(rest.repository)

    def test_an_unknown_snapshot_error_names_those_that_there_are(self, source: WarehouseSource, local: Rest) -> None:
        taken = write_snapshot(source, local.repository)

        with pytest.raises(SnapshotNotFoundError, match=taken.snapshot_id):
            open_snapshot(local.repository, "19700101T000000Z-00000000")

    def test_a_changed_byte_is_noticed(self, source: WarehouseSource, local: Rest, tmp_path: Path) -> None:
        manifest = write_snapshot(source, local.repository)
        path = tmp_path / "store" / next(file.key for file in manifest.files if file.table == "dbt_models")
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

        with pytest.raises(SnapshotCorruptError, match="dbt_models"):
            read_all(open_snapshot(local.repository), "dbt_models")


class TestOnS3:
    def test_every_object_is_encrypted_with_the_kms_key(self, source: WarehouseSource, aws_server: AwsServer) -> None:
        key_id, bucket, client = aws_server.create_key(), aws_server.create_bucket(), aws_server.client("s3")
        store = S3Store(client, bucket, "elementary", kms_key_id=key_id)

        write_snapshot(source, opened(store, KmsKeys(aws_server.client("kms"), key_id)))

        heads = [
            client.head_object(Bucket=bucket, Key=found["Key"])
            for found in client.list_objects_v2(Bucket=bucket)["Contents"]
        ]
        assert {(head["ServerSideEncryption"], head["SSEKMSKeyId"]) for head in heads} == {("aws:kms", key_id)}

    def test_a_large_file_goes_up_in_parts_and_comes_back_whole(self, aws_server: AwsServer, s3: Rest) -> None:
        content = os.urandom(40 * 1024 * 1024 + 17)

        with s3.store.create("data/large") as file:
            for start in range(0, len(content), 1_000_000):
                file.write(content[start : start + 1_000_000])

        assert s3.store.get("data/large") == content

    def test_a_large_file_that_breaks_off_leaves_no_object_and_no_parts(self, aws_server: AwsServer) -> None:
        bucket, client = aws_server.create_bucket(), aws_server.client("s3")
        store = S3Store(client, bucket, "", kms_key_id=aws_server.create_key())

        with pytest.raises(RuntimeError, match="worker killed"):
            write_and_break_off(store, bytes(40 * 1024 * 1024))

        assert "Contents" not in client.list_objects_v2(Bucket=bucket)
        assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)

    def test_a_bucket_that_is_not_there_is_refused(self, source: WarehouseSource, aws_server: AwsServer) -> None:
        store = S3Store(aws_server.client("s3"), "no-such-bucket-here", "x", kms_key_id=aws_server.create_key())

        with pytest.raises(StoreRefusedError, match="NoSuchBucket"):
            write_snapshot(source, opened(store, LocalKeys(LocalKeys.generate())))

    def test_a_kms_key_that_is_not_there_fails_before_anything_is_read(
        self, source: WarehouseSource, s3: Rest, aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(source, "read", lambda *_, **__: pytest.fail("read before the keys were there"))
        missing = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"

        with pytest.raises(KeyUnavailableError, match=r"KMS key .*000 did not make a data key.*NotFoundException"):
            write_snapshot(source, opened(s3.store, KmsKeys(aws_server.client("kms"), missing)))

        assert list(s3.store.list("manifests/")) == []


class TestLocalDirectory:
    def test_a_directory_that_may_not_be_written_is_refused(self, source: WarehouseSource, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")

        with pytest.raises(StoreRefusedError, match="is a file and not a directory"):
            write_snapshot(source, opened(open_store((tmp_path / "file").as_uri()), LocalKeys(LocalKeys.generate())))

    def test_files_are_for_their_owner_only(self, source: WarehouseSource, local: Rest, tmp_path: Path) -> None:
        write_snapshot(source, local.repository)

        modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "store").rglob("*")}

        assert modes == {0}
