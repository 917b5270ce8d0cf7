"""Builds Snowflake's INFORMATION_SCHEMA as one session sees it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlglot
from sqlglot import exp

from tests.servers.snowflake_roles import ADMIN, Account, Session
from tests.servers.snowflake_sql import as_rows

_OBJECT = "TABLE_CATALOG || '.' || TABLE_SCHEMA || '.' || TABLE_NAME"
_OBJECT_PRIVILEGES = (
    *("GRANTOR", "GRANTEE", "OBJECT_CATALOG", "OBJECT_SCHEMA", "OBJECT_NAME", "OBJECT_TYPE", "PRIVILEGE_TYPE"),
    "IS_GRANTABLE",
)
_TABLE_PRIVILEGES = (
    *("GRANTOR", "GRANTEE", "GRANTED_TO", "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "PRIVILEGE_TYPE"),
    "IS_GRANTABLE",
)


def seen_by(view: exp.Table, account: Account, session: Session) -> exp.Expr:
    """Return what stands in a query for a view of INFORMATION_SCHEMA: the view itself or a subquery of its name."""
    name = view.name.upper()
    if (found := _about_roles(name, account, session)) is not None:
        return sqlglot.parse_one(as_rows(*found), read="snowflake", into=exp.Select).subquery(view.alias or view.name)
    shown: dict[str, tuple[str, Iterable[str]]] = {
        "SCHEMATA": ("CATALOG_NAME || '.' || SCHEMA_NAME", account.visible_schemas(session)),
        **dict.fromkeys(("TABLES", "VIEWS", "COLUMNS"), (_OBJECT, account.visible(session))),
    }
    if name not in shown or ADMIN in account.active_roles(session):
        return view
    key, names = shown[name]
    whole = view.copy()
    whole.set("alias", None)
    listed = ", ".join(exp.Literal.string(name).sql() for name in sorted(names)) or "NULL"
    return exp.select("*").from_(whole).where(f"{key} IN ({listed})").subquery(view.alias or view.name)


def _about_roles(
    view: str, account: Account, session: Session
) -> tuple[tuple[str, ...], Sequence[tuple[str, ...]]] | None:
    """Return the columns and rows of a view that fakesnow lacks, or None for any other."""
    active = account.active_roles(session)
    held = [grant for grant in account.grants if grant.role in active]
    match view:
        case "ENABLED_ROLES":
            return ("ROLE_NAME", "ROLE_OWNER"), [(role, "USERADMIN") for role in sorted(active)]
        case "APPLICABLE_ROLES":
            direct = [(session.user.name, role, "USERADMIN", "NO") for role in sorted(session.user.roles)]
            inherited = [(grant.role, grant.name, "USERADMIN", "NO") for grant in held if grant.kind == "ROLE"]
            return ("GRANTEE", "ROLE_NAME", "ROLE_OWNER", "IS_GRANTABLE"), direct + inherited
        case "OBJECT_PRIVILEGES":
            rows = [
                (ADMIN, grant.role, *_parts(grant.name, grant.kind), grant.kind, grant.privilege, "NO")
                for grant in held
                if grant.kind != "ROLE"
            ]
            return _OBJECT_PRIVILEGES, rows
        case "TABLE_PRIVILEGES":
            rows = [
                (ADMIN, grant.role, "ROLE", *_parts(grant.name, grant.kind), grant.privilege, "NO")
                for grant in held
                if grant.kind in ("TABLE", "VIEW")
            ]
            return _TABLE_PRIVILEGES, rows
    return None


def _parts(name: str, kind: str) -> tuple[str, str, str]:
    """Split a qualified name into catalog, schema and name, empty where the kind of object has no such level."""
    parts = name.split(".", 2)
    *place, own = parts if kind in ("SCHEMA", "TABLE", "VIEW") else [name]
    return (place[0] if place else "", place[1] if len(place) > 1 else "", own)
