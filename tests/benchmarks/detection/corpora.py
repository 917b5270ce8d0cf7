"""The labelled corpora beside the checkout, as metrics, and the evaluator that came with them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
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
_ROW_COUNT = "row_count"
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

    @property
    def holidays(self) -> list[date]:
        """The days that are a holiday of any series."""
        days = self.truth.df.bucket_start[self.truth.df.is_holiday.fillna(False).astype(bool)]
        return sorted(set(days.dt.date))


def missing() -> str | None:
    """Return why the benchmark cannot run here, None if it can."""
    files = [FOLDER / "evaluate.py", *(_file(name) for name in NAMES)]
    absent = [file.name for file in files if not file.exists()]
    if absent:
        return f"no {', '.join(absent)} in {FOLDER.parent.name}/{FOLDER.name} beside the checkout"
    if importlib.util.find_spec("pandas") is None:
        return "the evaluator needs pandas, which is not installed"
    return None


def corpora(
    names: Sequence[str] = NAMES, *, has_dimensions: bool = False, has_row_counts: bool = False
) -> Iterator[LabelledCorpus]:
    """Yield the public corpora.

    :param has_dimensions: a series whose id has four parts is that of a value of a table's dimension.
    :param has_row_counts: a row count and shares of nulls whose ids differ in the last part alone are of one table.
    """
    for name in names:
        rows = pq.read_table(_file(name))
        metrics = _metrics(rows)
        metrics = _with_dimensions(metrics) if has_dimensions else metrics
        metrics = _with_row_counts(metrics) if has_row_counts else metrics
        yield LabelledCorpus(name, metrics, evaluator().Corpus(str(_file(name))))


def series_ids(verdicts: pa.Table) -> list[str]:
    """Return the id of each row's series."""
    names = ("full_table_name", "dimension", "dimension_value", "column_name")
    columns = (verdicts[name].to_pylist() for name in names)
    ids = ["/".join(filter(None, parts)) for parts in zip(*columns, strict=True)]
    counts = [name == _ROW_COUNT for name in verdicts["metric_name"].to_pylist()]
    is_counted = {
        table for table, column in zip(*(verdicts[name].to_pylist() for name in names[::3]), strict=True) if column
    }
    return [
        f"{each}/{_ROW_COUNT}" if is_count and each in is_counted else each
        for each, is_count in zip(ids, counts, strict=True)
    ]


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


def _with_row_counts(metrics: pa.Table) -> pa.Table:
    """Return metrics in which row counts and shares of nulls are of one table where their ids say so."""
    ids, names = metrics["full_table_name"].to_pylist(), metrics["metric_name"].to_pylist()
    split = [each.rpartition("/")[::2] for each in ids]
    shares = {table for (table, _), name in zip(split, names, strict=True) if name == "null_percent"}
    counts = {table for (table, last) in split if last == _ROW_COUNT}
    moved = [
        table in shares & counts and (name == "null_percent" or last == _ROW_COUNT)
        for (table, last), name in zip(split, names, strict=True)
    ]
    tables = [table if is_moved else each for each, (table, _), is_moved in zip(ids, split, moved, strict=True)]
    columns = [
        last if is_moved and last != _ROW_COUNT else None for (_, last), is_moved in zip(split, moved, strict=True)
    ]
    for name, column in (("full_table_name", tables), ("column_name", columns)):
        metrics = metrics.set_column(metrics.column_names.index(name), name, pa.array(column, pa.string()))
    return metrics


def _with_dimensions(metrics: pa.Table) -> pa.Table:
    """Return metrics whose ids of four parts name a table, a dimension, a value of it and a metric."""
    for place, name in reversed([*enumerate(("full_table_name", "dimension", "dimension_value", "column_name"))]):
        parts = [series.split("/") for series in metrics["full_table_name"].to_pylist()]
        column = [each[place] if len(each) == _PARTS else None for each in parts]
        if name == "full_table_name":
            column = [first or "/".join(each) for first, each in zip(column, parts, strict=True)]
        metrics = metrics.set_column(metrics.column_names.index(name), name, pa.array(column, pa.string()))
    return metrics
