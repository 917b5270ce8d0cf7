"""Creates the statements for a dedicated read-only role, per warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from airflow_provider_elementary.access.grants.request import GrantRequest
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from airflow_provider_elementary.words import did_you_mean

__all__ = ["DIALECTS", "grants"]

#: The warehouses that :func:`grants` knows.
DIALECTS = tuple(key for key, kind in WAREHOUSES.items() if kind.grants)


def grants(
    dialect: str,
    *,
    role: str,
    user: str,
    schema: str,
    database: str | None = None,
    dbt_role: str | None = None,
    warehouse: str | None = None,
    public_key: str | None = None,
    network: Sequence[str] = (),
    harden: bool = False,
) -> list[str]:
    """Return the statements that let one user read the Elementary schema and nothing else.

    Run them in order as an administrator; running them again changes nothing. No statement replaces an existing
    role or user, and none holds a password. Comments before a statement say what SQL cannot do.

    :param dialect: one of :data:`DIALECTS`.
    :param role: the role to create; on BigQuery, which has none of its own, the roles are Google's.
    :param user: who reads: a user, a service principal's application id, a service account's e-mail address.
    :param schema: the Elementary schema (BigQuery: dataset).
    :param database: what holds the schema: database, catalog or project.
    :param dbt_role: who dbt connects as: the tables that it builds later stay readable.
    :param warehouse: what the queries run on: Snowflake's virtual warehouse, Athena's workgroup.
    :param public_key: the user's public key, in PEM or base64: RSA for Snowflake, SSH for ClickHouse.
    :param network: IP addresses and CIDR ranges that the user may come from; none means any.
    :param harden: also take from PUBLIC what the reader would hold through it. That changes rights of others: a comment
        says which, and how to undo it. Without it, the statements touch the role, the user and the schema only, and
        say what stays open.
    :raises ConfigurationError: a name cannot be quoted, an address is not valid, or a value that this warehouse
        needs is missing.
    """
    kind = WAREHOUSES.get(dialect)
    if kind is None or kind.grants is None:
        nearest = did_you_mean(dialect, DIALECTS)
        raise ConfigurationError(f"No grants are known for {dialect!r}.{nearest} Known: {', '.join(DIALECTS)}.")
    statements: list[str] = import_module(kind.grants).statements(
        GrantRequest(
            role=role,
            user=user,
            schema=schema,
            database=database,
            dbt_role=dbt_role,
            warehouse=warehouse,
            public_key=public_key,
            network=tuple(network),
            harden=harden,
        )
    )
    return statements
