"""What a connection may do: SQL guard, grants that create the role, proof of least privilege."""

from airflow_provider_elementary.access.check import check_access
from airflow_provider_elementary.access.check.report import AccessReport, Drift, Finding, drift
from airflow_provider_elementary.access.grants import grants
from airflow_provider_elementary.access.guard import GuardedQuery, guard_query

__all__ = [
    "AccessReport",
    "Drift",
    "Finding",
    "GuardedQuery",
    "check_access",
    "drift",
    "grants",
    "guard_query",
]
