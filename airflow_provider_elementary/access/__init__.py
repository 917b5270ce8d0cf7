"""Grants, checks and guards least-privilege access to a warehouse."""

from airflow_provider_elementary.access.check import check_access
from airflow_provider_elementary.access.check.report import AccessFinding, AccessReport, Drift, drift
from airflow_provider_elementary.access.grants import grants
from airflow_provider_elementary.access.guard import GuardedQuery, guard_query

__all__ = [
    "AccessFinding",
    "AccessReport",
    "Drift",
    "GuardedQuery",
    "check_access",
    "drift",
    "grants",
    "guard_query",
]
