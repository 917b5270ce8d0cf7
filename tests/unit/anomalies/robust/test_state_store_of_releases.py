"""The model state after a release that knows other metrics: only series whose own metric changed are replayed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.robust.state_store import ModelStateStore, scoring_settings
from airflow_provider_elementary.metrics.definitions import Metric
from airflow_provider_elementary.metrics.registry import METRICS
from tests.support.stores import Rest, local_rest
from tests.unit.anomalies.robust.test_state_store import SHOP, Run, days, of_one_replay, said, scored, whole

PLACE = {"key": "results/metrics/of-the-run", "sha256": "00"}


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return local_rest(tmp_path)


def run(rest: Rest, number: int, metrics: pa.Table) -> Run:
    """Score with the state of the run before, and store that of this one."""
    states = ModelStateStore(rest.repository, "dag/task/0", f"run {number}", scoring_settings({}, **OPTIONS))
    found = scored(days(metrics, 40 + number), states.load())
    states.keep(iter([whole(found.state)]))
    states.save(found.learned_until, {}, metrics=PLACE)
    return found


OPTIONS = {"days": 2, "shard": 0, "shards": 1}


@pytest.mark.parametrize("is_scored", [True, False])
def test_a_release_that_adds_a_metric_replays_no_series(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, is_scored: bool
) -> None:
    run(rest, 0, SHOP)
    monkeypatch.setitem(METRICS, "new_metric", Metric("new_metric", "s", "something new", is_scored=is_scored))

    found = run(rest, 1, SHOP)

    assert (found.resumed, found.replayed) == (4, 0)
    assert said(found.verdicts) == of_one_replay(days(SHOP, 41))


def test_a_metric_with_another_scale_replays_its_own_series_alone(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    run(rest, 0, SHOP)
    monkeypatch.setitem(METRICS, "failed_rows", Metric("failed_rows", "s", "of another unit"))

    found = run(rest, 1, SHOP)

    assert (found.resumed, found.replayed) == (3, 1)
    assert said(found.verdicts) == of_one_replay(days(SHOP, 41))


def test_all_metrics_are_read_where_another_one_is_scored(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    def states(number: int) -> ModelStateStore:
        return ModelStateStore(rest.repository, "dag/task/0", f"run {number}", scoring_settings({}, **OPTIONS))

    run(rest, 0, SHOP)
    assert states(1).load().metrics == PLACE
    monkeypatch.setitem(METRICS, "failed_rows", Metric("failed_rows", "rows", "not scored", is_scored=False))

    without = states(1).load()
    found = run(rest, 1, SHOP)

    assert without.metrics is None
    assert (found.resumed, found.replayed) == (3, 0)
    monkeypatch.undo()
    assert states(2).load().metrics is None
    assert said(run(rest, 2, SHOP).verdicts) == of_one_replay(days(SHOP, 42))
