"""Time and memory of method="robust" for many daily series: a cold replay, then one bucket from stored memory."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_elementary.anomalies import robust
from tests.benchmarks.measure import in_own_process, measured

_DAYS, _FIRST = 90, datetime(2026, 1, 1)


def print_speed(series: int) -> None:
    """Measure and print; each measurement is a process of its own, and the memory rests in a file between them."""
    print("| | series | buckets | seconds | CPU seconds | peak MB | MB before the work |")
    print("|---|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        for step, buckets in (("cold replay", _DAYS), ("one bucket from memory", 1)):
            found = in_own_process(__name__, [step, str(series), folder])
            print(
                f"| {step} | {series:,} | {buckets} | {found.wall:.1f} | {found.cpu:.1f} | {found.peak_mb:.0f} "
                f"| {found.base_mb:.0f} |",
                flush=True,
            )


def _metrics(series: int, first: int, days: int) -> pa.Table:
    """Return days of weekly row counts."""
    generator = np.random.default_rng(first)
    starts = np.array([_FIRST + timedelta(days=first + day) for day in range(days)], "datetime64[us]").repeat(series)
    level = np.tile(np.linspace(50, 1e6, series), days) * np.where(
        starts.astype("datetime64[D]").view("i8") % 7 > 4, 0.4, 1
    )
    names = pa.array([f"shop.core.table_{number}" for number in range(series)])
    place = pa.array(np.tile(np.arange(series, dtype=np.int32), days))
    nothing = pa.nulls(len(starts), pa.string())
    return pa.table(
        {
            "full_table_name": pa.DictionaryArray.from_arrays(place, names),
            "column_name": nothing,
            "metric_name": pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(starts), np.int32)), ["row_count"]),
            "dimension": nothing,
            "dimension_value": nothing,
            "bucket_start": starts,
            "bucket_end": starts + np.timedelta64(1, "D"),
            "metric_value": np.round(level * generator.normal(1, 0.05, len(starts))),
        }
    )


def _measure(step: str, series: int, folder: Path) -> None:
    if step == "cold replay":
        metrics, memory = _metrics(series, 0, _DAYS), None
    else:
        metrics, memory = _metrics(series, _DAYS, 1), pq.read_table(folder / "memory.parquet")

    def work() -> dict[str, int]:
        verdicts, after = robust.resume(metrics, memory)
        pq.write_table(after, folder / "memory.parquet", compression="zstd")
        return {"verdicts": verdicts.num_rows, "memory_mb": after.nbytes >> 20}

    measured(work)


if __name__ == "__main__":
    _measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
