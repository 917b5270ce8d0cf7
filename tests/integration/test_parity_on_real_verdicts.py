"""Elementary's rule beside what its real macros said of odd configurations."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.testing import assert_allclose

from airflow_provider_elementary.anomalies import compare_with_elementary
from airflow_provider_elementary.anomalies.elementary.lint import lint
from tests.real_verdicts import real_verdicts, scored, sums
from tests.support.rule_scores import recompute_scores
from tests.support.table_source import TableSource


@pytest.fixture(scope="module")
def source() -> TableSource:
    return TableSource(real_verdicts())


@pytest.fixture(scope="module")
def names(source: TableSource) -> pa.Table:
    """What the test of each result is called."""
    results = source.held["elementary_test_results"].select(["id", "test_name", "test_sub_type"])
    return results.rename_columns(["elementary_test_results_id", "test_name", "test_sub_type"])


def test_every_known_verdict_agrees(source: TableSource) -> None:
    agreement = Counter(compare_with_elementary(source)["agreement"].to_pylist())

    assert agreement == {"agree": 537, "cannot tell": 5}


def test_the_unknown_verdicts_are_known_test_by_test(source: TableSource, names: pa.Table) -> None:
    comparison = compare_with_elementary(source).join(names, "elementary_test_results_id").to_pylist()

    assert {(row["test_name"], row["reason"]) for row in comparison if row["agreement"] == "cannot tell"} == {
        ("two_monitors", "the test was not completed: its status is error"),
        ("shared_web", "the values of 14 of its 14 buckets are those that a later test of its run measured"),
        ("tuned_channel", "no metrics of this test are left as its run saw them"),
    }


def test_every_scored_bucket_is_recomputed_with_its_range_and_its_flag(source: TableSource, names: pa.Table) -> None:
    pairs = scored().join(names, "elementary_test_results_id")
    # Another test of its run, of other rows by dbt's ``where``, has the same key and overwrites what it measured.
    pairs = pairs.filter(pc.not_equal(pairs["test_name"], "shared_web"))
    # Of a test by dimension, only the values that are anomalous at some time are stored.
    pairs = pairs.filter(pc.not_equal(pairs["test_sub_type"], "dimension"))

    pairs = pairs.join(sums(recompute_scores(source)), "elementary_test_results_id", join_type="left outer")

    assert sum(pairs["buckets"].to_pylist()) == 15_687

    for name in ("buckets", "training_set_size", "anomalies"):
        assert pairs[f"{name}_ours"].to_pylist() == pairs[name].to_pylist(), name
    for name in (
        "score", "absolute_score", "training_avg", "training_stddev", "min_metric_value", "max_metric_value",
    ):  # fmt: skip
        assert_allclose(pairs[f"{name}_ours"].to_numpy(), pairs[name].to_numpy(), rtol=1e-9, atol=1e-7, err_msg=name)


def test_lint_finds_the_configurations_that_do_not_do_what_they_say(source: TableSource) -> None:
    found = {(finding.test.split(".")[2], finding.rule) for finding in lint(source) if finding.test}

    assert found == {
        ("channel_calm", "never fires"),
        ("day_of_week_in_case", "ignored parameter"),
        ("freshness", "ignored parameter"),
        ("min_training_set_size", "ignored parameter"),
        ("small_drop", "one-sided"),
        ("small_spike", "one-sided"),
        ("tuned_channel", "ignored parameter"),
        ("tuned_default", "ignored parameter"),
        ("tuned_zero", "ignored parameter"),
        ("untrained_text", "ignored parameter"),
        ("zero_0", "never fires"),
        ("zero_text_False", "ignored parameter"),
        ("zero_text_False", "never fires"),
        ("zero_text_false", "ignored parameter"),
        ("zero_text_false", "never fires"),
    }
