"""Tests the figures of a sync that Airflow's metrics get."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.operators import stats

OPERATOR: Any = SimpleNamespace(store_hook=SimpleNamespace(store_conn_id="store"), dag_id="dag", has_dag=lambda: True)


def manifest(read_at: str | None, watermark: str | None) -> Any:
    files = [SimpleNamespace(snapshot_id=name, size=10) for name in ("new", "old")]
    return SimpleNamespace(
        snapshot_id="new",
        files=files,
        tables={"dbt_models": SimpleNamespace(new_rows=3)},
        rows=7,
        size=20,
        kind="incremental",
        consistency=SimpleNamespace(read_at=read_at, watermark=watermark),
    )


@pytest.fixture
def gauges(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    found: dict[str, float] = {}
    sink = SimpleNamespace(
        incr=lambda name, tags: None,
        gauge=lambda name, value, tags: found.update({name.rpartition(".")[2]: value}),
        timing=lambda name, value, tags: None,
    )
    monkeypatch.setattr(stats, "Stats", sink)
    return found


def test_written_bytes_are_those_of_the_snapshots_own_files(gauges: dict[str, float]) -> None:
    stats.report_snapshot(OPERATOR, {"ti": SimpleNamespace()}, manifest(None, None), 2)  # type: ignore[arg-type]

    assert gauges == {"new_rows": 3, "rows": 7, "written_bytes": 10, "bytes": 20, "problems": 2}


@pytest.mark.parametrize(
    ("read_at", "watermark", "lag"),
    [
        ("2026-10-31T07:00:00", "2026-10-31T06:30:00", 1800),
        ("2026-10-31T07:00:00", "2026-10-31T07:00:05", 0),
        (None, "2026-10-31T06:30:00", None),
        ("2026-10-31T07:00:00", None, None),
    ],
)
def test_the_lag_is_that_of_the_warehouses_own_clock(
    gauges: dict[str, float], read_at: str | None, watermark: str | None, lag: float | None
) -> None:
    stats.report_snapshot(OPERATOR, {"ti": SimpleNamespace()}, manifest(read_at, watermark), 0)  # type: ignore[arg-type]

    assert gauges.get("lag_seconds") == lag
