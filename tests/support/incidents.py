"""Builders of incidents, and of what a project says of its alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_elementary.incidents.tracking import Incident
from tests.support.shop import ORDERS, SUNDAY

NOON = datetime(2026, 11, 3, 12)


def incident(**facts: Any) -> Incident:
    """Return an incident of the orders that opened on Sunday."""
    known = Incident(
        incident_id="of-orders",
        status="open",
        transition="opened",
        root=ORDERS,
        followers=(),
        started_at=SUNDAY,
        last_anomaly_at=SUNDAY + timedelta(days=1),
        resolved_at=None,
        anomalies=1,
        metrics=("row_count",),
        kinds=("drop",),
        severity="warn",
        worst_score=-4.0,
        sentence="orders: row_count 10 on Sun 1 Nov 2026; expected 90 to 110 from the last 14 buckets",
        owners=("core@shop.example",),
        tags=("core",),
    )
    return replace(known, **facts)


def resolved(**facts: Any) -> Incident:
    """Return an incident of the orders that the last run saw end."""
    over = {"status": "resolved", "transition": "resolved", "resolved_at": SUNDAY + timedelta(days=2)}
    return incident(**{**over, **facts})
