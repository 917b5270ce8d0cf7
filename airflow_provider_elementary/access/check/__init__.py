"""Checks that a session can read the Elementary schema and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module

from airflow_provider_elementary.access.check.findings import Inspection, complete
from airflow_provider_elementary.access.check.report import AccessReport
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.access.check.transport import allowed_networks, evaluate_link
from airflow_provider_elementary.exceptions import AccessUnknownError
from airflow_provider_elementary.warehouses.registry import by_adapter


def check_access(
    session: Session, *, allowed_addresses: Sequence[str] = (), probes: Sequence[str] = ()
) -> AccessReport:
    """Find out what a session can do from the warehouse's system catalog, and try reads that must be denied.

    A check that fails raises nothing here: :meth:`AccessReport.require` does.

    :param session: the session that the sync reads through.
    :param allowed_addresses: IP addresses and CIDR ranges that the client may connect from; none means any.
    :param probes: tables outside the Elementary schema that must be unreadable, as the warehouse's SQL writes them,
        besides those that its system catalog names. No row is read from them, even if they are readable.
    :raises ConfigurationError: an address or a probe is malformed, or a probe is inside the Elementary schema.
    :raises AccessUnknownError: the system catalog denies even the question who the session is.
    :raises WarehouseError: the warehouse could not be reached, or the connection was lost.
    """
    # The parser of SQL is imported here: stored reports are read without it.
    from airflow_provider_elementary.access.check.canaries import read_canaries

    allowed = allowed_networks(allowed_addresses)
    try:
        inspector = import_module(by_adapter(session.adapter).inspector)
        inspection: Inspection = inspector.inspect(session, probes)
    except StatementDeniedError:
        raise AccessUnknownError(
            f"Permission denied while reading the system catalog of {session.dialect}: what the role can do cannot be "
            "determined. Let the role read the catalog's own views."
        ) from None
    findings = [
        *inspection.findings,
        *evaluate_link(inspection.link, session.transport, allowed),
        read_canaries(session, inspection.canaries),
    ]
    return AccessReport(
        dialect=session.dialect,
        database=session.database,
        schema=session.schema,
        user=inspection.user,
        roles=tuple(inspection.roles),
        checked_at=datetime.now(UTC),
        findings=complete(findings, session.adapter),
    )
