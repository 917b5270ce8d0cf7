"""A policy that changes removes of the metrics of purged days what it excludes, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import Policy
from airflow_provider_elementary.snapshots.policy import DEFAULT_CATEGORIES
from tests.support.metric_histories import OF_THE_PRESENT, MetricHistory, name_of


def history_with_purged_days(path: Path, policy: Policy) -> tuple[MetricHistory, set[Any]]:
    """Return a history of which the source has lost the first run, and the metrics of its days."""
    history = MetricHistory(path, 0)
    history.a_run()
    history.snapshot(policy=policy)
    stored = history.stored(history.update())
    history.now += timedelta(days=90)
    history.a_run()
    history.now += timedelta(days=1)
    history.a_run()
    # The source keeps these two runs: that the older rows are gone is a purge.
    history.snapshot(policy=policy)
    history.old_rows_are_purged()
    return history, {key for key in stored if name_of(key) not in OF_THE_PRESENT}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[MetricHistory, set[Any]]:
    """A history of the default policy with purged days, and their metrics; copy it before use."""
    return history_with_purged_days(tmp_path_factory.mktemp("once"), Policy())


def test_a_policy_that_excludes_no_more_keeps_metrics_of_purged_days(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = Policy(dropped_columns=("data_monitoring_metrics.metric_properties",), failed_rows_days=30)
    history, purged = history_with_purged_days(tmp_path, before)
    history.snapshot(policy=Policy(failed_rows_days=3))

    with caplog.at_level(logging.INFO):
        stored = history.stored(history.update())

    assert purged <= set(stored)
    assert "from scratch" not in caplog.text


def test_a_policy_that_excludes_a_metric_removes_it_from_purged_days(
    once: tuple[MetricHistory, set[Any]], tmp_path: Path
) -> None:
    history, purged = once[0].copied(tmp_path), once[1]
    dropped = {key for key in purged if name_of(key) == "row_count"}

    history.snapshot(policy=Policy(dropped_metrics=("row_count",)))

    stored = history.stored(history.update())

    assert dropped
    assert not {key for key in stored if name_of(key) == "row_count"}
    assert purged - dropped <= set(stored)


@pytest.mark.parametrize(
    ("policy", "removed"),
    [
        (Policy(dropped_columns=("dbt_source_freshness_results.max_loaded_at_time_ago_in_s",)), {"source_age"}),
        (Policy(hashed_columns=("data_monitoring_metrics.id",)), set()),
        (
            Policy(categories=tuple(set(DEFAULT_CATEGORIES) - {Category.TABLE_METRICS, Category.CONFIGURATION})),
            {"row_count"},
        ),
        (Policy(hashed_columns=("schema_columns_snapshot.data_type",)), {"column_count"}),
    ],
    ids=["a number", "an id", "two categories", "a text"],
)
def test_a_policy_that_excludes_more_removes_only_that_from_purged_days(
    policy: Policy,
    removed: set[str],
    once: tuple[MetricHistory, set[Any]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    history, purged = once[0].copied(tmp_path), once[1]
    history.snapshot(policy=policy)

    stored = history.stored(history.update())

    def without_id(keys: Iterable[Any]) -> set[Any]:
        return {key[1:] for key in keys}

    gone = {key for key in purged if name_of(key) in removed}
    assert not removed or gone
    assert without_id(purged - gone) <= without_id(stored)
    assert not without_id(gone) & without_id(stored)
    assert "from scratch" not in caplog.text
    assert ("these are lost: " in caplog.text) == bool(removed)

    # The run after continues with what stayed.
    history.snapshot(policy=policy)
    assert without_id(history.stored(history.update())) == without_id(stored)
