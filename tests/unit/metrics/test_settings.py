"""What stored metrics depend on besides rows, and when rows are read again."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.elementary_schema.tables import TABLES
from airflow_provider_elementary.metrics.registry import DEFINITIONS
from airflow_provider_elementary.metrics.settings import (
    is_changed,
    kept_versions,
    metric_columns,
    policy_of,
    versions_of,
    why_outdated,
)
from airflow_provider_elementary.snapshots import Policy
from airflow_provider_elementary.snapshots.policy import DEFAULT_CATEGORIES

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

    assert why_outdated(before) is None
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
    assert why_outdated(before) is None
    assert is_changed(before, after)


def test_metrics_of_a_definition_that_changed_are_not_kept() -> None:
    known = settings(Policy())
    other = {**known, "definitions": [*known["definitions"], "0123456789abcdef"]}
    kept = {**known, "kept": ["0123456789abcdef"]}

    assert [why_outdated(found) for found in (known, other, kept)] == [None, *["their definitions changed"] * 2]


def test_definitions_that_cannot_be_computed_now_are_listed() -> None:
    before, now = settings(Policy()), settings(Policy(), 3, has_collected=False)
    missing = kept_versions(before, now)

    assert set(missing) == set(before["definitions"]) - set(now["definitions"])
    assert kept_versions({**now, "kept": missing}, now) == missing
    assert kept_versions({**now, "kept": missing}, before) == []
    assert is_changed(before, now)


@pytest.mark.parametrize("known", [{}, {"definitions": "abc", "policy": "abc"}, {**settings(Policy()), "policy": None}])
def test_metrics_of_unknown_settings_are_not_kept(known: dict[str, Any]) -> None:
    assert why_outdated(known) is not None


def test_no_metric_reads_a_column_of_the_categories_that_change_nothing() -> None:
    unused = {Category.FAILED_ROWS_SAMPLE, Category.QUERY_LOGS}
    categories = {
        column.category
        for table, names in metric_columns().items()
        for column in TABLES[table].known_columns
        if column.name in names
    }

    assert not categories & unused
