"""Series with their expected range and verdicts, as SVG for the docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies import detect
from tests.benchmarks.detection.corpora import LabelledCorpus

#: Synthetic series only: the real ones are not for redistribution.
_SERIES = {
    "weekly": "weekly_volume/D/000",
    "month-end": "month_end/D/001",
    "new-level": "step_growth/D/001",
    "heavy-tail": "heavy_tail/D/001",
    "freshness": "h_freshness/h/000",
}
_WIDTH, _HEIGHT, _LAST = 900.0, 180.0, 200


def draw(corpus: LabelledCorpus, folder: str) -> None:
    """Write a picture for each series that the corpus has."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, series in _SERIES.items():
        metrics = corpus.metrics.filter(pc.equal(corpus.metrics["full_table_name"], series))
        if not metrics.num_rows:
            continue
        found = detect(metrics, method="robust").slice(max(metrics.num_rows - _LAST, 0))
        columns = ("metric_value", "expected_min", "expected_max")
        value, low, high = (found[column].to_numpy(zero_copy_only=False).astype(float) for column in columns)
        (target / f"detection-{name}.svg").write_text(
            _svg(series, value, low, high, found["kind"].to_pylist()), encoding="utf-8"
        )


def _svg(title: str, value: np.ndarray, low: np.ndarray, high: np.ndarray, kinds: list[str | None]) -> str:
    top, bottom = np.nanmax(value) * 1.05, min(np.nanmin(value), 0)
    x = 10 + np.arange(len(value)) * (_WIDTH - 20) / max(len(value) - 1, 1)

    def y(values: np.ndarray) -> np.ndarray:
        return _HEIGHT - 10 - (np.clip(values, bottom, top) - bottom) / (top - bottom) * (_HEIGHT - 35)

    low = np.where(np.isnan(low), bottom, low)
    known = np.isfinite(high)
    band = [*zip(x[known], y(high)[known], strict=True), *reversed(list(zip(x[known], y(low)[known], strict=True)))]
    line = "".join(
        f"{'L' if at and np.isfinite(value[at - 1]) else 'M'}{x[at]:.1f},{y(value)[at]:.1f}"
        for at in np.flatnonzero(np.isfinite(value))
    )
    marks = "".join(
        f'<g fill="#c0392b"><circle cx="{x[at]:.1f}" cy="{y(np.nan_to_num(value))[at]:.1f}" r="4"/>'
        f'<text x="{x[at] + 6:.1f}" y="{max(y(np.nan_to_num(value))[at] - 5, 30):.1f}">{kind}</text></g>'
        for at, kind in enumerate(kinds)
        if kind
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" font-family="sans-serif" '
        f'font-size="10"><rect width="100%" height="100%" fill="#fff"/><text x="10" y="14" fill="#444">{title}</text>'
        f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in band)}" fill="#2980b9" opacity="0.15"/>'
        f'<path d="{line}" fill="none" stroke="#2c3e50" stroke-width="1"/>{marks}</svg>\n'
    )
