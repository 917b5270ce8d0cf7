"""The labelled corpora beside the checkout, as metrics, and the evaluator that came with them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "detection"
NAMES = ("corpus", "real_injected", "real_daily", "cloud_monitoring", "nab")
#: Parts of an id that names a value of a dimension.
_PARTS = 4
_BUCKET = {"D": np.timedelta64(1, "D"), "h": np.timedelta64(1, "h")}


@dataclass(frozen=True)
class LabelledCorpus:
    """One corpus.

    :ivar metrics: its series as the metrics of tables; :func:`series_ids` says which series a row is of.
    :ivar truth: the evaluator's own reading of it.
    """

    name: str
    metrics: pa.Table
    truth: Any


def missing() -> str | None:
    """Return why the benchmark cannot run here, None if it can."""
    files = [FOLDER / "evaluate.py", *(_file(name) for name in NAMES)]
    absent = [file.name for file in files if not file.exists()]
    if absent:
        return f"no {', '.join(absent)} in {FOLDER.parent.name}/{FOLDER.name} beside the checkout"
    if importlib.util.find_spec("pandas") is None:
        return "the evaluator needs pandas, which is not installed"
    return None


def corpora(names: Sequence[str] = NAMES, *, has_dimensions: bool = False) -> Iterator[LabelledCorpus]:
    """Yield the public corpora.

    :param has_dimensions: a series whose id has four parts is that of a value of a table's dimension.
    """
    for name in names:
        rows = pq.read_table(_file(name))
        metrics = _metrics(rows)
        metrics = _with_dimensions(metrics) if has_dimensions else metrics
        yield LabelledCorpus(name, metrics, evaluator().Corpus(str(_file(name))))


def series_ids(verdicts: pa.Table) -> list[str]:
    """Return the id of each row's series."""
    names = ("full_table_name", "dimension", "dimension_value", "column_name")
    columns = (verdicts[name].to_pylist() for name in names)
    return ["/".join(filter(None, parts)) for parts in zip(*columns, strict=True)]


@cache
def evaluator() -> ModuleType:
    """Return the corpora's evaluate.py as a module."""
    spec = importlib.util.spec_from_file_location("evaluate", FOLDER / "evaluate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _file(name: str) -> Path:
    return FOLDER / f"{name}_public.parquet"


def _metrics(rows: pa.Table) -> pa.Table:
    start = rows["bucket_start"].to_numpy()
    length = np.array([_BUCKET[frequency] for frequency in rows["freq"].to_pylist()], "timedelta64[us]")
    nothing = pa.nulls(rows.num_rows, pa.string())
    return pa.table(
        {
            "full_table_name": rows["series_id"].cast(pa.string()),
            "column_name": nothing,
            "metric_name": rows["metric_name"].cast(pa.string()),
            "dimension": nothing,
            "dimension_value": nothing,
            "bucket_start": rows["bucket_start"],
            "bucket_end": pa.array(start + length),
            "metric_value": rows["value"],
        }
    )


def _with_dimensions(metrics: pa.Table) -> pa.Table:
    """Return metrics whose ids of four parts name a table, a dimension, a value of it and a metric."""
    for place, name in reversed([*enumerate(("full_table_name", "dimension", "dimension_value", "column_name"))]):
        parts = [series.split("/") for series in metrics["full_table_name"].to_pylist()]
        column = [each[place] if len(each) == _PARTS else None for each in parts]
        if name == "full_table_name":
            column = [first or "/".join(each) for first, each in zip(column, parts, strict=True)]
        metrics = metrics.set_column(metrics.column_names.index(name), name, pa.array(column, pa.string()))
    return metrics
