"""The proof of least privilege: a session is examined, its link judged, canaries read; the outcome is a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module

from airflow_provider_elementary.access.check.canaries import sing
from airflow_provider_elementary.access.check.findings import Examination, complete
from airflow_provider_elementary.access.check.report import AccessReport
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.access.check.transport import allowed_networks, judge_link
from airflow_provider_elementary.exceptions import AccessUnknownError
from airflow_provider_elementary.warehouses.registry import by_dialect


def check_access(
    session: Session, *, allowed_addresses: Sequence[str] = (), probes: Sequence[str] = ()
) -> AccessReport:
    """Prove what a session can do from the warehouse's own catalogue, and try what it must not.

    Nothing is raised for what is found: :meth:`AccessReport.require` stops where a check does not pass.

    :param session: the session that the sync reads through.
    :param allowed_addresses: IP addresses and CIDR ranges that the warehouse may see the client at; none means any.
    :param probes: tables outside the Elementary schema that must be unreadable, as the warehouse's SQL writes them,
        besides those that its catalogue names. No row of them is read even where they are open.
    :raises ConfigurationError: an address or a probe is malformed, or a probe is inside the Elementary schema.
    :raises AccessUnknownError: the catalogue does not even answer who the session is.
    :raises WarehouseError: the warehouse could not be reached or went away.
    """
    allowed = allowed_networks(allowed_addresses)
    try:
        inspector = import_module(by_dialect(session.dialect).inspector)
        examination: Examination = inspector.examine(session, probes)
    except StatementDeniedError:
        raise AccessUnknownError(
            f"Permission denied while reading the system catalog of {session.dialect}: what the role can do cannot be "
            "determined. Let the role read the catalog's own views."
        ) from None
    findings = [
        *examination.findings,
        *judge_link(examination.link, session.transport, allowed),
        sing(session, examination.canaries),
    ]
    return AccessReport(
        dialect=session.dialect,
        database=session.database,
        schema=session.schema,
        user=examination.user,
        roles=tuple(examination.roles),
        checked_at=datetime.now(UTC),
        findings=complete(findings, session.dialect),
    )
