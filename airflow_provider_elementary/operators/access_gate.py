"""Stops a task whose session fails the access check."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import AccessDeniedError

if TYPE_CHECKING:
    from airflow_provider_elementary.access import AccessReport
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from airflow_provider_elementary.warehouses.source import WarehouseSource


def require_access(
    hook: ElementaryHook,
    source: WarehouseSource,
    accept_unknown: Sequence[str] | None,
    probes: Sequence[str] | None = None,
    on_refused: Callable[[AccessReport], None] | None = None,
) -> AccessReport:
    """Run the access check on an open session, and stop unless every check passes.

    Each task checks its own session: the report of another task is no proof for it.

    :param on_refused: called with a report that stops the task, before it does.
    :raises AccessDeniedError: a check failed, or is unknown and not accepted by name.
    """
    report = hook.check(source, probes or ())
    log_access(hook.log, f"access of {hook.elementary_conn_id}", report)
    try:
        report.require([*(accept_unknown or ()), *hook.accept_unknown])
    except AccessDeniedError:
        if on_refused is not None:
            on_refused(report)
        raise
    return report


def log_access(log: Any, title: str, report: AccessReport) -> None:
    """Log how many checks pass: as an error if one fails, as a warning if one is unknown or was accepted."""
    doubtful = report.unknown or report.warnings
    level = logging.ERROR if report.failed else logging.WARNING if doubtful else logging.INFO
    log.log(level, "%s: %s", title, report.headline)
    for finding in report.warnings:
        log.warning("accepted although it fails: %s: %s. Reason: %s", finding.name, finding.evidence, finding.accepted)
