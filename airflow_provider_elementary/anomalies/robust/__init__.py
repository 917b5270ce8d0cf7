"""Scores metrics by a seasonal forecast with robust noise estimation per series."""

from airflow_provider_elementary.anomalies.robust.model.parameters import ModelParameters
from airflow_provider_elementary.anomalies.robust.replay import Replay
from airflow_provider_elementary.anomalies.robust.scoring import score
from airflow_provider_elementary.anomalies.robust.state import ModelState, UnusableStateError

__all__ = ["ModelParameters", "ModelState", "Replay", "UnusableStateError", "score"]
