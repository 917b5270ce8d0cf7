"""Creates grants for Redshift."""

from __future__ import annotations

from functools import partial

from airflow_provider_elementary.access.grants.request import GrantRequest, commented, short_enough
from airflow_provider_elementary.quoting import identifier, literal

_identifier, _literal = partial(identifier, dialect="redshift"), partial(literal, dialect="redshift")

_LONGEST_NAME = 127
_PROCEDURE = "elementary_create_reader"

# Redshift knows neither CREATE ROLE IF NOT EXISTS nor anonymous blocks.
_CREATE = """\
CREATE PROCEDURE {procedure}() AS {tag}
BEGIN
  IF NOT EXISTS (SELECT 1 FROM svv_roles WHERE role_name = {role_literal}) THEN
    CREATE ROLE {role};
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_user WHERE usename = {user_literal}) THEN
    CREATE USER {user} PASSWORD DISABLE;
  END IF;
END
{tag} LANGUAGE plpgsql;"""


def statements(reader: GrantRequest) -> list[str]:
    """Return the statements; run them as a superuser in the database that holds the schema."""
    for name in ("role", "user", "schema", "database", "dbt_role"):
        short_enough(getattr(reader, name) or "", _LONGEST_NAME, "Redshift")
    role, user, schema = (
        _identifier(reader.role),
        _identifier(reader.user),
        _identifier(reader.schema),
    )
    database = _identifier(reader.require("database", "redshift", "the database that holds the schema"))
    writer = _identifier(reader.require("dbt_role", "redshift", "the user that dbt writes with"))
    return [
        commented(
            _create(reader, role, user),
            "The user has no password: let it log in with IAM (GetClusterCredentials), or set one with ALTER USER.",
            *_network(reader),
        ),
        f"CALL {_PROCEDURE}();",
        f"DROP PROCEDURE {_PROCEDURE}();",
        f"GRANT ROLE {role} TO {user};",
        f"GRANT USAGE ON SCHEMA {schema} TO ROLE {role};",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO ROLE {role};",
        commented(
            f"ALTER DEFAULT PRIVILEGES FOR USER {writer} IN SCHEMA {schema} GRANT SELECT ON TABLES TO ROLE {role};",
            "dbt drops and rebuilds tables: without FOR USER, these privileges would not hold for what it builds.",
            *([] if reader.harden else _OPEN),
        ),
        *(_hardened(database, writer) if reader.harden else []),
    ]


_OPEN = (
    "Stays open through PUBLIC, which is every user: TEMPORARY on the database, and CREATE on schema public. The",
    "access check fails on both. `--harden` prints statements that close them, or accept them with accept_failed.",
)


def _hardened(database: str, writer: str) -> list[str]:
    return [
        commented(
            f"GRANT TEMPORARY ON DATABASE {database} TO {writer};",
            "PUBLIC is every user, this reader too. dbt keeps what it needs.",
            f"Undo: REVOKE TEMPORARY ON DATABASE {database} FROM {writer};",
        ),
        commented(
            f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC;",
            "Changes for others: users need a grant of their own to create temporary tables.",
            f"Undo: GRANT TEMPORARY ON DATABASE {database} TO PUBLIC;",
        ),
        commented(
            f"GRANT CREATE ON SCHEMA public TO {writer};", f"Undo: REVOKE CREATE ON SCHEMA public FROM {writer};"
        ),
        commented(
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
            "Changes for others: users need a grant of their own to create anything in schema public.",
            "Undo: GRANT CREATE ON SCHEMA public TO PUBLIC;",
        ),
    ]


def _create(reader: GrantRequest, role: str, user: str) -> str:
    names = {
        "role": role,
        "user": user,
        "role_literal": _literal(reader.role),
        "user_literal": _literal(reader.user),
    }
    tag = "$elementary$"
    while any(tag in name for name in names.values()):
        tag = tag[:-1] + "_$"
    return _CREATE.format(procedure=_PROCEDURE, tag=tag, **names)


def _network(reader: GrantRequest) -> list[str]:
    if not reader.network:
        return []
    return [
        f"Allow only {', '.join(reader.network)} in the cluster's VPC security group: Redshift knows no user's network."
    ]
