"""Elementary's rule on a real schema: every stored verdict, and every score behind it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

from airflow_provider_elementary.anomalies.elementary.parity import compare_with_elementary
from tests.support.datasets import world_a
from tests.support.little_project import World
from tests.support.rule_scores import recompute_scores
from tests.support.table_source import TableSource


@pytest.fixture(scope="module")
def world(shared: Path) -> World:
    return world_a(shared)


@pytest.fixture(scope="module")
def stored_scores(world: World) -> pa.Table:
    """The scored buckets as Elementary's own SQL left them in ``test_result_rows``."""
    rows = [
        {"elementary_test_results_id": row["elementary_test_results_id"], **json.loads(row["result_row"])}
        for row in world["test_result_rows"].to_pylist()
        if row["test_type"] == "anomaly_detection"
    ]
    return pa.Table.from_pylist(rows).select(
        ["elementary_test_results_id", "metric_id", "anomaly_score", "training_avg", "training_stddev",
         "training_set_size", "min_metric_value", "max_metric_value", "is_anomalous"]
    )  # fmt: skip


def test_every_known_verdict_agrees(world: World) -> None:
    comparison = compare_with_elementary(TableSource(world))

    agreement = Counter(zip(*(comparison[name].to_pylist() for name in ("agreement", "stored")), strict=True))
    assert agreement == {
        ("agree", "pass"): 4021,
        ("agree", "fail"): 55,
        ("agree", "warn"): 1,
        ("cannot tell", "skipped"): 2,
    }


def test_the_only_assumptions_are_those_about_passing_dimension_tests(world: World) -> None:
    reasons = compare_with_elementary(TableSource(world))["reason"].to_pylist()

    assert sum("assuming" in reason for reason in reasons) == 204


def test_every_stored_score_is_recomputed_with_its_range_and_its_flag(world: World, stored_scores: pa.Table) -> None:
    scored = recompute_scores(TableSource(world))

    pairs = stored_scores.join(
        scored, ["elementary_test_results_id", "metric_id"], join_type="inner", right_suffix="_recomputed"
    )
    assert (stored_scores.num_rows, pairs.num_rows) == (54_693, 54_693)
    assert_allclose(pairs["score"].to_numpy(), pairs["anomaly_score"].to_numpy(), rtol=1e-9)
    for name in ("training_avg", "training_stddev", "min_metric_value", "max_metric_value"):
        assert_allclose(pairs[f"{name}_recomputed"].to_numpy(), pairs[name].to_numpy(), rtol=1e-9, err_msg=name)
    assert pairs["training_set_size_recomputed"].to_pylist() == pairs["training_set_size"].to_pylist()
    assert pairs["is_anomalous_recomputed"].to_pylist() == pairs["is_anomalous"].to_pylist()


def test_a_verdict_that_was_tampered_with_disagrees(world: World) -> None:
    results = world["elementary_test_results"].to_pylist()
    failed = [row["id"] for row in results if row["test_type"] == "anomaly_detection" and row["status"] == "fail"]
    tampered = [{**row, "status": "pass", "failures": 0} if row["id"] in failed else row for row in results]
    schema = world["elementary_test_results"].schema
    forged = {**world, "elementary_test_results": pa.Table.from_pylist(tampered, schema=schema)}

    comparison = compare_with_elementary(TableSource(forged)).to_pylist()

    assert {row["elementary_test_results_id"] for row in comparison if row["agreement"] == "disagree"} == set(failed)
