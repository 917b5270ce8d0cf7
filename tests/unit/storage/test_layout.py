"""Every object name of a store has one home, and is taken apart as it was put together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import airflow_provider_elementary
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage import layout
from airflow_provider_elementary.storage.object_store.local import LocalStore

PACKAGE = Path(airflow_provider_elementary.__file__).parent
PREFIXES = (
    layout.MANIFESTS,
    layout.PRUNE_RECORDS,
    layout.DATA,
    layout.RESULTS,
    layout.ACCESS_REPORTS,
)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_other_module_spells_a_prefix(prefix: str) -> None:
    spelled = re.compile(rf"""f?["']{re.escape(prefix)}""")

    others = [
        path.name for path in PACKAGE.rglob("*.py") if path.name != "layout.py" and spelled.search(path.read_text())
    ]

    assert others == []


def test_names_are_what_format_2_says() -> None:
    assert layout.manifest_key(7) == "manifests/0000000007"
    assert layout.record_key(7) == "prunes/0000000007"
    assert layout.data_file("S", "dbt_models", Category.METADATA) == "data/S/dbt_models/metadata.parquet"
    assert layout.series_key(layout.access_folder("a/b"), 1) == "access/a%2Fb/9999999998"
    assert layout.signer_key(7) == "signers/0000000007"


def test_a_file_leads_to_what_it_belongs_to() -> None:
    file = layout.result_file("metrics", "series", "run", "0badf00d", Category.TABLE_METRICS)
    folder = layout.result_series("metrics", "series")

    assert layout.writer_of(layout.data_file("S", "dbt_models", Category.METADATA)) == "S"
    assert file.startswith(layout.result_files("metrics", "series", "run"))
    assert layout.is_result(layout.series_key(folder, 1))
    assert not layout.is_result(file)
    assert layout.series_number(folder, layout.series_key(folder, 41)) == 41
    assert layout.series_number(folder, file) is None


def test_the_newest_document_of_a_series_is_listed_first(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for number in (1, 2, 10):
        store.put(layout.series_key("access/dwh/", number), b"")

    listed = [layout.series_number("access/dwh/", found.key) for found in store.list("access/dwh/")]

    assert listed == [10, 2, 1]


def test_numbered_and_other_names_are_separated(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for name in (layout.manifest_key(2), layout.manifest_key(10), "manifests/2.json", "manifests/x/0000000003.json"):
        store.put(name, b"")

    numbers, unexpected = layout.numbered(store, layout.MANIFESTS)

    assert list(numbers) == [2, 10]
    assert sorted(unexpected) == ["manifests/2.json", "manifests/x/0000000003.json"]


@pytest.mark.parametrize("snapshot_id", ["", "x", "20261122", "20261122T000000Z", "x20261122T000000Z-1"])
def test_what_is_no_snapshot_id_began_at_no_time(snapshot_id: str) -> None:
    assert layout.begun_at(snapshot_id) is None


@pytest.mark.parametrize("name", ["00000000T000000Z-aa", "99999999T999999Z-aa", "20261340T250000Z-aa", "", "latest"])
def test_an_id_that_holds_no_time_was_begun_at_none(name: str) -> None:
    assert layout.begun_at(name) is None
