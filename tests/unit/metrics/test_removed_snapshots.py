"""A chain that lost snapshots, also one that has grown since, does not contain the snapshot that metrics are of."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.metrics.by_day import update_metrics
from airflow_provider_elementary.metrics.removed_snapshots import removed_snapshots
from airflow_provider_elementary.storage.layout import manifest_key
from tests.support.metric_histories import MetricHistory


def grown(history: MetricHistory, snapshots: int) -> None:
    for _ in range(snapshots):
        history.now += timedelta(hours=1)
        history.a_run()
        history.snapshot()


def found_by(history: MetricHistory) -> str | None:
    return removed_snapshots(history.sync.repository, history.source(), "next")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MetricHistory:
    """A store of three snapshots without compactions, and metrics of the last."""
    monkeypatch.setattr("tests.support.metric_histories.compact", lambda _: None)
    history = MetricHistory(tmp_path, 0)
    grown(history, 3)
    history.update()
    return history


def test_a_chain_that_lost_snapshots_is_noticed_however_far_it_has_grown_since(history: MetricHistory) -> None:
    assert found_by(history) is None
    for number in (2, 3):
        history.sync.store.delete(manifest_key(number))
    found = [found_by(history)]
    for _ in range(3):
        grown(history, 1)
        found.append(found_by(history))

    assert ["does not contain the snapshot" in (said or "") for said in found] == [True] * 4


def test_a_chain_that_lost_snapshots_is_noticed_after_a_run_of_an_older_snapshot(history: MetricHistory) -> None:
    old = history.source()
    grown(history, 1)
    history.update()
    update_metrics(history.sync.repository, old, run_key="old", origin={"snapshot_id": old.manifest.snapshot_id})
    history.sync.store.delete(manifest_key(4))

    assert "it ends at number 3, and snapshot number 4 was recorded" in (found_by(history) or "")


def test_a_chain_that_grows_contains_the_snapshot_of_the_metrics(history: MetricHistory) -> None:
    grown(history, 2)

    assert found_by(history) is None
