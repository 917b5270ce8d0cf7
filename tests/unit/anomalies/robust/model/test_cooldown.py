"""What one incident changes about the alarms after it."""

from __future__ import annotations

import numpy as np

from airflow_provider_elementary.anomalies.robust.model.cooldown import Cooldown
from airflow_provider_elementary.anomalies.robust.model.parameters import DAILY, HOURLY, ModelParameters
from airflow_provider_elementary.anomalies.robust.model.transform import COUNT, REAL

ROW = np.array([0])


def reported(cooldown: Cooldown, is_flagged: bool, lasts: bool) -> bool:
    """Return whether a missing bucket is reported."""
    runs, lasting = np.zeros((2, 3, 1), bool)
    runs[0], lasting[0] = is_flagged, lasts
    return bool(cooldown.run_starts(ROW, runs, lasting, DAILY)[0, 0])


def test_a_run_is_reported_once_even_if_its_middle_is_not_flagged() -> None:
    cooldown = Cooldown.empty(1)
    run = [
        reported(cooldown, is_flagged, lasts=place > 0) for place, is_flagged in enumerate([True, False, *[True] * 4])
    ]

    assert run == [True, False, True, True, False, False]
    assert not reported(cooldown, is_flagged=False, lasts=False)
    assert reported(cooldown, is_flagged=True, lasts=False)


def test_an_alarm_does_not_hide_that_nothing_arrives_of_a_known_metric() -> None:
    cooldown = Cooldown(np.ones(2), np.zeros(2, bool), np.zeros((2, 3)))
    rows, kinds = np.array([0, 1]), np.array([COUNT, REAL], np.int8)

    of_arrival = cooldown.caution_of_arrival(rows, kinds, HOURLY, ModelParameters())

    assert of_arrival.tolist() == [0, ModelParameters().caution_unknown + HOURLY.caution_per_alarm]
    of_size = cooldown.caution(rows, kinds == REAL, HOURLY, ModelParameters())
    assert of_size.tolist() == [HOURLY.caution_per_alarm, ModelParameters().caution_unknown + HOURLY.caution_per_alarm]
