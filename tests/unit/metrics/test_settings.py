"""A change of the policy keeps stored metrics unless it excludes something that they were computed from."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.elementary_schema.tables import TABLES
from airflow_provider_elementary.metrics.registry import DEFINITIONS
from airflow_provider_elementary.metrics.settings import (
    is_changed,
    metric_columns,
    policy_of,
    versions_of,
    why_excluded,
)
from airflow_provider_elementary.snapshots import Policy
from airflow_provider_elementary.snapshots.policy import DEFAULT_CATEGORIES

EXCLUDES_MORE = "the policy of the snapshots excludes more"
NO_PROPERTIES = ("data_monitoring_metrics.metric_properties",)


def settings(policy: Policy, definitions: int = len(DEFINITIONS), *, has_collected: bool = True) -> dict[str, Any]:
    versions = versions_of(DEFINITIONS[:definitions], has_collected)
    return {"definitions": versions, "policy": policy_of(policy.to_dict())}


@pytest.mark.parametrize(
    "after",
    [
        Policy(failed_rows_days=3, failed_rows_per_test=1),
        Policy(failed_rows_excluded_tables=("shop.core.orders",)),
        Policy(categories=tuple(Category)),
        Policy(categories=tuple(set(DEFAULT_CATEGORIES) - {Category.FAILED_ROWS_SAMPLE})),
        Policy(masked_columns=("dbt_models.description",)),
        Policy(dropped_columns=("dbt_run_results.compiled_code",)),
    ],
    ids=["samples", "tables without samples", "query logs", "no samples", "a masked column", "a dropped column"],
)
def test_what_no_metric_is_computed_from_changes_nothing(after: Policy) -> None:
    before = settings(Policy())

    assert why_excluded(before, settings(after)) is None
    assert not is_changed(before, settings(after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (settings(Policy(dropped_columns=NO_PROPERTIES)), settings(Policy())),
        (settings(Policy(dropped_columns=("dbt_run_results.rows_affected",))), settings(Policy())),
        (settings(Policy(categories=(Category.METADATA,))), settings(Policy())),
        (settings(Policy(dropped_metrics=("max",))), settings(Policy())),
        (settings(Policy()), settings(Policy(dropped_metrics=("max",)))),
        (settings(Policy(), 3), settings(Policy())),
        (settings(Policy(), has_collected=False), settings(Policy())),
    ],
    ids=[
        "a column",
        "a number",
        "categories",
        "a metric",
        "a dropped metric",
        "definitions",
        "collected monitors",
    ],
)
def test_rows_are_read_again_where_more_is_taken(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert why_excluded(before, after) is None
    assert is_changed(before, after)


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (settings(Policy(dropped_columns=NO_PROPERTIES)), EXCLUDES_MORE),
        (settings(Policy(masked_columns=("dbt_models.alias",))), EXCLUDES_MORE),
        (settings(Policy(hashed_columns=("data_monitoring_metrics.dimension_value",))), EXCLUDES_MORE),
        (settings(Policy(categories=tuple(set(DEFAULT_CATEGORIES) - {Category.AGGREGATED_METRICS}))), EXCLUDES_MORE),
        (settings(Policy(), 3), "their definitions changed"),
        (settings(Policy(), has_collected=False), "their definitions changed"),
    ],
    ids=["a column", "a masked column", "a hashed column", "a category", "definitions", "collected monitors"],
)
def test_metrics_of_what_is_excluded_now_are_not_kept(after: dict[str, Any], reason: str) -> None:
    assert why_excluded(settings(Policy()), after) == reason


@pytest.mark.parametrize(
    "before",
    [
        Policy(hashed_columns=("data_monitoring_metrics.id",)),
        Policy(hashed_columns=("data_monitoring_metrics.dimension_value",)),
        Policy(hashed_columns=("elementary_test_results.test_execution_id",)),
        Policy(hashed_columns=("dbt_models.alias",)),
        Policy(masked_columns=("elementary_test_results.table_name",)),
        Policy(hashed_columns=("dbt_run_results.model_execution_id",)),
        Policy(dropped_columns=("dbt_invocations.generated_at",)),
        Policy(dropped_columns=("schema_columns_snapshot.data_type",)),
    ],
    ids=["an id", "a dimension", "an execution", "a hashed name", "a masked name", "a run", "a time", "a type"],
)
def test_metrics_are_not_kept_where_rows_are_recognised_in_another_way(before: Policy) -> None:
    for then, now in ((before, Policy()), (before, Policy(dropped_columns=NO_PROPERTIES))):
        assert why_excluded(settings(then), settings(now)) is not None
    assert why_excluded(settings(before), settings(Policy())) == (
        "the policy of the snapshots changes values by which rows are recognised"
    )


@pytest.mark.parametrize("known", [{}, {"definitions": "abc", "policy": "abc"}, {**settings(Policy()), "policy": None}])
def test_metrics_of_unknown_settings_are_not_kept(known: dict[str, Any]) -> None:
    assert why_excluded(known, settings(Policy())) is not None


def test_no_metric_reads_a_column_of_the_categories_that_change_nothing() -> None:
    unused = {Category.FAILED_ROWS_SAMPLE, Category.QUERY_LOGS}
    categories = {
        column.category
        for table, names in metric_columns().items()
        for column in TABLES[table].known_columns
        if column.name in names
    }

    assert not categories & unused
