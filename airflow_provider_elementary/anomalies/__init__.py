"""Scores metrics by Elementary's own rule or by a robust method."""

from airflow_provider_elementary.anomalies.backtest import Backtest, backtest
from airflow_provider_elementary.anomalies.detect import detect
from airflow_provider_elementary.anomalies.elementary.lint import Finding, lint
from airflow_provider_elementary.anomalies.elementary.parity import compare_with_elementary

__all__ = ["Backtest", "Finding", "backtest", "compare_with_elementary", "detect", "lint"]
