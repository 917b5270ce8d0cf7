"""What the values of a metric are, by its name: counts, percentages, times, or numbers of which nothing is known."""

from __future__ import annotations

from typing import Literal

Unit = Literal["count", "percent", "seconds", "sum", "number"]

#: Metrics whose names do not say it.
_UNITS: dict[str, Unit] = {
    "column_count": "count",
    "dimension": "count",
    "failed_rows": "count",
    "failed_runs": "count",
    "invocations": "count",
    "rows_affected": "count",
    "schema_changes": "count",
    "health_score": "percent",
    "source_age_of_warning": "percent",
    "source_age_of_error": "percent",
    "test_flakiness": "percent",
    "test_coverage": "percent",
    "run_time_to_recover": "seconds",
    "test_time_to_recover": "seconds",
    "sum": "sum",
}
_OF_TIME = frozenset({"freshness", "age", "duration"})


def unit_of(metric_name: str) -> Unit:
    """Return what a metric's values are; ``number`` where its name says nothing."""
    name = metric_name.lower()
    if name in _UNITS:
        return _UNITS[name]
    if name.endswith(("_percent", "_rate")):
        return "percent"
    if name == "count" or name.endswith("_count") or name.startswith("count_"):
        return "count"
    if name == "execution_time" or _OF_TIME & set(name.split("_")):
        return "seconds"
    return "number"
