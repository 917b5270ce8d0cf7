"""Selects, writes and sends alerts about incidents."""

from typing import TYPE_CHECKING

from airflow_provider_elementary.lazy_names import lazy_names

if TYPE_CHECKING:
    from airflow_provider_elementary.alerts.alert import Alert
    from airflow_provider_elementary.alerts.dbt_meta import AlertMeta, AlertMetas, read_alert_metas
    from airflow_provider_elementary.alerts.dispatch import Dispatched, send_alerts
    from airflow_provider_elementary.alerts.selection import AlertFilter

__all__ = ["Alert", "AlertFilter", "AlertMeta", "AlertMetas", "Dispatched", "read_alert_metas", "send_alerts"]

__getattr__ = lazy_names(
    __name__,
    {
        "alerts.alert": ("Alert",),
        "alerts.dbt_meta": ("AlertMeta", "AlertMetas", "read_alert_metas"),
        "alerts.dispatch": ("Dispatched", "send_alerts"),
        "alerts.selection": ("AlertFilter",),
    },
)
