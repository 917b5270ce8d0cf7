"""A manifest is read as it was written, or refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.snapshots.manifest import MANIFEST, FileEntry, Manifest, Parent, TableEntry
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.storage.layout import manifest_key

WHOLE = Manifest(
    snapshot_id="20261122T000000Z-00000000",
    sequence=2,
    kind="full",
    created_at="2026-11-22T00:00:00",
    run_key="dag/run",
    source={"dialect": "postgres", "database": "dwh", "schema": "elementary", "elementary_version": "0.25.1"},
    parent=Parent(1, "ab" * 32),
    tables={"metadata": TableEntry(1, (), (), ())},
    files=(
        FileEntry(
            key="data/x",
            snapshot_id="20261122T000000Z-00000000",
            table="metadata",
            category=Category.CONFIGURATION,
            columns=("dbt_pkg_version",),
            by_rows=False,
            rows=1,
            size=570,
            sha256="cd" * 32,
            footer_size=300,
            footer_sha256="ef" * 32,
            row_groups=(),
            min_watermark=None,
            max_watermark=None,
        ),
    ),
    keys={"configuration": WrappedKey("local:1", "AAAA")},
    policy={"categories": ["configuration"]},
    exclusions=({"rule": "masked", "column": "dbt_invocations.vars", "values": 3},),
    access=None,
    protection={"at_rest": "x"},
    versions={"pyarrow": "26"},
)


def test_a_manifest_comes_back_as_it_was_written() -> None:
    assert MANIFEST.read(MANIFEST.write(WHOLE), "m") == WHOLE


def test_the_same_manifest_is_always_the_same_bytes() -> None:
    again = MANIFEST.read(MANIFEST.write(WHOLE), "m")

    assert MANIFEST.write(again) == MANIFEST.write(WHOLE)


def test_the_first_snapshot_has_no_parent() -> None:
    first = replace(WHOLE, parent=None)

    assert MANIFEST.read(MANIFEST.write(first), "m").parent is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x80", MANIFEST.write(WHOLE)[:-20]])
def test_what_is_no_manifest_is_refused_by_its_name(content: bytes) -> None:
    with pytest.raises(SnapshotCorruptError, match=r"manifests/0000000002 is not a valid manifest"):
        MANIFEST.read(content, manifest_key(2))


def test_a_manifest_of_a_later_format_is_refused() -> None:
    later = json.dumps({**json.loads(MANIFEST.write(WHOLE)), "format_version": 99}).encode()

    with pytest.raises(SnapshotCorruptError, match="m is in format 99, and this version reads format 2"):
        MANIFEST.read(later, "m")
