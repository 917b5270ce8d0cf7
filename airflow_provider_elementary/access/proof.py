"""A proof: an access report with the session that it was made for, and which other sessions it may stand for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from airflow_provider_elementary.access.check import check_access
from airflow_provider_elementary.access.report import AccessReport
from airflow_provider_elementary.access.session import Session, StatementDeniedError

#: How long a proof stands: the tasks of one DAG run follow each other, and a task cleared days later proves anew.
STANDS = timedelta(hours=1)

#: Who the session is, what it can become, and how the warehouse sees its link: what a report depends on and one cheap
#: statement can tell. A warehouse that is not here is checked anew by each session.
_IDENTITY: Mapping[str, str] = MappingProxyType(
    {
        "postgres": """
SELECT session_user::text, current_user::text, current_database()::text, host(inet_server_addr()), inet_server_port(),
       host(inet_client_addr()),
       (SELECT concat_ws(' ', ssl, version, cipher) FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()),
       (SELECT string_agg(concat_ws(' ', rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls),
                          ',' ORDER BY rolname)
        FROM pg_catalog.pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER'))
""",
        "snowflake": """
SELECT CURRENT_ACCOUNT(), CURRENT_USER(), CURRENT_ROLE(), CURRENT_SECONDARY_ROLES(), CURRENT_AVAILABLE_ROLES(),
       CURRENT_DATABASE(), CURRENT_IP_ADDRESS()
""",
    }
)


@dataclass(frozen=True)
class Proof:
    """What a session was found to do, kept for the sessions that follow it in the same DAG run.

    :param report: what was found.
    :param session: the :func:`fingerprint` of the session; None where nothing tells it from others.
    :param probes: the relations outside the schema that the author had probed.
    """

    report: AccessReport
    session: str | None
    probes: tuple[str, ...]

    def stands_for(self, session: str | None, probes: Sequence[str] = ()) -> bool:
        """Say whether the report holds for another session too.

        :param session: that session's fingerprint.
        :param probes: what has to have been probed.
        """
        age = datetime.now(UTC) - self.report.checked_at
        return (
            session is not None
            and session == self.session
            and set(probes) <= set(self.probes)
            and timedelta() <= age <= STANDS
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report's own JSON-ready values and the session's: no secret, no data row."""
        return {**self.report.to_dict(), "session": self.session, "probes": list(self.probes)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Proof:
        """Return the proof that :meth:`to_dict` described.

        :raises KeyError: it is none.
        """
        return cls(AccessReport.from_dict(data), data["session"], tuple(data["probes"]))


def prove(
    session: Session, *, connection: str, allowed_addresses: Sequence[str] = (), probes: Sequence[str] = ()
) -> Proof:
    """Check a session's access; see :func:`~airflow_provider_elementary.access.check_access`.

    :param connection: the name of the connection that the session was opened by.
    """
    told = fingerprint(session, connection=connection, allowed_addresses=allowed_addresses)
    report = check_access(session, allowed_addresses=allowed_addresses, probes=probes)
    return Proof(report, told, tuple(probes))


def fingerprint(session: Session, *, connection: str, allowed_addresses: Sequence[str] = ()) -> str | None:
    """Return a hash that two sessions share only where one's report holds for the other.

    It is taken from what the warehouse itself says about the session that is open, and from how this client protects
    the link; never from a password or a key.

    :return: hexadecimal; None where the warehouse would not tell.
    :raises WarehouseError: the warehouse could not be reached or went away.
    """
    if (statement := _IDENTITY.get(session.dialect)) is None:
        return None
    try:
        told = session.rows(statement)
    except StatementDeniedError:
        return None
    facts = {
        "connection": connection,
        "dialect": session.dialect,
        "database": session.database,
        "schema": session.schema,
        "transport": asdict(session.transport) if session.transport else None,
        "allowed_addresses": sorted(allowed_addresses),
        "told": [list(row) for row in told],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
