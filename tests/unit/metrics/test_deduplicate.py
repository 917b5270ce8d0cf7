"""Monitors that Elementary collected: of the rows with one id the newest counts, however many there are."""

from __future__ import annotations

import stat
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.metrics import METRICS_SCHEMA, compute_metrics
from airflow_provider_elementary.metrics import deduplicate as collected
from airflow_provider_elementary.metrics.deduplicate import days_of, newest_of_each_id
from tests.support.dbt_project import project

FIRST = datetime(2026, 11, 1)
CANARY = "CANARY-dimension-value"


def monitor(number: int, version: int = 0, **facts: Any) -> dict[str, Any]:
    moment = FIRST + timedelta(minutes=version)
    return {
        "id": f"id-{number}",
        "full_table_name": "SHOP.CORE.ORDERS",
        "metric_name": "row_count",
        "metric_value": float(version),
        "bucket_end": FIRST,
        "dimension_value": CANARY,
        "updated_at": moment,
        "created_at": moment,
        **facts,
    }


def newest(rows: list[dict[str, Any]]) -> dict[str, float]:
    with compute_metrics(project(data_monitoring_metrics=rows)) as metrics:
        found = metrics.read_all()
    assert found.schema == METRICS_SCHEMA
    assert len(set(found["id"].to_pylist())) == len(found)
    return dict(zip(found["id"].to_pylist(), found["metric_value"].to_pylist(), strict=True))


def test_the_newest_row_of_an_id_counts() -> None:
    assert newest([monitor(1, 2), monitor(1, 3), monitor(1, 1), monitor(2)]) == {"id-1": 3.0, "id-2": 0.0}


def test_of_rows_updated_at_once_the_one_created_last_counts() -> None:
    later = FIRST + timedelta(hours=1)

    assert newest([monitor(1, metric_value=5.0, created_at=later), monitor(1, metric_value=4.0)]) == {"id-1": 5.0}


def test_a_row_without_a_time_gives_way_to_one_with_it() -> None:
    assert newest([monitor(1, 1), monitor(1, updated_at=None, metric_value=9.0)]) == {"id-1": 1.0}


def test_columns_that_a_policy_left_out_are_null() -> None:
    source = project(data_monitoring_metrics=[monitor(1)])

    with compute_metrics(source.without("data_monitoring_metrics", "dimension_value", "metric_properties")) as metrics:
        [row] = metrics.read_all().to_pylist()

    assert (row["dimension_value"], row["metric_value"]) == (None, 0.0)


class TestMoreRowsThanAreComparedAtOnce:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(collected, "ROWS_AT_ONCE", 100)
        return tmp_path

    @pytest.fixture
    def rows(self) -> pa.RecordBatchReader:
        versions = [monitor(number, version) for version in range(3) for number in range(200)]
        table = pa.Table.from_pylist(versions)
        return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=50))

    def test_the_newest_row_of_an_id_still_counts(self, folder: Path, rows: pa.RecordBatchReader) -> None:
        found = pa.Table.from_batches(newest_of_each_id(rows))

        assert sorted(found["id"].to_pylist()) == sorted(f"id-{number}" for number in range(200))
        assert set(found["metric_value"].to_pylist()) == {2.0}

    def test_what_waits_on_disk_is_encrypted_and_only_the_owners(
        self, folder: Path, rows: pa.RecordBatchReader
    ) -> None:
        batches = newest_of_each_id(rows)

        next(batches)

        files = [path for path in folder.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) > 1000
        assert not [path for path in files if CANARY.encode() in path.read_bytes()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o700}

    def test_nothing_is_left_on_disk(self, folder: Path, rows: pa.RecordBatchReader) -> None:
        list(newest_of_each_id(rows))

        assert list(folder.iterdir()) == []

    def test_nothing_is_left_on_disk_where_the_reader_stops_early(
        self, folder: Path, rows: pa.RecordBatchReader
    ) -> None:
        batches = newest_of_each_id(rows)
        next(batches)

        batches.close()

        assert list(folder.iterdir()) == []


def test_a_bucket_that_ends_with_the_first_moment_of_all_has_a_day() -> None:
    ends = pa.table({"bucket_end": pa.array([datetime.min, datetime(2026, 11, 2), None], pa.timestamp("us"))})

    assert days_of(ends).to_pylist() == [date.min, date(2026, 11, 1), None]
