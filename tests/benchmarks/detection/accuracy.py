"""Precision, recall and false alarms of a method, as the evaluator of the corpora defines them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies import detect
from tests.benchmarks.detection.corpora import LabelledCorpus, evaluator

_FIGURES = ("events", "detected", "false_alarms", "P", "R", "F1", "FA100")


def print_accuracy(corpus: LabelledCorpus, method: str, by: Sequence[str]) -> None:
    """Score a corpus with a method's defaults and print its tables."""
    flagged, score = _aligned(corpus, verdicts(corpus.metrics, method))
    tables = [evaluator().summary(corpus.truth, flagged, score, grouping) for grouping in by or ["none"]]
    print(f"\n{corpus.name}, method={method!r}, best F1 at any threshold {tables[0].bestF1[0]:.3f}\n")
    print("| | " + " | ".join(_FIGURES) + " |")
    print("|---" * (len(_FIGURES) + 1) + "|")
    _print_row(tables[0].iloc[0])
    for table in tables:
        for _, row in table.iloc[1:].iterrows():
            _print_row(row)


def verdicts(metrics: pa.Table, method: str) -> pa.Table:
    """Return a method's verdicts with its defaults; Elementary's rule takes one length of bucket at a time."""
    if method == "robust":
        return detect(metrics, method="robust")
    hours = pc.equal(
        pc.subtract(metrics["bucket_end"], metrics["bucket_start"]), pa.scalar(3_600_000_000, pa.duration("us"))
    )
    parts = ((metrics.filter(hours), "hour"), (metrics.filter(pc.invert(hours)), "day"))
    scored = [
        detect(part, method="elementary", time_bucket={"period": period, "count": 1}) for part, period in parts if part
    ]
    return pa.concat_tables(scored)


def _aligned(corpus: LabelledCorpus, found: pa.Table) -> tuple[Any, Any]:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "series_id": found["full_table_name"].to_pylist(),
            "bucket_start": found["bucket_start"].to_numpy(),
            "score": found["score"].to_numpy(zero_copy_only=False),
            "is_anomaly": found["is_anomalous"].to_numpy(zero_copy_only=False).astype(int),
        }
    )
    return evaluator().align(corpus.truth, frame)  # type: ignore[no-any-return]


def _print_row(row: Any) -> None:
    figures = [row[name] for name in _FIGURES]
    written = [_written(figure) for figure in figures]
    print(f"| {row['group']} | " + " | ".join(written) + " |")


def _written(figure: float) -> str:
    if figure != figure:
        return ""
    return f"{figure:.0f}" if float(figure).is_integer() and figure > 1 else f"{figure:.3f}"
