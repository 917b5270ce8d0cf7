"""How many verdicts and alarms each series had."""

from __future__ import annotations

import numpy as np

from airflow_provider_elementary.anomalies.robust.model.alarm_counts import STEPS, AlarmCounts, steps_of


def test_an_alarm_counts_at_each_step_that_its_score_reaches() -> None:
    counts = AlarmCounts.empty(3)

    counts.learn(np.array([0, 1, 2]), np.array([1.3, 4.0, np.nan]), np.array([True, False, False]))
    counts.learn(np.array([0, 2]), np.array([20.0, 0.5]), np.array([True, False]))

    assert counts.scored.tolist() == [2, 1, 1]
    assert counts.flagged[0].tolist() == [2, 2, 2, 1, 1, 1, 1, 1]
    assert not counts.flagged[1:].any()


def test_the_highest_step_of_a_score_is_found() -> None:
    assert steps_of(np.array([1.0, 1.2, 3.0, 99.0])).tolist() == [0, 1, 5, len(STEPS) - 1]
