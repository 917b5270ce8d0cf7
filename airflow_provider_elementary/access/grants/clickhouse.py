"""Creates grants for ClickHouse."""

from __future__ import annotations

import re

from airflow_provider_elementary.access.grants.request import GrantRequest, commented
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.quoting import literal

_SSH_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp256)\s+([A-Za-z0-9+/]+={0,2})(\s.*)?")


def statements(reader: GrantRequest) -> list[str]:
    """Return the statements; run them as a user with access_management."""
    role, user, schema = clickhouse_name(reader.role), clickhouse_name(reader.user), clickhouse_name(reader.schema)
    return [
        f"CREATE ROLE IF NOT EXISTS {role};",
        create_user(reader, user),
        commented(
            f"GRANT SELECT ON {schema}.* TO {role};",
            "A grant on the whole database covers tables that dbt builds later. ClickHouse calls a schema a database.",
        ),
        f"GRANT {role} TO {user};",
        f"SET DEFAULT ROLE {role} TO {user};",
    ]


def create_user(reader: GrantRequest, user: str) -> str:
    """Return the statement that creates the user."""
    hosts = ", ".join(f"IP {literal(address, 'clickhouse')}" for address in reader.network) or "ANY"
    settings = "SETTINGS readonly = 2"
    if reader.public_key is None:
        return commented(
            f"CREATE USER IF NOT EXISTS {user} HOST NONE {settings};",
            f"Nobody can log in as it yet: ALTER USER {user} IDENTIFIED WITH sha256_password BY '…' HOST {hosts};",
        )
    key = _SSH_KEY.fullmatch(reader.public_key.strip())
    if key is None:
        raise ConfigurationError(
            "The public key is not an SSH key (ssh-ed25519 AAAA…). Create one with: ssh-keygen -t ed25519"
        )
    return (
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED WITH ssh_key BY KEY '{key[2]}' TYPE '{key[1]}' "
        f"HOST {hosts} {settings};"
    )


def clickhouse_name(text: str) -> str:
    """Return a quoted name."""
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"
