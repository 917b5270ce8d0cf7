"""method="robust": verdicts that know the week, survive past incidents and learn how wild each series is."""

from airflow_provider_elementary.anomalies.robust.parameters import Parameters
from airflow_provider_elementary.anomalies.robust.replay import Remembered, Replay
from airflow_provider_elementary.anomalies.robust.scoring import score

__all__ = ["Parameters", "Remembered", "Replay", "score"]
