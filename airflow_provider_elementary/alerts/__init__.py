"""Selects, writes and sends alerts about incidents."""

from airflow_provider_elementary.alerts.alert import Alert
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta, AlertMetas, read_alert_metas
from airflow_provider_elementary.alerts.dispatch import Dispatched, send_alerts
from airflow_provider_elementary.alerts.selection import AlertFilter

__all__ = ["Alert", "AlertFilter", "AlertMeta", "AlertMetas", "Dispatched", "read_alert_metas", "send_alerts"]
