"""Grants, checks and guards least-privilege access to a warehouse."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# A function of the name of its package: it has to be here before anybody imports that.
from airflow_provider_elementary.access.grants import grants

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

_HOMES = {
    "check": ("check_access",),
    "check.report": ("AccessFinding", "AccessReport", "AccessDrift", "drift"),
    "guard": ("GuardedQuery", "guard_query"),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: a stored report is read without a parser of SQL."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
