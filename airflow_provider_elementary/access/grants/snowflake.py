"""Creates grants for Snowflake."""

from __future__ import annotations

import re

from airflow_provider_elementary.access.grants.request import GrantRequest, commented, public_key_body, short_enough
from airflow_provider_elementary.quoting import identifier, literal

_LONGEST_NAME = 255
_UNQUOTED = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_QUOTED = re.compile(r'"(?:[^"]|"")+"')


def statements(reader: GrantRequest) -> list[str]:
    """Return the statements; the comment before each says which role runs it, unless the one before does."""
    role, user = snowflake_name(reader.role), snowflake_name(reader.user)
    database = snowflake_name(reader.require("database", "snowflake", "the database that holds the schema"))
    schema = f"{database}.{snowflake_name(reader.schema)}"
    return [
        *create_snowflake_reader(reader),
        f"GRANT USAGE ON DATABASE {database} TO ROLE {role};",
        f"GRANT USAGE ON SCHEMA {schema} TO ROLE {role};",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO ROLE {role};",
        f"GRANT SELECT ON ALL VIEWS IN SCHEMA {schema} TO ROLE {role};",
        commented(
            f"GRANT SELECT ON FUTURE TABLES IN SCHEMA {schema} TO ROLE {role};",
            "They hold whichever role dbt builds tables with. Where other roles read this schema through future grants",
            "on the database, repeat those on the schema: Snowflake ignores the database's where a schema has its own.",
        ),
        f"GRANT SELECT ON FUTURE VIEWS IN SCHEMA {schema} TO ROLE {role};",
        *network_policy(reader, user, schema),
        *_left_open(),
    ]


def create_snowflake_reader(reader: GrantRequest) -> list[str]:
    """Return the statements that create the role and its user, and let them use the virtual warehouse."""
    role, user = snowflake_name(reader.role), snowflake_name(reader.user)
    database = snowflake_name(reader.require("database", "snowflake", "the database that holds the schema"))
    warehouse = snowflake_name(
        reader.require("warehouse", "snowflake", "the virtual warehouse that its queries run on")
    )
    return [
        commented(
            f"CREATE ROLE IF NOT EXISTS {role};", "Run as USERADMIN, which owns the role and the user from then on."
        ),
        _create_user(reader, role, user, warehouse, f"{database}.{snowflake_name(reader.schema)}"),
        commented(
            f"ALTER USER {user} SET DEFAULT_SECONDARY_ROLES = ();",
            "Otherwise every role that the user is ever given would add its rights to each session.",
        ),
        f"GRANT ROLE {role} TO USER {user};",
        commented(
            f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role};",
            "Run as SECURITYADMIN, or as the owners of the warehouse, the database and the schema.",
        ),
    ]


def _left_open() -> list[str]:
    # No right can be taken from one role that PUBLIC, which every role inherits, keeps.
    return [
        commented(
            "SHOW GRANTS TO ROLE PUBLIC;",
            "Run as SECURITYADMIN. Changes nothing: lists what stays open to this reader, since every role holds what",
            "PUBLIC does. The access check fails on what goes beyond the schema.",
        ),
        "SHOW FUTURE GRANTS TO ROLE PUBLIC;",
    ]


def _create_user(reader: GrantRequest, role: str, user: str, warehouse: str, schema: str) -> str:
    properties = [
        "TYPE = SERVICE",
        f"DEFAULT_ROLE = {role}",
        f"DEFAULT_WAREHOUSE = {warehouse}",
        f"DEFAULT_NAMESPACE = {schema}",
        "DEFAULT_SECONDARY_ROLES = ()",
    ]
    if reader.public_key is None:
        hints = [
            f"Give the user its key with ALTER USER {user} SET RSA_PUBLIC_KEY = '…'; until then it cannot log in.",
            "A key pair, and the file for --public-key:",
            "  openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 aes256 -inform PEM -out elementary.p8",
            "  openssl rsa -in elementary.p8 -pubout -out elementary.pub",
        ]
    else:
        properties.append(f"RSA_PUBLIC_KEY = '{public_key_body(reader.public_key)}'")
        hints = [f"A user that exists keeps its key; change it with ALTER USER {user} SET RSA_PUBLIC_KEY_2."]
    return commented(f"CREATE USER IF NOT EXISTS {user}\n  " + "\n  ".join(properties) + ";", *hints)


def network_policy(reader: GrantRequest, user: str, schema: str) -> list[str]:
    """Return the statements that limit where the user may come from."""
    if not reader.network:
        return []
    policy = snowflake_name(f"{reader.user.strip(chr(34))}_network")
    rule = f"{schema}.{policy}"
    addresses = ", ".join(literal(address, "snowflake") for address in reader.network)
    return [
        commented(
            f"CREATE NETWORK RULE IF NOT EXISTS {rule}\n  TYPE = IPV4\n  MODE = INGRESS\n  VALUE_LIST = ({addresses});",
            "Run as the owner of the schema, which holds the rule.",
            f"A rule that exists keeps its list; change it with ALTER NETWORK RULE {rule} SET VALUE_LIST.",
        ),
        commented(
            f"CREATE NETWORK POLICY IF NOT EXISTS {policy} ALLOWED_NETWORK_RULE_LIST = ({literal(rule, 'snowflake')});",
            "Run as SECURITYADMIN. It concerns this user only.",
        ),
        f"ALTER USER {user} SET NETWORK_POLICY = {policy};",
    ]


def snowflake_name(text: str) -> str:
    """Return a quoted identifier: a plain name in upper case as Snowflake folds it, ``"quoted"`` and others exactly."""
    short_enough(text, _LONGEST_NAME, "Snowflake")
    if _UNQUOTED.fullmatch(text):
        return identifier(text.upper(), "snowflake")
    return text if _QUOTED.fullmatch(text) else identifier(text, "snowflake")
