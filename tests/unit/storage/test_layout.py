"""Every object name of a store has one home, and is taken apart as it was put together."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import airflow_provider_elementary
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage import layout
from airflow_provider_elementary.storage.local import LocalStore

PACKAGE = Path(airflow_provider_elementary.__file__).parent
PREFIXES = (
    layout.MANIFESTS,
    layout.PRUNE_RECORDS,
    layout.DATA,
    layout.RESULTS,
    layout.SIGNATURES,
    layout.ACCESS_REPORTS,
)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_other_module_spells_a_prefix(prefix: str) -> None:
    spelled = re.compile(rf"""f?["']{re.escape(prefix)}""")

    others = [
        path.name for path in PACKAGE.rglob("*.py") if path.name != "layout.py" and spelled.search(path.read_text())
    ]

    assert others == []


def test_names_are_what_format_1_says() -> None:
    moment = datetime(2026, 11, 22, 9, tzinfo=UTC)

    assert layout.manifest_key(7) == "manifests/0000000007.json"
    assert layout.record_key(7) == "prunes/0000000007.json"
    assert layout.data_file("S", "dbt_models", Category.METADATA) == "data/S/dbt_models/metadata.parquet"
    assert layout.result_key("metrics", "run") == "results/metrics/acba25512100f80b56fc3ccd14c65be5.json"
    assert layout.signature_key(layout.manifest_key(7)) == "signatures/manifests/0000000007.json"
    assert layout.access_report_key("a/b", moment) == "access/a%2Fb/20261122T090000000000Z.json"


def test_a_file_leads_to_what_it_belongs_to() -> None:
    file = layout.result_file("metrics", "run", "0badf00d", Category.TABLE_METRICS)

    assert layout.writer_of(layout.data_file("S", "dbt_models", Category.METADATA)) == "S"
    assert layout.result_of(file) == layout.result_key("metrics", "run")
    assert layout.is_result(layout.result_key("metrics", "run"))
    assert not layout.is_result(file)
    assert not layout.is_result(layout.newest_result_key("metrics", "series"))


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
