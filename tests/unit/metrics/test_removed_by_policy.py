"""A changed policy removes what it excludes from stored metrics, and nothing else."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.metrics.registry import DEFINITIONS
from airflow_provider_elementary.metrics.removed_by_policy import RemovedByPolicy, conformed, removed_by_policy
from airflow_provider_elementary.metrics.settings import policy_of
from airflow_provider_elementary.snapshots import Policy
from airflow_provider_elementary.snapshots.policy import DEFAULT_CATEGORIES


def metrics_of(fact: str) -> set[str]:
    read = [definition for definition in DEFINITIONS if fact in {read.name for read in definition.facts}]
    return {name for definition in read for name in definition.names}


RUNS, TESTS, CHECKS, SHAPES, COVERAGE = map(
    metrics_of, ("run_executions", "test_outcomes", "freshness_checks", "seen_columns", "model_coverage")
)
AGES = CHECKS - {"freshness_pass_rate"}


def removed(before: Policy, after: Policy) -> RemovedByPolicy:
    return removed_by_policy(policy_of(before.to_dict()), policy_of(after.to_dict()))


def without(*categories: Category) -> Policy:
    return Policy(categories=tuple(set(DEFAULT_CATEGORIES) - set(categories)))


def excluding(name: str) -> Policy:
    return Policy(dropped_columns=(name,))


def hiding(name: str) -> Policy:
    return Policy(hashed_columns=(name,))


@pytest.mark.parametrize(
    ("after", "metrics", "facts"),
    [
        (excluding("dbt_run_results.rows_affected"), {"rows_affected"}, set()),
        (excluding("dbt_run_results.execution_time"), {"execution_time", "execution_time_ratio"}, set()),
        (excluding("dbt_run_results.status"), RUNS - {"rows_affected"} | TESTS, {"test_outcomes"}),
        (excluding("elementary_test_results.failed_row_count"), {"failed_rows"}, set()),
        (excluding("dbt_tests.quality_dimension"), {"health_score"}, set()),
        (hiding("elementary_test_results.test_sub_type"), {"health_score"}, set()),
        (excluding("elementary_test_results.status"), TESTS, {"test_outcomes"}),
        (excluding("dbt_source_freshness_results.max_loaded_at_time_ago_in_s"), AGES, set()),
        (hiding("schema_columns_snapshot.data_type"), SHAPES, {"seen_columns"}),
        (hiding("dbt_models.alias"), RUNS | TESTS | COVERAGE, {"run_executions", "test_outcomes", "model_coverage"}),
        (hiding("dbt_sources.identifier"), CHECKS | TESTS, {"freshness_checks", "test_outcomes"}),
        (without(Category.CONFIGURATION), {"source_age_of_warning", "source_age_of_error"}, set()),
        (
            without(Category.RUN_RESULTS),
            RUNS | TESTS | CHECKS | COVERAGE | {"invocations"},
            {"run_executions", "test_outcomes", "freshness_checks", "model_coverage", "invocations", "claims"},
        ),
        (without(Category.FAILED_ROWS_SAMPLE), set(), set()),
        (hiding("data_monitoring_metrics.id"), set(), set()),
        (without(Category.TABLE_METRICS, Category.AGGREGATED_METRICS), set(), set()),
        (Policy(categories=tuple(Category)), set(), set()),
    ],
)
def test_only_what_was_made_of_what_is_excluded_goes(after: Policy, metrics: set[str], facts: set[str]) -> None:
    found = removed(Policy(), after)

    assert (set(found.metrics), set(found.facts)) == (metrics, facts)


@pytest.mark.parametrize("name", ["dbt_models.alias", "data_monitoring_metrics.dimension_value"])
def test_what_is_no_longer_hidden_goes_as_what_is_hidden_now(name: str) -> None:
    assert removed(hiding(name), Policy()) == removed(Policy(), hiding(name))


def test_a_column_of_values_that_is_taken_again_removes_nothing() -> None:
    assert removed(excluding("dbt_run_results.rows_affected"), Policy()) == RemovedByPolicy()


COLLECTED = pa.schema(
    {
        **dict.fromkeys(("id", "metric_name", "column_name", "dimension_value", "metric_properties"), pa.string()),
        "is_collected": pa.bool_(),
    }
)


def collected(**values: Any) -> dict[str, Any]:
    row = {"id": "1", "metric_name": "row_count", "column_name": None, "dimension_value": None, "is_collected": True}
    return {**row, "metric_properties": "{}", **values}


@pytest.mark.parametrize(
    ("found", "row", "expected"),
    [
        (removed(Policy(), hiding("data_monitoring_metrics.dimension_value")), collected(), collected()),
        (
            removed(Policy(), hiding("data_monitoring_metrics.dimension_value")),
            collected(dimension_value="secret"),
            None,
        ),
        (removed(Policy(), hiding("data_monitoring_metrics.id")), collected(), collected(id=None)),
        (
            removed(Policy(), hiding("data_monitoring_metrics.metric_properties.where_expression")),
            collected(),
            collected(metric_properties=None),
        ),
        (removed(Policy(), without(Category.TABLE_METRICS)), collected(), None),
        (
            removed(Policy(), without(Category.TABLE_METRICS)),
            collected(column_name="c"),
            collected(column_name="c"),
        ),
        (removed(Policy(), without(Category.AGGREGATED_METRICS)), collected(column_name="c"), None),
        (removed(Policy(), Policy(dropped_metrics=("row_count",))), collected(), None),
        (RemovedByPolicy(metrics=frozenset({"row_count"})), collected(), collected()),
        (RemovedByPolicy(metrics=frozenset({"row_count"})), collected(is_collected=False), None),
        (RemovedByPolicy(details=frozenset({"id"})), collected(is_collected=False), collected(is_collected=False)),
    ],
)
def test_of_stored_metrics_rows_go_or_values_of_them(
    found: RemovedByPolicy, row: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    [batch] = pa.Table.from_pylist([row], COLLECTED).to_batches()

    assert found.kept(batch).to_pylist() == ([expected] if expected else [])


def test_of_stored_facts_rows_go_or_values_of_them() -> None:
    [batch] = pa.Table.from_pylist(
        [{"fact": name, "key": "k", "failed_rows": 1.0} for name in ("a", "b", "c")]
    ).to_batches()

    found = RemovedByPolicy(facts=frozenset({"a"}), values=frozenset({("b", "failed_rows"), ("c", "age")})).kept(batch)

    assert found.to_pylist() == [
        {"fact": "b", "key": "k", "failed_rows": None},
        {"fact": "c", "key": "k", "failed_rows": 1.0},
    ]


def test_facts_of_fewer_columns_get_those_of_all() -> None:
    schema = pa.schema({"fact": pa.string(), "age": pa.float64()})
    whole = pa.RecordBatch.from_pylist([{"fact": "b", "age": 1.0}], schema=schema)

    found = list(conformed(iter([pa.RecordBatch.from_pylist([{"fact": "a"}]), whole]), schema))

    assert [batch.to_pylist() for batch in found] == [[{"fact": "a", "age": None}], [{"fact": "b", "age": 1.0}]]


def test_every_column_of_values_is_one_of_its_fact_and_of_what_that_reads() -> None:
    for definition in DEFINITIONS:
        for fact in definition.facts:
            read = {name for names in fact.reads.values() for name in names}
            assert set(fact.values) <= set(fact.columns)
            assert {name for names in fact.values.values() for name in names} <= read


def test_what_goes_is_said_in_words() -> None:
    found = removed(Policy(), Policy(hashed_columns=("data_monitoring_metrics.dimension_value",)))

    assert found.describe() == "collected monitors with a value in dimension_value"
    shapes = removed(Policy(), hiding("schema_columns_snapshot.data_type"))
    assert shapes.describe() == "column_count, schema_changes"
    assert RemovedByPolicy().describe() is None
