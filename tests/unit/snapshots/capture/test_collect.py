"""What the ranges of a table had together is compared with what the table had when it was split."""

from __future__ import annotations

from datetime import datetime

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.capture.collect import Captured, shrunken_tables
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.tally import Tally
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions
from airflow_provider_elementary.warehouses.values import Rejections

TABLE = "dbt_run_results"
NOON = datetime(2026, 1, 2, 12)
PARTS = ((Slice("metadata"),), (Slice(TABLE, None, NOON, 10),), (Slice(TABLE, NOON, None, 10),))


def captured(taken: int, waiting: int = 0, undated: int = 0, rejected: int = 0, *, files: bool = True) -> Captured:
    tally, rejections = Tally(None), Rejections()
    tally.taken[TABLE], tally.waiting[TABLE], tally.undated[TABLE] = taken, waiting, undated
    rejections.rows[TABLE, "created_at", "text"] = rejected
    file = FileEntry(
        key="data/1", snapshot_id="1", table=TABLE, category=Category.RUN_RESULTS, columns=(), by_rows=False, rows=1,
        size=1, sha256="", footer_sha256="", row_groups=(),
        footer_size=0, min_watermark=None, max_watermark=None,
    )  # fmt: skip
    return Captured({}, [file] if files else [], tally, Exclusions(), rejections)


@pytest.mark.parametrize(
    ("found", "is_shrunken"),
    [
        (captured(10), False),
        (captured(8, waiting=2), False),
        (captured(8, rejected=2), False),
        (captured(12), False),
        (captured(9), True),
        (captured(10, undated=1), True),
        (captured(0, files=False), False),
    ],
    ids=["all", "some wait", "some unusable", "late ones", "one gone", "one without a time", "left out by policy"],
)
def test_a_table_is_shrunken_where_its_ranges_had_fewer_rows(found: Captured, is_shrunken: bool) -> None:
    assert shrunken_tables(PARTS, found) == ([TABLE] if is_shrunken else [])
