"""Series and buckets are the same, whether names are texts or dictionaries."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import schema
from airflow_provider_elementary.anomalies.schema import (
    SERIES_COLUMNS,
    has_rewritten_buckets,
    number_series,
    series_metrics,
)

#: The random metrics that have two rows of one bucket.
REPEATED = (4,)
NAMES = (*SERIES_COLUMNS, "metric_properties")


def metrics(seed: int, rows: int) -> pa.Table:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    start = datetime(2026, 3, 2)
    texts = {name: [chance.choice(["a", "b", "", None]) for _ in range(rows)] for name in NAMES}
    ends = [start + timedelta(hours=chance.randrange(60)) for _ in range(rows)]
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    return series_metrics(pa.table({**columns, "bucket_end": ends, "metric_value": [1.0] * rows}))


def in_dictionaries(rows: pa.Table, *, piece: int = 7) -> pa.Table:
    """Return the same rows with names from dictionaries: of each piece its own, with a text twice, unused and null."""
    pieces = []
    for start in range(0, len(rows), piece):
        found = rows.slice(start, piece)
        for place, name in enumerate(found.column_names):
            if name in NAMES:
                values = [*dict.fromkeys(found[name].to_pylist()), "a", "unused"]
                codes = pa.array([values.index(value) for value in found[name].to_pylist()], pa.int32())
                held = pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.string()))
                found = found.set_column(place, name, held)
        pieces.append(found)
    return pa.concat_tables(pieces)


@pytest.mark.parametrize("seed", range(5))
def test_each_series_has_a_number_in_the_order_in_which_series_begin(seed: int) -> None:
    rows = metrics(seed, 200)
    known: dict[tuple[str | None, ...], int] = {}
    keys = [tuple(row.values()) for row in rows.select(NAMES).to_pylist()]
    expected = [known.setdefault(key, len(known)) for key in keys]

    for given in (rows, in_dictionaries(rows), in_dictionaries(rows, piece=200)):
        numbers, firsts = number_series(given)

        assert numbers.tolist() == expected
        assert firsts.tolist() == [keys.index(key) for key in known]


@pytest.mark.parametrize("most", [0, 1_000_000], ids=["sorted", "marked"])
def test_two_rows_of_one_bucket_are_found(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_SEEN_AT_MOST", most)
    for seed in range(20):
        rows = metrics(seed, 40)
        series, _ = number_series(rows)
        buckets = list(zip(series.tolist(), rows["bucket_end"].to_pylist(), strict=True))

        assert has_rewritten_buckets(rows, series) == (len(set(buckets)) < len(buckets)) == (seed in REPEATED)
