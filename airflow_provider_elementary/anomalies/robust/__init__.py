"""Scores metrics by a seasonal forecast with robust noise estimation per series."""

from airflow_provider_elementary.anomalies.robust.model.parameters import Parameters
from airflow_provider_elementary.anomalies.robust.replay import ModelState, Replay
from airflow_provider_elementary.anomalies.robust.scoring import score

__all__ = ["ModelState", "Parameters", "Replay", "score"]
