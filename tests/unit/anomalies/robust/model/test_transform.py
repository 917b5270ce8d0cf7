"""Values go to the scale of their metric and come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elementary.anomalies.robust.model import transform as scales

EVERY_KIND = np.arange(5, dtype=np.int8)


@given(st.floats(0, 100), st.floats(0.1, 1e6))
def test_a_value_comes_back_from_its_scale(value: float, unit: float) -> None:
    values, units = np.full(5, value), np.full(5, unit)

    back = scales.from_scale(scales.to_scale(values, EVERY_KIND, units), EVERY_KIND, units)

    assert back == pytest.approx(values, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("row_count", scales.COUNT),
        ("null_count", scales.COUNT),
        ("count_true", scales.COUNT),
        ("null_percent", scales.PERCENT),
        ("success_rate", scales.PERCENT),
        ("freshness", scales.DURATION),
        ("event_freshness", scales.DURATION),
        ("execution_time", scales.DURATION),
        ("source_age", scales.DURATION),
        ("sum", scales.SUM),
        ("average", scales.REAL),
        ("my_own_metric", scales.REAL),
    ],
)
def test_a_metric_s_definition_decides_its_scale(metric: str, kind: int) -> None:
    assert scales.scale_kind(metric) == kind
