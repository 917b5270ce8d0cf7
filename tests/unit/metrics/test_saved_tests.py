"""Tests that are saved with metrics are those of the whole snapshot, and nothing depends on their file."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.elementary import configured_tests
from airflow_provider_elementary.anomalies.elementary.configured_tests import TESTS, read_test_configurations
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.incidents.evaluate import configurations_of
from airflow_provider_elementary.metrics.saved_tests import read_saved_tests
from airflow_provider_elementary.snapshots import Policy
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.storage.records.result_document import Result
from tests.support.metric_histories import MetricHistory

#: `make acceptance` runs more.
HISTORIES = int(os.environ.get("ELEMENTARY_METRIC_HISTORIES", "2"))


def configured(history: MetricHistory, result: Result) -> pa.Table:
    """Return the configurations with which the metrics of the newest snapshot are scored."""
    found = configurations_of(history.sync.repository, {"metrics": result.key, **result.origin})
    assert found is not None
    return found


def runs(history: MetricHistory, number: int, **options: Any) -> Result:
    """Let some hours pass, each with a run, a sync and metrics; return the newest."""
    for _ in range(number):
        history.now += timedelta(hours=1)
        history.a_run()
        history.snapshot(full_every_days=100_000, **options)
        result = history.update()
    return result


@pytest.fixture
def history(tmp_path: Path) -> MetricHistory:
    return MetricHistory(tmp_path, 0, has_anomaly_tests=True)


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_saved_tests_equal_those_of_the_snapshot(seed: int, tmp_path: Path) -> None:
    history = MetricHistory(tmp_path, seed, has_anomaly_tests=True)
    saved: set[str] = set()
    for step in range(12):
        history.now += timedelta(hours=history.random.choice([1, 20, 24 * 4, 24 * 15]))
        history.random.choice((MetricHistory.a_run, MetricHistory.a_late_run, MetricHistory.rows_are_written_twice))(
            history
        )
        if step == 6:
            history.old_rows_are_purged()
        if step == 9:
            history.the_schema_is_refreshed()
            history.a_run()
        history.snapshot(full_every_days=0 if step == 4 else 100_000)
        result = history.update()

        read = read_saved_tests(TESTS, history.sync.repository, result)
        assert read is not None
        assert read.equals(configured_tests.read_tests(history.source(), history.source(), None)), f"step {step}"
        assert configured(history, result).equals(read_test_configurations(history.source()))
        saved |= {*read["metric_name"].to_pylist()}
    assert saved == {"dimension", "row_count"}


def test_an_hour_reads_the_tests_of_new_rows_alone(history: MetricHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(history, 3)
    read: list[tuple[int, bool]] = []

    def noted(source: object, new: object, before: pa.Table | None) -> pa.Table | None:
        read.append((len(new.manifest.files) < len(source.manifest.files), before is not None))  # type: ignore[attr-defined]
        return configured_tests.read_tests(source, new, before)  # type: ignore[arg-type]

    monkeypatch.setattr("tests.support.metric_histories.TESTS", type(TESTS)(TESTS.version, TESTS.schema, noted))
    runs(history, 2)

    assert read == [(True, True)] * 2


def test_without_new_results_the_file_stays(history: MetricHistory) -> None:
    first = runs(history, 2)
    history.snapshot(full_every_days=100_000)

    second = history.update()

    assert second.saved_files == first.saved_files != ()


def test_another_version_reads_all_of_them_again(history: MetricHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    first = runs(history, 2)
    monkeypatch.setattr(configured_tests, "TESTS", (other := type(TESTS)("another", TESTS.schema, TESTS.read)))

    assert read_saved_tests(other, history.sync.repository, first) is None


@pytest.mark.parametrize("content", [None, b"PAR1 forged PAR1"])
def test_a_file_that_is_gone_or_forged_is_not_used(
    content: bytes | None, history: MetricHistory, caplog: pytest.LogCaptureFixture
) -> None:
    result = runs(history, 2)
    [file] = result.saved_files
    store = history.sync.repository.store
    store.delete(file.key)
    if content is not None:
        store.put(file.key, content)
    caplog.set_level(logging.WARNING)

    assert configured(history, result).equals(read_test_configurations(history.source()))
    assert "reading all test results" in caplog.text
    assert configured(history, runs(history, 1)).equals(read_test_configurations(history.source()))


def test_without_the_category_nothing_is_saved(tmp_path: Path) -> None:
    history = MetricHistory(tmp_path, 0, has_anomaly_tests=True)
    others = tuple(category for category in Category if category != Category.CONFIGURATION)
    result = runs(history, 2, policy=Policy(categories=others))

    assert result.saved_files == ()
    assert Category.CONFIGURATION.value not in result.keys
    assert configured(history, result).num_rows == 0


def test_a_prune_keeps_the_tests_of_the_newest_runs_alone(history: MetricHistory) -> None:
    results = [runs(history, 1) for _ in range(5)]
    repository = history.sync.repository

    prune(repository, Retention(keep_last=5), now=datetime.now(UTC))

    kept = [[repository.store.get_capped(file.key, 1) is not None for file in one.saved_files] for one in results]
    assert kept == [[False], [False], [False], [True], [True]]
    assert repository.verify("all").sound


def test_a_prune_removes_tests_whose_category_expired(history: MetricHistory) -> None:
    result = runs(history, 2)
    repository = history.sync.repository

    rules = Retention(keep_last=5, category_days={Category.CONFIGURATION: 1})
    prune(repository, rules, now=datetime.now(UTC) + timedelta(days=3))

    [file] = result.saved_files
    assert repository.store.get_capped(file.key, 1) is None
