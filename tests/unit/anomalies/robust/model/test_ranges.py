"""A flagged value lies outside the range that its verdict states, any other inside."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_elementary.anomalies import robust
from tests.benchmarks.detection.corpora import corpora, missing
from tests.support.metric_series import daily, hourly

#: Of each public corpus, every such series and its first buckets: the property is of single buckets.
_ONE_IN, _BUCKETS = 15, 300


def contradictions(verdicts: pa.Table) -> list[dict[str, Any]]:
    """Return verdicts whose range says otherwise."""
    value, low, high = (
        verdicts[name].to_numpy(zero_copy_only=False).astype(float)
        for name in ("metric_value", "expected_min", "expected_max")
    )
    flagged = verdicts["is_anomalous"].to_numpy(zero_copy_only=False)
    continues = np.array([reason == "continues as flagged before" for reason in verdicts["reason"].to_pylist()])
    inside = ~(value < low) & ~(value > high)
    stated = np.isfinite(low) | np.isfinite(high)
    wrong = np.isfinite(value) & np.where(flagged, inside & stated, ~inside & ~continues)
    return verdicts.filter(pa.array(wrong | (low > high))).to_pylist()


def on_a_bound(verdicts: pa.Table) -> list[dict[str, Any]]:
    """Return flagged verdicts whose bound is the value itself: it was moved there, and is not that of the score."""
    value, low, high = (
        verdicts[name].to_numpy(zero_copy_only=False).astype(float)
        for name in ("metric_value", "expected_min", "expected_max")
    )
    flagged = verdicts["is_anomalous"].to_numpy(zero_copy_only=False)
    reached = (np.abs(low - value) < 1e-9 * np.abs(value)) | (np.abs(high - value) < 1e-9 * np.abs(value))
    return verdicts.filter(pa.array(flagged & reached)).to_pylist()


def wild(seed: int, scale: float, zeros: float) -> list[float | None]:
    """Return values of any size with zeros, gaps, jumps and stretches of equal values."""
    generator = np.random.default_rng(seed)
    values = scale * np.exp(generator.normal(0, generator.uniform(0.01, 1), 130))
    values[60:] *= generator.choice([0.2, 1, 4])
    values[generator.random(130) < 0.03] *= 20
    values[generator.random(130) < zeros] = 0
    if generator.random() < 0.3:
        values[90:100] = values[90]
    return [None if generator.random() < 0.05 else float(value) for value in values]


#: Series that are scored together: their number costs next to nothing.
_TOGETHER = 10


@settings(max_examples=5, deadline=None)
@given(
    drawn=st.lists(
        st.fixed_dictionaries(
            {
                "seed": st.integers(0, 10_000),
                "scale": st.sampled_from([0.001, 3.0, 50.0, 1e6, 1e12]),
                "zeros": st.sampled_from([0.0, 0.1, 0.6]),
                "metric_name": st.sampled_from(["row_count", "null_percent", "freshness", "sum", "average"]),
                "anomaly_direction": st.sampled_from(["both", "spike", "drop"]),
                "spike_failure_percent_threshold": st.sampled_from([None, 30.0]),
                "anomaly_sensitivity": st.sampled_from([1.0, 3.0, 5.0]),
            }
        ),
        min_size=_TOGETHER,
        max_size=_TOGETHER,
    )
)
def test_a_range_agrees_with_the_verdict(drawn: list[dict[str, Any]]) -> None:
    settled = ("anomaly_direction", "spike_failure_percent_threshold", "anomaly_sensitivity")
    tables = {f"SHOP.CORE.T{number}": one for number, one in enumerate(drawn)}
    configurations = [{"full_table_name": name, **{key: one[key] for key in settled}} for name, one in tables.items()]
    metrics = [
        daily(wild(one["seed"], one["scale"], one["zeros"]), metric_name=one["metric_name"], full_table_name=name)
        for name, one in tables.items()
    ]

    verdicts = robust.score(pa.concat_tables(metrics), configurations=pa.Table.from_pylist(configurations))

    assert contradictions(verdicts) == []


def test_a_range_agrees_with_the_verdict_of_an_hour() -> None:
    values = [value for seed in range(4) for value in wild(seed, 100, 0.02)]

    assert contradictions(robust.score(hourly(values))) == []


@pytest.mark.skipif(missing() is not None, reason="the public corpora do not lie beside the checkout")
def test_a_range_agrees_with_the_verdict_on_public_data() -> None:
    parts: list[pa.Table] = []
    for corpus in corpora():
        chosen = corpus.metrics["full_table_name"].unique()[::_ONE_IN]
        whole = corpus.metrics.filter(pc.is_in(corpus.metrics["full_table_name"], chosen)).sort_by("bucket_end")
        names = whole["full_table_name"].to_pylist()
        places: Counter[str] = Counter()
        first = [places.update([name]) or places[name] <= _BUCKETS for name in names]
        # All are scored together, so a contradiction is named by its corpus and its series.
        named = whole.set_column(0, "full_table_name", pa.array([f"{corpus.name}/{name}" for name in names]))
        parts.append(named.filter(pa.array(first)))

    verdicts = robust.score(pa.concat_tables(parts))

    assert contradictions(verdicts) == []
    assert on_a_bound(verdicts) == []


def test_no_bound_is_beyond_what_was_ever_near() -> None:
    values = [float(value) for value in np.random.default_rng(1).standard_cauchy(200) * 100 + 1000]

    bounds = robust.score(daily(values, metric_name="average"))["expected_max"].drop_null().to_pylist()

    assert max(bounds) < 1e9


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            [1000.0, 1010.0, 990.0] * 20 + [None],
            "has no value on Mon 30 Nov 2026 where one was due (1 in a row); expected a value",
        ),
        ([1000.0, 1010.0, 990.0] * 20 + [0.0], "0 rows on Mon 30 Nov 2026 is a drop; expected a value other than 0"),
        ([0.0] * 60 + [500.0], "failed rows 500 rows on Mon 30 Nov 2026 is a spike; expected 0"),
    ],
)
def test_what_has_no_size_is_explained_by_how_often_its_opposite_came(
    values: list[float | None], sentence: str
) -> None:
    metrics = daily(values, metric_name="row_count" if values[0] else "failed_rows")

    reason = robust.score(metrics)["reason"].to_pylist()[-1]

    found = re.search(r"(.*), as in ([0-9.]+) % of such buckets, from 60 earlier buckets", reason)
    assert found is not None, reason
    assert found[1].endswith(sentence)
    assert 95 < float(found[2]) < 100


def test_a_zero_that_always_fails_is_not_explained_by_how_often_it_came() -> None:
    configurations = pa.Table.from_pylist([{"full_table_name": "SHOP.CORE.ORDERS", "fail_on_zero": True}])

    reason = robust.score(daily([4.0, *[0.0] * 6] * 9 + [4.0, 0.0]), configurations=configurations)[
        "reason"
    ].to_pylist()[-1]

    assert "expected a value other than 0, from" in reason
