"""A store is created once, and a signing key that was lost or stolen is replaced by another."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.snapshots import Policy, Repository, write_snapshot
from airflow_provider_elementary.snapshots.store_setup import (
    create_store,
    read_signing_key,
    rotate_signing_key,
    write_private_file,
)
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.genesis import Predecessor
from airflow_provider_elementary.storage.layout import GENESIS
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.storage.signers import Ed25519Signer
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.signing import new_signer
from tests.support.stores import Rest, local_rest, world_after


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return local_rest(tmp_path)


def take_with(rest: Rest, directory: Path, store_id: str, signing: Ed25519Signer, run_key: str) -> int:
    path = directory / "warehouse.duckdb"
    path.unlink(missing_ok=True)
    repository = Repository(rest.store, rest.keys, store_id=store_id, signing=signing)
    with WarehouseSource(DuckDBWarehouse(write_duckdb(world_after(4), path), "elementary")) as source:
        return write_snapshot(source, repository, policy=Policy(failed_rows_days=100_000), run_key=run_key).sequence


def test_a_lost_signing_key_is_replaced_by_the_recovery_key(rest: Rest, tmp_path: Path) -> None:
    lost, new, recovery = new_signer(), new_signer(), tmp_path / "recovery.json"
    store_id = create_store(rest.store, rest.keys, lost, recovery_file=recovery).store_id
    take_with(rest, tmp_path, store_id, lost, "1")
    repository = Repository(rest.store, rest.keys, store_id=store_id)

    entry, first = rotate_signing_key(repository, new, read_signing_key(recovery))
    take_with(rest, tmp_path, store_id, new, "2")

    assert (entry.key.key_id, first, recovery.stat().st_mode & 0o777) == (new.key_id, 2, 0o600)
    report = verify(Repository(rest.store, rest.keys, store_id=store_id), snapshot="all")
    assert (report.outcome, report.manifests) == (Outcome.NOT_ANCHORED, 2)
    with pytest.raises(ConfigurationError, match=f"Signing key {lost.key_id} may not sign"):
        take_with(rest, tmp_path, store_id, lost, "3")


def test_no_store_is_created_over_one_whose_genesis_is_gone(rest: Rest, tmp_path: Path) -> None:
    signer = new_signer()
    take_with(rest, tmp_path, create_store(rest.store, rest.keys, signer).store_id, signer, "1")
    rest.path(GENESIS).unlink()

    with pytest.raises(ConfigurationError, match=r"holds snapshots whose store\.json was removed"):
        create_store(rest.store, rest.keys, new_signer(), recovery_file=tmp_path / "recovery.json")

    assert not rest.path(GENESIS).exists()
    assert not (tmp_path / "recovery.json").exists()


def test_the_old_key_introduces_a_new_one(rest: Rest, tmp_path: Path) -> None:
    old, new = new_signer(), new_signer()
    store_id = create_store(rest.store, rest.keys, old).store_id
    repository = Repository(rest.store, rest.keys, store_id=store_id)

    assert rotate_signing_key(repository, new, old, revoke=True)[1] == 1
    assert take_with(rest, tmp_path, store_id, new, "1") == 1


def test_a_key_that_is_known_already_is_not_introduced(rest: Rest) -> None:
    signer = new_signer()
    store_id = create_store(rest.store, rest.keys, signer).store_id

    with pytest.raises(ConfigurationError, match="is known to the store already"):
        rotate_signing_key(Repository(rest.store, rest.keys, store_id=store_id), signer, signer)


def test_a_foreign_key_introduces_none(rest: Rest) -> None:
    store_id = create_store(rest.store, rest.keys, new_signer()).store_id

    with pytest.raises(ConfigurationError, match="may introduce no other"):
        rotate_signing_key(Repository(rest.store, rest.keys, store_id=store_id), new_signer(), new_signer())


def test_a_store_that_is_not_created_leaves_no_recovery_key(rest: Rest, tmp_path: Path) -> None:
    create_store(rest.store, rest.keys, new_signer())

    with pytest.raises(ConfigurationError, match="is a store already"):
        create_store(rest.store, rest.keys, new_signer(), recovery_file=tmp_path / "recovery.json")

    assert not (tmp_path / "recovery.json").exists()


def test_a_recovery_key_file_is_never_replaced(rest: Rest, tmp_path: Path) -> None:
    write_private_file(tmp_path / "recovery.json", {"kept": True})

    with pytest.raises(ConfigurationError, match="cannot be made"):
        create_store(rest.store, rest.keys, new_signer(), recovery_file=tmp_path / "recovery.json")

    assert (tmp_path / "recovery.json").read_text() == '{"kept": true}'


def test_a_store_says_which_one_it_continues(tmp_path: Path) -> None:
    before = Predecessor("ab" * 32, 12, "cd" * 32)

    trust = create_store(LocalStore(tmp_path / "store"), None, new_signer(), after=before)

    assert trust.genesis.after == before


def test_a_store_without_a_signing_key_is_not_created(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")

    with pytest.raises(ConfigurationError, match="No signing key for file:"):
        create_store(store, None, None)

    assert list(store.list("")) == []
