"""Precision, recall and false alarms of a method, as the evaluator of the corpora defines them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies import detect
from tests.benchmarks.detection.corpora import LabelledCorpus, evaluator, series_ids

_FIGURES = ("events", "detected", "false_alarms", "P", "R", "F1", "FA100")
_DRAWS = 500


def print_heading() -> None:
    """Print the head of the table that :func:`print_accuracy` fills."""
    print("| corpus | method | " + " | ".join(_FIGURES) + " | error of F1 | error of FA100 |")
    print("|---" * (len(_FIGURES) + 4) + "|", flush=True)


def print_accuracy(
    corpus: LabelledCorpus, method: str, by: Sequence[str], parameters: Mapping[str, Any] | None = None
) -> None:
    """Score a corpus with a method and print a line, and a table for each grouping.

    :param parameters: of the robust method, where not its defaults.
    """
    flagged, score = _aligned(corpus, verdicts(corpus.metrics, method, parameters or {}))
    [(_, row)] = evaluator().summary(corpus.truth, flagged, score, sweep=False).iterrows()
    cells = [_written(row[name]) for name in _FIGURES] + [f"{error:.3f}" for error in _errors(corpus, flagged)]
    print(f"| {corpus.name} | {method} | " + " | ".join(cells) + " |", flush=True)
    for grouping in by:
        table = evaluator().summary(corpus.truth, flagged, score, grouping, sweep=False)
        for _, group in table.iloc[1:].iterrows():
            print(f"| {group['group']} | | " + " | ".join(_written(group[name]) for name in _FIGURES) + " | | |")


def verdicts(metrics: pa.Table, method: str, parameters: Mapping[str, Any]) -> pa.Table:
    """Return a method's verdicts; Elementary's rule has its defaults, and takes one length of bucket at a time."""
    if method == "robust":
        return detect(metrics, method="robust", **parameters)
    hours = pc.equal(
        pc.subtract(metrics["bucket_end"], metrics["bucket_start"]), pa.scalar(3_600_000_000, pa.duration("us"))
    )
    parts = ((metrics.filter(hours), "hour"), (metrics.filter(pc.invert(hours)), "day"))
    scored = [
        detect(part, method="elementary", time_bucket={"period": period, "count": 1}) for part, period in parts if part
    ]
    return pa.concat_tables(scored)


def _errors(corpus: LabelledCorpus, flagged: Any) -> tuple[float, float]:
    """Return the standard errors of F1 and of false alarms per 100 buckets, by a bootstrap over series."""
    truth = corpus.truth
    series = int(truth.sid.max()) + 1
    found, _ = truth.detect(flagged)
    of_event = truth.sid[truth.events.start.to_numpy()]
    counts = np.stack(
        [
            np.bincount(of_event, minlength=series),
            np.bincount(of_event[found], minlength=series),
            np.bincount(truth.sid[truth.fa_runs(flagged)], minlength=series),
            np.bincount(truth.sid[truth.normal], minlength=series),
        ]
    )
    drawn = counts[:, np.random.default_rng(0).integers(0, series, (_DRAWS, series))].sum(axis=2)
    events, detected, false, normal = drawn
    f1 = 2 * detected / np.maximum(detected + false + events, 1)
    return float(f1.std()), float((100 * false / normal).std())


def _aligned(corpus: LabelledCorpus, found: pa.Table) -> tuple[Any, Any]:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "series_id": series_ids(found),
            "bucket_start": found["bucket_start"].to_numpy(),
            "score": found["score"].to_numpy(zero_copy_only=False),
            "is_anomaly": found["is_anomalous"].to_numpy(zero_copy_only=False).astype(int),
        }
    )
    return evaluator().align(corpus.truth, frame)  # type: ignore[no-any-return]


def _written(figure: float) -> str:
    if figure != figure:
        return ""
    return f"{figure:.0f}" if float(figure).is_integer() and figure > 1 else f"{figure:.3f}"
