"""Looks up metrics, collected and computed, by their names."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_elementary.metrics.coverage_metrics import COVERAGE_DEFINITIONS
from airflow_provider_elementary.metrics.definitions import COLLECTED, Definition, Family, Metric
from airflow_provider_elementary.metrics.health_score import HEALTH_DEFINITIONS
from airflow_provider_elementary.metrics.run_metrics import RUN_DEFINITIONS
from airflow_provider_elementary.metrics.source_metrics import SOURCE_DEFINITIONS
from airflow_provider_elementary.metrics.test_result_metrics import TEST_DEFINITIONS

#: Every computed metric; the monitors that the package collected are in :data:`COLLECTED`.
DEFINITIONS: tuple[Definition, ...] = (
    *RUN_DEFINITIONS,
    *TEST_DEFINITIONS,
    *COVERAGE_DEFINITIONS,
    *HEALTH_DEFINITIONS,
    *SOURCE_DEFINITIONS,
)

#: Every declared metric by its name.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (*COLLECTED, *(metric for definition in DEFINITIONS for metric in definition.metrics))
}

#: Signed in Elementary's rule, whose ranges go below zero; their values do not.
_SPREADS = ("standard_deviation", "variance")


def family_of(metric_name: str) -> Family:
    """Return the family of a metric as its definition declares it; ``number`` for one that is not declared."""
    metric = METRICS.get(metric_name.lower())
    return metric.family if metric else "number"


def possible(metric_name: str, bound: float | None) -> float | None:
    """Return a bound within the values that a metric can have: no row count is negative, no share is over 100 %."""
    metric = METRICS.get(metric_name.lower())
    if bound is None or metric is None:
        return bound
    if not metric.is_signed or metric.name in _SPREADS:
        bound = max(bound, 0.0)
    return min(bound, 100.0) if metric.family == "percent" else bound


def names_of(is_chosen: Callable[[Metric], bool]) -> tuple[str, ...]:
    """Return the names of the declared metrics that are chosen."""
    return tuple(name for name, metric in METRICS.items() if is_chosen(metric))
