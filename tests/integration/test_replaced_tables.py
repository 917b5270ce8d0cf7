"""A table that is replaced in place is recognized by a keyed digest of what its files hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category, Kind
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Policy, open_snapshot
from airflow_provider_elementary.snapshots.capture.dedup import digest_of_all, row_digests
from airflow_provider_elementary.snapshots.capture.partition import Part
from airflow_provider_elementary.snapshots.capture.replaced import Contents
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.keys import DataKey
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.counting_store import CountingStore
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.syncs import EVERYTHING, CountedKeys, Sync

MODELS, GROUPS = "dbt_models", "dbt_groups"
REPLACED = [name for name, table in TABLES.items() if table.kind in (Kind.ARTIFACTS, Kind.CONFIGURATION)]
NO_HASH = replace(EVERYTHING, dropped_columns=(f"{MODELS}.metadata_hash",))


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    path = write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb")
    return Sync(path, CountingStore(), CountedKeys(LocalKeys(LocalKeys.generate())))


def without(category: Category) -> Policy:
    return replace(EVERYTHING, categories=tuple(one for one in Category if one is not category))


#: A policy, and a change of what it leaves out.
LEFT_OUT = {
    "a dropped column": (replace(EVERYTHING, dropped_columns=(f"{MODELS}.description",)), "description = 'guess'"),
    "the dropped hash": (NO_HASH, "metadata_hash = 'guess'"),
    "the dropped hash and a column": (
        replace(NO_HASH, dropped_columns=(*NO_HASH.dropped_columns, f"{MODELS}.owner")),
        "metadata_hash = 'guess', owner = 'guess'",
    ),
    "the masked hash": (
        replace(EVERYTHING, masked_columns=(f"{MODELS}.metadata_hash",)),
        "metadata_hash = 'guess'",
    ),
    "a category that is left out": (without(Category.CONFIGURATION), "materialization = 'guess'"),
    "the hash of a category that is left out": (
        without(Category.METADATA),
        "metadata_hash = 'guess', description = 'guess'",
    ),
}


@pytest.mark.parametrize(("policy", "change"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_is_left_out_changes_no_digest(sync: Sync, policy: Policy, change: str) -> None:
    before = sync.snapshot(policy)
    sync.change(f"UPDATE {MODELS} SET {change}")

    found = sync.snapshot(policy)

    assert before.tables[MODELS].fingerprint is not None
    assert found.tables[MODELS].fingerprint == before.tables[MODELS].fingerprint
    assert of_models(found) == of_models(before)


#: A policy, and a change of what it stores.
STORED = {
    "the hash": (EVERYTHING, "metadata_hash = 'another'"),
    "the hash as a keyed hash": (
        replace(EVERYTHING, hashed_columns=(f"{MODELS}.metadata_hash",)),
        "metadata_hash = 'another'",
    ),
    "a column without the hash": (NO_HASH, "description = 'another'"),
    "a column of another category without the hash": (NO_HASH, "materialization = 'another'"),
    "a column beside the masked hash": (
        replace(EVERYTHING, masked_columns=(f"{MODELS}.metadata_hash",)),
        "description = 'another'",
    ),
    "a column of the one category that is taken": (without(Category.METADATA), "materialization = 'another'"),
    "an id": (EVERYTHING, "unique_id = unique_id || '_'"),
}


@pytest.mark.parametrize(("policy", "change"), STORED.values(), ids=STORED.keys())
def test_what_is_stored_is_noticed(sync: Sync, policy: Policy, change: str) -> None:
    before = sync.snapshot(policy)
    sync.change(f"UPDATE {MODELS} SET {change} WHERE name = (SELECT min(name) FROM {MODELS})")

    found = sync.snapshot(policy)

    assert (found.kind, {file.snapshot_id for file in of_models(found)}) == ("incremental", {found.snapshot_id})
    assert found.tables[MODELS].fingerprint != before.tables[MODELS].fingerprint


def test_a_change_is_noticed_where_dbt_gives_no_hash(sync: Sync) -> None:
    sync.change(f"UPDATE {MODELS} SET metadata_hash = NULL WHERE name = (SELECT min(name) FROM {MODELS})")
    before = sync.snapshot(EVERYTHING)
    sync.change(f"UPDATE {MODELS} SET description = 'another' WHERE metadata_hash IS NULL")

    found = sync.snapshot(EVERYTHING)

    assert (found.kind, before.tables[MODELS].fingerprint) == ("incremental", None)
    assert sync.column(MODELS, "description").count("another") == 1


@pytest.mark.parametrize("policy", [EVERYTHING, NO_HASH, Policy(), without(Category.METADATA)])
def test_a_digest_is_of_what_the_files_hold(sync: Sync, policy: Policy) -> None:
    for manifest in (sync.snapshot(policy), sync.snapshot(policy)):
        found = {name: entry.fingerprint for name, entry in manifest.tables.items() if entry.fingerprint is not None}

        assert found
        assert found == {name: digest_of_files(sync, manifest, name, policy) for name in found}


def test_rows_in_another_order_are_not_written_again(sync: Sync) -> None:
    before = sync.snapshot()
    sync.change(
        f"CREATE TABLE turned AS SELECT * FROM {MODELS} ORDER BY unique_id DESC",
        f"DROP TABLE {MODELS}",
        f"ALTER TABLE turned RENAME TO {MODELS}",
    )

    assert of_models(sync.snapshot()) == of_models(before)


def test_other_data_keys_give_another_digest(tmp_path: Path) -> None:
    path = write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb")
    stores = [Sync(path, CountingStore(), CountedKeys(LocalKeys(LocalKeys.generate()))) for _ in range(2)]

    found = [{name: one.snapshot().tables[name].fingerprint for name in REPLACED} for one in stores]
    rotated = stores[0].snapshot(full_every_days=0).tables

    assert [name for name in REPLACED if found[0][name] in (found[1][name], rotated[name].fingerprint)] == []


@pytest.mark.parametrize("columns", [("unique_id", "metadata_hash"), tuple(TABLES[GROUPS].columns)])
def test_a_guess_of_all_values_matches_nothing_without_the_key(sync: Sync, columns: tuple[object, ...]) -> None:
    document = sync.snapshot().tables[GROUPS].fingerprint
    names = [getattr(column, "name", column) for column in columns]
    with sync.source() as source:
        (batch,) = read_all(source, GROUPS, names).combine_chunks().to_batches()

    guesses = set[str]()
    for key in (b"", b"contents", b"window"):
        digests = row_digests(batch, names, key)
        guesses |= {digest_of_all(digests), hashlib.sha256(np.sort(digests).tobytes()).hexdigest()}
    zero = {category: DataKey(bytes(32), sync.keys.new_data_key(category, {}).wrapped) for category in Category}
    contents = Contents(TABLES[GROUPS], [Part(GROUPS, Category.METADATA, tuple(names))], EVERYTHING, zero)
    contents.add(batch)

    assert document not in {*guesses, contents.fingerprint}


@pytest.mark.parametrize("policy", [EVERYTHING, NO_HASH], ids=["hash", "no hash"])
def test_the_warehouse_is_read_once_where_nothing_changed_or_all_is_new(
    sync: Sync, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, read = list[str](), WarehouseSource.read

    def counted(self: WarehouseSource, table: str, **arguments: object) -> pa.RecordBatchReader:
        reads.append(table)
        return read(self, table, **arguments)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(WarehouseSource, "read", counted)
    for _ in range(2):
        reads.clear()
        sync.snapshot(policy)
        # The version of the package is read of the other one.
        artifacts = [name for name in REPLACED if TABLES[name].kind is Kind.ARTIFACTS]
        assert {name: reads.count(name) for name in artifacts} == dict.fromkeys(artifacts, 1)


def of_models(manifest: Manifest) -> list[FileEntry]:
    return [file for file in manifest.files if file.table == MODELS]


def digest_of_files(sync: Sync, manifest: Manifest, name: str, policy: Policy) -> str:
    """Return the digest of a table from nothing but files, and the data keys that open them."""
    opened = open_snapshot(sync.repository)
    parts = [Part(name, file.category, file.columns) for file in manifest.files if file.table == name]
    data_keys = {part.category: DataKey(opened.data_key(part.category), manifest.keys[part.category]) for part in parts}
    contents = Contents(TABLES[name], parts, policy, data_keys)
    for batch in batches(sync, name):
        contents.add(batch)
    return contents.fingerprint


def batches(sync: Sync, name: str) -> Iterator[pa.RecordBatch]:
    yield from read_all(open_snapshot(sync.repository), name).combine_chunks().to_batches()
