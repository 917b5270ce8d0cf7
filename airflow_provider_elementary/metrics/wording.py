"""Names metrics in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: What people read in place of ``metric_name``; a metric that is not here is its name without underscores.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "dimension": "row count of a value",
        "freshness": "time without new rows",
        "event_freshness": "loading delay of events",
        "null_count": "null values",
        "null_percent": "null rate",
        "not_null_percent": "share of values that are not null",
        "missing_count": "missing values",
        "missing_percent": "share of missing values",
        "not_missing_percent": "share of values that are not missing",
        "zero_count": "zeros",
        "zero_percent": "share of zeros",
        "not_zero_percent": "share of values other than zero",
        "count_true": "true values",
        "count_false": "false values",
        "min_length": "shortest text",
        "max_length": "longest text",
        "average_length": "mean length of texts",
        "min": "smallest value",
        "max": "largest value",
        "average": "mean",
        "execution_time": "run time",
        "execution_time_ratio": "run time relative to the usual one",
        "rows_affected": "rows written",
        "success_rate": "share of successful runs",
        "run_time_to_recover": "time until runs succeeded again",
        "invocations": "started commands",
        "test_pass_rate": "share of tests that passed",
        "test_warn_rate": "share of tests that warned",
        "test_fail_rate": "share of tests that failed",
        "test_flakiness": "share of changing test results",
        "test_time_to_recover": "time until tests passed again",
        "test_coverage": "share of columns with a test",
        "source_age": "age of the newest row",
        "freshness_pass_rate": "share of freshness checks that passed",
        "source_age_of_warning": "age of the newest row relative to warn_after",
        "source_age_of_error": "age of the newest row relative to error_after",
        "schema_changes": "changed columns",
    }
)


def in_words(metric_name: str) -> str:
    """Return a metric's name in words: ``row count`` for ``row_count``."""
    return WORDS.get(metric_name.lower(), metric_name.replace("_", " "))
