"""Keeps what a warehouse's own history says of executed queries."""

from airflow_provider_elementary.query_history.reader import read_query_history
from airflow_provider_elementary.query_history.rows import HistoryPolicy
from airflow_provider_elementary.query_history.schema import HISTORY_SCHEMA
from airflow_provider_elementary.query_history.update import HistoryLimits, HistoryUpdate, update_query_history

__all__ = [
    "HISTORY_SCHEMA",
    "HistoryLimits",
    "HistoryPolicy",
    "HistoryUpdate",
    "read_query_history",
    "update_query_history",
]
