"""What the values of a metric are, by its name."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.anomalies.robust import transform as scales
from airflow_provider_elementary.anomalies.units import unit_of
from airflow_provider_elementary.metrics.compute import DEFINITIONS

COMPUTED = [metric for definition in DEFINITIONS for metric in definition.metrics]
UNIT = {"%": "percent", "0-100": "percent", "s": "seconds", "ratio": "number"}


@pytest.mark.parametrize("metric", COMPUTED, ids=lambda metric: metric.name)
def test_a_computed_metric_has_the_unit_that_its_definition_says(metric) -> None:
    # Every other unit is that of things that are counted: rows, runs, tests, columns, dbt commands.
    assert unit_of(metric.name) == UNIT.get(metric.unit, "count")


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("row_count", "count"),
        ("dimension", "count"),
        ("count_true", "count"),
        ("missing_count", "count"),
        ("zero_percent", "percent"),
        ("event_freshness", "seconds"),
        ("sum", "sum"),
        ("average", "number"),
        ("discount", "number"),
        ("percentage", "number"),
        ("my_own_metric", "number"),
    ],
)
def test_a_collected_metric_has_the_unit_that_its_name_says(metric: str, unit: str) -> None:
    assert unit_of(metric) == unit


def test_the_robust_method_counts_what_is_counted() -> None:
    assert {scales.kind_of(name) for name in ("schema_changes", "failed_rows", "failed_runs", "dimension")} == {
        scales.COUNT
    }
