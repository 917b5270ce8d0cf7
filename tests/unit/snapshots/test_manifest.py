"""A manifest is stored as what it adds to another, and comes back as it was."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest, Parent, Reference, TableEntry
from airflow_provider_elementary.snapshots.manifest_document import (
    GENERATION,
    MANIFEST,
    AddedFiles,
    ManifestDocument,
    TableShape,
    TableState,
    continues,
    document_of,
    entries,
    generation_of,
    manifest_of,
)
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.storage.layout import data_file, manifest_key

SNAPSHOT = "20261122T000000Z-00000000"
BEFORE = "20261121T000000Z-00000000"
REFERENCE = Reference("generations/0000000001-x", "ef" * 32)


def file_of(snapshot_id: str, rows: int = 1) -> FileEntry:
    return FileEntry(
        key=data_file(snapshot_id, "metadata", Category.CONFIGURATION),
        snapshot_id=snapshot_id,
        table="metadata",
        category=Category.CONFIGURATION,
        columns=("dbt_pkg_version",),
        by_rows=False,
        rows=rows,
        size=570,
        sha256="cd" * 32,
        footer_size=300,
        footer_sha256="ef" * 32,
        row_groups=(),
        min_watermark=None,
        max_watermark=None,
    )


TAKEN = Manifest(
    snapshot_id=SNAPSHOT,
    sequence=2,
    kind="incremental",
    created_at="2026-11-22T00:00:00",
    run_key="dag/run",
    source={"dialect": "postgres", "database": "dwh", "schema": "elementary", "elementary_version": "0.25.1"},
    parent=Parent(1, "ab" * 32),
    tables={"metadata": TableEntry(1, ("x",), (), (), ("dbt_pkg_version",), fingerprint="f")},
    files=(file_of(SNAPSHOT),),
    keys={"configuration": WrappedKey("local:1", "AAAA")},
    policy={"categories": ["configuration"]},
    exclusions=({"rule": "masked", "column": "dbt_invocations.vars", "values": 3},),
    access={"checked_at": "2026-11-22T00:00:00+00:00", "findings": [{"status": "pass"}]},
    protection={"at_rest": "x"},
    versions={"pyarrow": "26"},
)
SHARED = replace(
    generation_of(TAKEN), access={"checked_at": "2026-11-21T00:00:00+00:00", "findings": [{"status": "pass"}]}
)


def document(manifest: Manifest = TAKEN, before: tuple[FileEntry, ...] = (file_of(BEFORE),)) -> ManifestDocument:
    return document_of(manifest, SHARED, REFERENCE, lists=(1,), before=before, prune_record=None, may_merge=False)


WHOLE = document()
ADDED = json.loads(MANIFEST.write(WHOLE))["added"]


def test_a_manifest_comes_back_as_it_was() -> None:
    stored = MANIFEST.read(MANIFEST.write(WHOLE), "m")
    generation = GENERATION.read(GENERATION.write(SHARED), "g")

    found = manifest_of(stored, "ab" * 32, generation, entries(stored, generation))

    assert found == replace(TAKEN, generation=REFERENCE, lists=(1,), sha256="ab" * 32)


def test_every_field_of_a_table_and_a_file_is_stored() -> None:
    stored = {field.name for kind in (TableShape, TableState) for field in fields(kind)}

    assert stored == {field.name for field in fields(TableEntry)}
    assert {field.name for field in fields(AddedFiles)} | {"key", "columns", "by_rows"} == {
        field.name for field in fields(FileEntry)
    }


def test_it_holds_only_what_changed() -> None:
    assert WHOLE.added.snapshot_id == (SNAPSHOT,)
    assert WHOLE.dropped == (file_of(BEFORE).key,)
    assert WHOLE.access == {"checked_at": "2026-11-22T00:00:00+00:00"}
    assert document(before=(file_of(SNAPSHOT),)).added == AddedFiles()


def test_a_snapshot_and_a_table_are_left_out_where_they_are_those_of_the_file_before() -> None:
    files = [file_of(BEFORE), file_of(BEFORE, 2), file_of(SNAPSHOT), file_of(SNAPSHOT, 2)]

    added = AddedFiles.of(files)

    assert (added.snapshot_id, added.table) == ((BEFORE, None, SNAPSHOT, None), ("metadata", None, None, None))
    assert [(each["snapshot_id"], each["table"], each["rows"]) for each in added.each()] == [
        (file.snapshot_id, file.table, file.rows) for file in files
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"lists": (2,)},
        {"lists": (0, 1)},
        {"lists": (1, 1)},
        {"sequence": 9, "lists": (2, 1)},
        {"sequence": 9, "lists": (1, 2, 3, 4, 5, 6)},
        {"added": {**ADDED, "rows": []}},
        {"added": {**ADDED, "table": [None]}},
        {"added": {**ADDED, "snapshot_id": [None]}},
    ],
    ids=["its own", "no number", "twice", "out of order", "too many", "another length", "no table", "no snapshot"],
)
def test_lists_that_no_writer_writes_are_refused(change: dict[str, Any]) -> None:
    facts = json.loads(MANIFEST.write(WHOLE))
    assert MANIFEST.read(json.dumps(facts).encode(), "m") == WHOLE

    with pytest.raises(SnapshotCorruptError):
        MANIFEST.read(json.dumps(facts | change).encode(), "m")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"run_key": "another"}, True),
        ({"files": ()}, True),
        ({"access": None}, True),
        ({"policy": {"categories": []}}, False),
        ({"keys": {"configuration": WrappedKey("local:2", "AAAA")}}, False),
        ({"tables": {"metadata": TableEntry(1, ("x", "y"), (), ())}}, False),
        ({"protection": {}}, False),
    ],
    ids=str,
)
def test_what_begins_another_generation(change: dict[str, Any], expected: bool) -> None:
    assert continues(replace(TAKEN, **change), SHARED) is expected


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x80", MANIFEST.write(WHOLE)[:-20]])
def test_what_is_no_manifest_is_refused_by_its_name(content: bytes) -> None:
    with pytest.raises(SnapshotCorruptError, match="manifests/0000000002 is not a valid manifest"):
        MANIFEST.read(content, manifest_key(2))


def test_a_manifest_of_a_later_format_is_refused() -> None:
    later = json.dumps({**json.loads(MANIFEST.write(WHOLE)), "format_version": 99}).encode()

    with pytest.raises(SnapshotCorruptError, match="m is in format 99, and this version reads format 2"):
        MANIFEST.read(later, "m")
