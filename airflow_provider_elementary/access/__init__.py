"""Grants, checks and guards least-privilege access to a warehouse."""

from typing import TYPE_CHECKING

# A function of the name of its package: it has to be here before anybody imports that.
from airflow_provider_elementary.access.grants import grants
from airflow_provider_elementary.lazy_names import lazy_names

if TYPE_CHECKING:
    from airflow_provider_elementary.access.check import check_access
    from airflow_provider_elementary.access.check.report import AccessDrift, AccessFinding, AccessReport, drift
    from airflow_provider_elementary.access.guard import GuardedQuery, guard_query

__all__ = [
    "AccessDrift",
    "AccessFinding",
    "AccessReport",
    "GuardedQuery",
    "check_access",
    "drift",
    "grants",
    "guard_query",
]

__getattr__ = lazy_names(
    __name__,
    {
        "access.check": ("check_access",),
        "access.check.report": ("AccessFinding", "AccessReport", "AccessDrift", "drift"),
        "access.guard": ("GuardedQuery", "guard_query"),
    },
)
