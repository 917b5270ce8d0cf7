"""Reads the reachable roles of a Snowflake user and their grants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.quoting import identifier


@dataclass(frozen=True)
class Who:
    """The user of the session.

    :param role: its primary role; None if it has none.
    :param available: the roles that the user can use according to Snowflake, inherited ones included.
    """

    user: str
    role: str | None
    available: tuple[str, ...]


@dataclass(frozen=True)
class SnowflakeGrant:
    """One row of SHOW GRANTS or SHOW FUTURE GRANTS.

    :param holder: the role, or the user, that holds it.
    :param kind: of the object, in Snowflake's words with spaces: ``TABLE``, ``DATABASE ROLE``, …
    :param name: of the object, qualified and quoted as Snowflake prints it.
    :param grantable: whether the holder may grant it to others.
    """

    holder: str
    privilege: str
    kind: str
    name: str
    grantable: bool = False


@dataclass
class Roles:
    """The roles and grants that :func:`walk` found.

    :param direct: the roles that were granted to the user itself.
    :param names: all reachable roles except PUBLIC.
    :param closed: those whose grants Snowflake does not show.
    :param closed_future: those whose future grants it does not show.
    """

    direct: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    closed_future: set[str] = field(default_factory=set)
    grants: list[SnowflakeGrant] = field(default_factory=list)
    future: list[SnowflakeGrant] = field(default_factory=list)


@dataclass(frozen=True)
class _Role:
    """A role whose grants are to be read; a database role's name is qualified."""

    name: str
    in_database: bool = False

    @property
    def grantee(self) -> str:
        parts = split_name(self.name) if self.in_database else [self.name]
        quoted = ".".join(identifier(part, "snowflake") for part in parts)
        return f"DATABASE ROLE {quoted}" if self.in_database else f"ROLE {quoted}"


def walk(session: Session, who: Who) -> Roles:
    """Return every reachable role, and every grant of these roles, PUBLIC and the user.

    Roles that the user could switch to count like the session's own: an attacker in the client would use them.
    """
    roles = Roles()
    for row in _shown(session, f'SHOW GRANTS TO USER "{who.user}"', who.user, roles.closed):
        grant = _grant(row, who.user, "granted_on")
        if row.get("role") or grant.kind == "ROLE":
            roles.direct.add(row.get("role") or grant.name)
        else:
            # User-based access control: privileges can be the user's own.
            roles.grants.append(grant)
    start = {*roles.direct, *who.available, *({who.role} if who.role else ())}
    waiting = [_Role("PUBLIC"), *(_Role(name) for name in sorted(start - {"PUBLIC"}))]
    seen: set[_Role] = set()
    while waiting:
        role = waiting.pop()
        if role in seen:
            continue
        seen.add(role)
        if role.name != "PUBLIC":
            roles.names.add(role.name)
        held = [
            _grant(row, role.name, "granted_on")
            for row in _shown(session, f"SHOW GRANTS TO {role.grantee}", role.name, roles.closed)
        ]
        roles.grants.extend(held)
        roles.future.extend(
            _grant(row, role.name, "grant_on")
            for row in _shown(session, f"SHOW FUTURE GRANTS TO {role.grantee}", role.name, roles.closed_future)
        )
        waiting.extend(_granted_roles(held))
    return roles


def split_name(name: str) -> list[str]:
    """Split a name as Snowflake prints it into its parts: ``DB."a.b".T`` has three."""
    parts, part, quoted = [], "", False
    for character in name:
        if character == '"':
            quoted = not quoted
        elif character == "." and not quoted:
            parts.append(part)
            part = ""
        else:
            part += character
    return [*parts, part]


def _granted_roles(held: list[SnowflakeGrant]) -> list[_Role]:
    found = []
    for grant in held:
        if grant.privilege not in ("USAGE", "OWNERSHIP"):
            continue
        if grant.kind == "ROLE" and grant.privilege == "USAGE":
            found.append(_Role(split_name(grant.name)[0]))
        # The grants of Snowflake's own database roles cannot be shown: they are classified by name.
        elif grant.kind == "DATABASE ROLE" and split_name(grant.name)[0] != "SNOWFLAKE":
            found.append(_Role(grant.name, in_database=True))
    return found


def _shown(session: Session, statement: str, holder: str, closed: set[str]) -> list[dict[str, Any]]:
    try:
        return session.records(statement)
    except StatementDeniedError:
        closed.add(holder)
        return []


def _grant(row: Mapping[str, Any], holder: str, kind: str) -> SnowflakeGrant:
    return SnowflakeGrant(
        holder,
        str(row.get("privilege") or "").upper(),
        str(row.get(kind) or "").upper().replace("_", " "),
        str(row.get("name") or ""),
        str(row.get("grant_option")).lower() == "true",
    )
