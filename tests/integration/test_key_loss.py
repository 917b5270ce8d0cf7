"""A key is lost: what stays readable, what is said, and what brings the sync back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ElementaryError,
    KeyUnavailableError,
    SnapshotCorruptError,
)
from airflow_provider_elementary.snapshots import KmsKeys, LocalKeys, Policy, Repository, open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.restore_drill import drill
from airflow_provider_elementary.snapshots.store_setup import create_store, read_signing_key, rotate_signing_key
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.keys import Keys
from airflow_provider_elementary.storage.layout import GENESIS
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.conftest import ROOT
from tests.servers.faulty import FaultyAws, faulty_aws, refuses
from tests.support.datasets import write_duckdb
from tests.support.signing import STORE_ID, new_signer
from tests.support.stores import Rest, copied, grow, local_rest, take, world_after

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.certificates import Certificates

PAGE = " ".join((ROOT / "docs" / "how-to" / "lose-a-key.md").read_text(encoding="utf-8").split())
LOST = Category.RUN_RESULTS
MASTERS = LocalKeys.generate()
HASTY = Config(retries={"mode": "standard", "max_attempts": 2})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, Any]:
    folder = tmp_path_factory.mktemp("original")
    made = local_rest(folder)
    rest = Rest(made.store, LocalKeys(MASTERS), made.folder)
    return rest, grow(rest, folder, [3])


@pytest.fixture
def rest(original: tuple[Rest, Any], tmp_path: Path) -> Rest:
    return copied(original[0], tmp_path)


def sync(rest: Rest, keys: Keys, directory: Path) -> Any:
    return take(Rest(rest.store, keys, rest.folder), directory / "warehouse.duckdb", world_after(4))


def rows(repository: Repository, table: str) -> int:
    return int(read_all(open_snapshot(repository), table).num_rows)


def said(error: pytest.ExceptionInfo[ElementaryError]) -> str:
    """Return the message, after a look whether the page on lost keys quotes it."""
    quoted = re.findall(r'"([^"]+)"', PAGE)
    message = str(error.value)
    assert any(re.search(".*".join(map(re.escape, text.split("…"))), message) for text in quoted), message
    return message


class TestMasterKeyOfOneCategory:
    def test_the_other_categories_stay_readable_and_a_fresh_key_in_front_goes_through(
        self, rest: Rest, tmp_path: Path
    ) -> None:
        kept = {name: key for name, key in MASTERS.items() if name != LOST}
        reader = Rest(rest.store, LocalKeys(kept), rest.folder)

        assert rows(reader.repository, "dbt_models") == 2
        with pytest.raises(KeyUnavailableError) as read:
            rows(reader.repository, "dbt_run_results")
        with pytest.raises(KeyUnavailableError) as stopped:
            sync(rest, LocalKeys(kept), tmp_path)
        renewed = sync(rest, LocalKeys({**kept, LOST.value: LocalKeys.generate()[LOST]}), tmp_path)

        assert "there are keys for" in said(stopped)
        assert LOST.label in said(read)
        assert (renewed.kind, str(renewed.reason).startswith("other master keys")) == ("full", True)

    def test_the_drill_fails_and_verify_cannot_say(self, rest: Rest, tmp_path: Path) -> None:
        kept = LocalKeys({name: key for name, key in MASTERS.items() if name != LOST})
        reader = Rest(rest.store, kept, rest.folder).repository

        with pytest.raises(KeyUnavailableError) as failed:
            drill(reader, folder=tmp_path)

        assert LOST.label in said(failed)
        assert verify(reader).outcome is Outcome.CANNOT_TELL


def test_a_key_that_was_pasted_wrong_is_named_and_the_right_one_in_front_repairs(rest: Rest, tmp_path: Path) -> None:
    wrong = LocalKeys.generate()[LOST]
    pasted = LocalKeys({**MASTERS, LOST.value: wrong})
    reader = Rest(rest.store, pasted, rest.folder).repository

    assert verify(reader).outcome is Outcome.CANNOT_TELL
    with pytest.raises(KeyUnavailableError) as read:
        rows(reader, "dbt_run_results")
    with pytest.raises(ConfigurationError) as cropped:
        LocalKeys({**MASTERS, LOST.value: MASTERS[LOST][:-5]})
    taken = sync(rest, pasted, tmp_path)
    repaired = sync(rest, LocalKeys({**MASTERS, LOST.value: [MASTERS[LOST], wrong]}), tmp_path)

    assert "does not open what" in said(read)
    assert MASTERS[LOST][:-5] not in said(cropped)
    assert [each.kind for each in (taken, repaired)] == ["full", "full"]
    assert rows(rest.repository, "dbt_run_results") == 20


def test_a_replaced_local_key_reads_what_it_wrote_where_it_is_listed(rest: Rest, tmp_path: Path) -> None:
    fresh = LocalKeys.generate()
    both = LocalKeys({name: [fresh[name], MASTERS[name]] for name in fresh})

    taken = sync(rest, both, tmp_path)

    assert taken.kind == "full"
    assert verify(Rest(rest.store, both, rest.folder).repository, snapshot="all").outcome is Outcome.NOT_ANCHORED
    assert verify(Rest(rest.store, LocalKeys(fresh), rest.folder).repository).outcome is Outcome.NOT_ANCHORED


def test_without_the_signing_key_all_is_read_and_nothing_written_until_recovery(tmp_path: Path) -> None:
    rest, lost, fresh = local_rest(tmp_path), new_signer(), new_signer()
    recovery = tmp_path / "recovery.json"
    store_id = create_store(rest.store, rest.keys, lost, recovery_file=recovery).store_id

    def write(repository: Repository) -> Any:
        path = tmp_path / "warehouse.duckdb"
        path.unlink(missing_ok=True)
        with WarehouseSource(DuckDBWarehouse(write_duckdb(world_after(3), path), "elementary")) as source:
            return write_snapshot(source, repository, policy=Policy(failed_rows_days=100_000))

    write(Repository(rest.store, rest.keys, store_id=store_id, signing=lost))
    reader = Repository(rest.store, rest.keys, store_id=store_id)

    assert rows(reader, "dbt_models") == 2
    assert drill(reader, folder=tmp_path).passed
    with pytest.raises(ConfigurationError) as stopped:
        write(Repository(rest.store, rest.keys, store_id=store_id))
    rotate_signing_key(reader, fresh, read_signing_key(recovery))
    again = write(Repository(rest.store, rest.keys, store_id=store_id, signing=fresh))

    assert "signing" in said(stopped)
    assert again.sequence == 2


def test_without_the_genesis_nothing_is_believed_until_it_is_put_back(rest: Rest, tmp_path: Path) -> None:
    genesis = rest.path(GENESIS).read_bytes()
    rest.path(GENESIS).unlink()
    reader = Repository(rest.store, rest.keys, store_id=STORE_ID)

    with pytest.raises(SnapshotCorruptError) as gone:
        rows(reader, "dbt_models")
    rest.path(GENESIS).write_bytes(genesis.replace(b"2026-01-01", b"2026-01-02"))
    reader = Repository(rest.store, rest.keys, store_id=STORE_ID)
    with pytest.raises(ElementaryError) as other:
        rows(reader, "dbt_models")
    rest.path(GENESIS).write_bytes(genesis)

    assert said(gone)
    assert said(other)
    assert rows(rest.repository, "dbt_models") == 2


class TestKmsKeyDisabled:
    @pytest.fixture(scope="class")
    def proxy(self, aws_server: AwsServer, certificates: Certificates) -> Iterator[FaultyAws]:
        with faulty_aws(aws_server, certificates) as faulty:
            yield faulty

    def test_sync_and_drill_stop_with_the_keys_name_and_go_through_once_it_is_enabled(
        self, proxy: FaultyAws, tmp_path: Path
    ) -> None:
        key_id, client = proxy.behind.create_key(), proxy.server.client
        store = S3Store(client("s3", config=HASTY), proxy.behind.create_bucket(), "e", kms_key_id=key_id)
        rest = Rest(store, KmsKeys(client("kms", config=HASTY), key_id), tmp_path)
        take(rest, tmp_path / "warehouse.duckdb", world_after(3))
        # moto still uses a key that is disabled.
        for operation in ("Decrypt", "GenerateDataKey"):
            proxy.plan(refuses(400, "DisabledException"), operation)

        with pytest.raises(KeyUnavailableError) as stopped:
            take(rest, tmp_path / "warehouse.duckdb", world_after(4))
        with pytest.raises(KeyUnavailableError) as failed:
            drill(rest.repository, folder=tmp_path)
        proxy.heal()
        renewed = take(rest, tmp_path / "warehouse.duckdb", world_after(4))

        assert key_id in said(stopped)
        assert key_id in said(failed)
        assert (renewed.sequence, drill(rest.repository, folder=tmp_path).passed) == (2, True)
