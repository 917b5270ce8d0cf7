"""Models Snowflake's users, roles and grants, which fakesnow lacks.

A model made from the documentation: it proves the paths of our code, not the behaviour of Snowflake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from tests.servers.snowflake_sql import INFORMATION_SCHEMA, identifier_of, stored_name

ADMIN = "ACCOUNTADMIN"
PUBLIC = "PUBLIC"

_ALL_PRIVILEGES = {
    "DATABASE": ("USAGE", "MONITOR", "MODIFY", "CREATE SCHEMA"),
    "SCHEMA": ("USAGE", "MONITOR", "MODIFY", "CREATE TABLE", "CREATE VIEW"),
    "TABLE": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES"),
    "VIEW": ("SELECT", "REFERENCES"),
    "WAREHOUSE": ("USAGE", "OPERATE", "MONITOR", "MODIFY"),
}
_NAME = r'(?P<name>[\w$."]+)'
_OBJECT = r"(?P<kind>DATABASE|SCHEMA|TABLE|VIEW|WAREHOUSE)"
_SECOND = r'(?P<to>[\w$"]+)'
_NEEDED_TO_WRITE = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE", exp.Merge: "UPDATE"}


class DeniedError(Exception):
    """Snowflake would refuse the statement.

    :param message: what it would say.
    :param code: its error number, six digits.
    :param sqlstate: five characters.
    """

    def __init__(self, message: str, code: str = "003001", sqlstate: str = "42501") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.sqlstate = sqlstate


@dataclass(frozen=True)
class Grant:
    """One privilege of a role. All names are upper case, as SHOW GRANTS spells them.

    :param privilege: ``SELECT``, ``USAGE``, ``OWNERSHIP``, …
    :param kind: of the object: ``TABLE``, ``VIEW``, ``SCHEMA``, ``DATABASE``, ``WAREHOUSE``, ``ACCOUNT`` or ``ROLE``.
    :param name: of the object, qualified; of a future grant the schema or database.
    :param role: who holds it.
    """

    privilege: str
    kind: str
    name: str
    role: str


@dataclass
class User:
    """Who may log in.

    :param password: None where only a key or a token is used, which this server takes unseen.
    :param secondary_roles: ``ALL`` is what Snowflake gives users for whom nobody chose (BCR-1692).
    """

    name: str
    password: str | None = field(default=None, repr=False)
    roles: set[str] = field(default_factory=set)
    default_role: str = PUBLIC
    secondary_roles: str = "ALL"
    properties: dict[str, str] = field(default_factory=dict)


@dataclass
class Session:
    """What one connection has set.

    :param secondary_roles: ``ALL``, ``NONE`` or role names with commas.
    """

    user: User
    role: str
    secondary_roles: str
    warehouse: str | None = None
    parameters: dict[str, object] = field(default_factory=dict)


@dataclass
class Account:
    """The users, roles and grants of one Snowflake account.

    :param grants: what each role holds, on objects and on other roles.
    :param future: what each role will hold on tables and views that are yet to come.
    :param grantable: of both, what the role may grant on.
    :param objects: the tables and views that exist and which of both they are.
    """

    name: str = "FAKESNOW"
    users: dict[str, User] = field(default_factory=dict)
    roles: set[str] = field(default_factory=lambda: {ADMIN, PUBLIC})
    grants: list[Grant] = field(default_factory=list)
    future: list[Grant] = field(default_factory=list)
    grantable: set[Grant] = field(default_factory=set)
    objects: dict[str, str] = field(default_factory=dict)

    def adopt(self, objects: Mapping[str, str]) -> None:
        """Record the tables and views that exist now; the new ones get their future grants."""
        for name in objects.keys() - self.objects.keys():
            containers = (name.rpartition(".")[0], name.partition(".")[0])
            found = [grant for grant in self.future if grant.kind == objects[name] and grant.name in containers]
            self.grants += [Grant(grant.privilege, grant.kind, name, grant.role) for grant in found]
        self.grants = [g for g in self.grants if g.name in objects or g.kind not in ("TABLE", "VIEW")]
        self.objects = dict(objects)

    def apply(self, statement: str, session: Session) -> None:
        """Run a statement about users, roles or grants.

        :raises DeniedError: only ACCOUNTADMIN may, or this model does not know the statement.
        """
        if ADMIN not in self.active_roles(session):
            raise DeniedError("SQL access control error:\nInsufficient privileges to operate on account")
        for pattern, change in _CHANGES:
            if match := re.fullmatch(pattern, statement, re.IGNORECASE | re.DOTALL):
                change(self, match)
                return
        raise DeniedError(
            f"Unsupported feature: this server's model of roles knows no {statement!r}", "000002", "0A000"
        )

    def inherited(self, roles: Iterable[str]) -> set[str]:
        """Return these roles, all that were granted to them, and PUBLIC."""
        found = {PUBLIC}
        waiting = set(roles)
        while waiting:
            found |= waiting
            waiting = {g.name for g in self.grants if g.kind == "ROLE" and g.role in waiting} - found
        return found

    def active_roles(self, session: Session) -> set[str]:
        """Return the roles whose privileges the session has right now."""
        return self.inherited({session.role, *self._secondary(session)})

    def available_roles(self, session: Session) -> set[str]:
        """Return the roles that the session's user could use."""
        return self.inherited(session.user.roles)

    def allows(self, session: Session, privilege: str, kind: str, name: str) -> bool:
        """Say whether the session's roles hold a privilege on one object."""
        roles = self.active_roles(session)
        return ADMIN in roles or any(
            g.role in roles and g.kind == kind and g.name == name and g.privilege in (privilege, "OWNERSHIP")
            for g in self.grants
        )

    def visible(self, session: Session) -> list[str]:
        """Return the tables and views on which the session holds any privilege and whose schema it may use."""
        roles = self.active_roles(session)
        held = {g.name for g in self.grants if g.role in roles}
        return [name for name in self.objects if ADMIN in roles or (name in held and self._may_enter(session, name))]

    def visible_schemas(self, session: Session) -> set[str]:
        """Return the schemas, qualified, that the session may use."""
        roles = self.active_roles(session)
        return {g.name for g in self.grants if g.role in roles and (g.kind, g.privilege) == ("SCHEMA", "USAGE")}

    def authorize(self, statement: exp.Expr, session: Session, database: str | None, schema: str | None) -> None:
        """Refuse a statement for which the session lacks a privilege.

        :raises DeniedError: in Snowflake's words, which are the same for a denied object and one that does not exist.
        """
        if ADMIN in self.active_roles(session):
            return
        if isinstance(statement, exp.Use):
            self._authorize_use(statement, session, database)
            return
        if isinstance(statement, exp.Create | exp.Drop | exp.Alter | exp.TruncateTable | exp.Copy):
            raise DeniedError(f"SQL access control error:\nInsufficient privileges to operate on {database}.{schema}")
        writing = next((word for kind, word in _NEEDED_TO_WRITE.items() if isinstance(statement, kind)), None)
        written = statement.find(exp.Table) if writing else None
        names_of_ctes = {cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE)}
        for table in statement.find_all(exp.Table):
            if not isinstance(table.this, exp.Identifier):
                continue
            if not table.db and table.name.upper() in names_of_ctes:
                continue
            place = [
                identifier_of(table.args.get("catalog")) or database,
                identifier_of(table.args.get("db")) or schema,
            ]
            name = ".".join([*(part or "" for part in place), identifier_of(table.this) or ""])
            self._require_entry(session, name)
            if place[1] == INFORMATION_SCHEMA:
                continue
            privilege = writing if writing and table is written else "SELECT"
            if name not in self.visible(session):
                message = f"SQL compilation error:\nObject '{name}' does not exist or not authorized."
                raise DeniedError(message, "002003", "42S02")
            if not self.allows(session, privilege, self.objects[name], name):
                raise DeniedError(f"SQL access control error:\nInsufficient privileges to operate on table '{name}'")

    def use_role(self, session: Session, role: str) -> None:
        """Make a role the session's primary one.

        :raises DeniedError: it was not granted to the user.
        """
        if role not in self.available_roles(session):
            raise DeniedError(
                f"SQL access control error:\nRequested role '{role}' is not assigned to the executing user. "
                "Specify another role to activate.",
                "003013",
            )
        session.role = role

    def functions(self, session: Session) -> dict[str, str | None]:
        """Return what the context functions that fakesnow lacks say in this session."""
        secondary = sorted(self._secondary(session))
        value = session.secondary_roles if secondary else ""
        return {
            "CURRENT_USER": session.user.name,
            "CURRENT_ROLE": session.role,
            "CURRENT_SECONDARY_ROLES": json.dumps({"roles": ",".join(secondary), "value": value}),
            "CURRENT_AVAILABLE_ROLES": json.dumps(sorted(self.available_roles(session))),
            "CURRENT_ACCOUNT": self.name,
            "CURRENT_ACCOUNT_NAME": self.name,
            "CURRENT_ORGANIZATION_NAME": "TESTS",
            "CURRENT_REGION": "AWS_EU_CENTRAL_1",
            "CURRENT_WAREHOUSE": session.warehouse,
            "CURRENT_IP_ADDRESS": "127.0.0.1",
        }

    def show(self, statement: str, session: Session) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
        """Return the columns and rows of SHOW GRANTS and SHOW ROLES, or None for any other statement.

        :raises DeniedError: the user may not see that role.
        """
        if re.fullmatch(r"SHOW ROLES", statement, re.IGNORECASE):
            return ("created_on", "name", "owner"), [(_CREATED, role, "USERADMIN") for role in sorted(self.roles)]
        match = re.fullmatch(
            rf"SHOW (?P<future>FUTURE )?GRANTS(?: (?P<by>TO|OF|ON|IN) (?P<kind>\w+) {_NAME})?", statement, re.IGNORECASE
        )
        if match is None:
            return None
        by, kind = (match["by"] or "TO").upper(), (match["kind"] or "USER").upper()
        name = stored_name(match["name"]) if match["name"] else session.user.name
        if kind == "ROLE" and {ADMIN, name}.isdisjoint(self.available_roles(session)):
            raise DeniedError(
                f"SQL compilation error:\nRole '{name}' does not exist or not authorized.", "002003", "02000"
            )
        if match["future"]:
            grants = [g for g in self.future if (g.role if by == "TO" else g.name) == name]
            return _FUTURE_GRANTS, [_future_row(g, self._option(g)) for g in grants]
        if (by, kind) == ("TO", "USER"):
            roles = sorted(self.users[name].roles) if name in self.users else []
            return _GRANTS_TO_USER, [(_CREATED, role, "USER", name, "USERADMIN") for role in roles]
        if by == "OF":
            held = [g.role for g in self.grants if g.kind == "ROLE" and g.name == name]
            users = [user.name for user in self.users.values() if name in user.roles]
            return _GRANTS_OF_ROLE, [
                *((_CREATED, name, "ROLE", role, "USERADMIN") for role in held),
                *((_CREATED, name, "USER", user, "USERADMIN") for user in users),
            ]
        of_role = by == "TO"
        grants = [g for g in self.grants if (g.role == name if of_role else (g.kind, g.name) == (kind, name))]
        return _GRANTS, [
            (_CREATED, g.privilege, g.kind, g.name, "ROLE", g.role, self._option(g), ADMIN) for g in grants
        ]

    def _option(self, grant: Grant) -> str:
        return "true" if grant in self.grantable else "false"

    def _secondary(self, session: Session) -> set[str]:
        if session.secondary_roles == "ALL":
            return set(session.user.roles)
        if session.secondary_roles == "NONE":
            return set()
        return {stored_name(role) for role in session.secondary_roles.split(",")} & session.user.roles

    def _authorize_use(self, statement: exp.Use, session: Session, database: str | None) -> None:
        kind, target = str(statement.args.get("kind") or "SCHEMA").upper(), statement.this
        if kind in ("ROLE", "WAREHOUSE", "SECONDARY ROLES") or not isinstance(target, exp.Table):
            return
        names = [identifier_of(part) or "" for part in target.parts]
        if kind == "SCHEMA" and len(names) == 1:
            names.insert(0, database or "")
        self._require_entry(session, ".".join([*names, *[""] * (3 - len(names))]))

    def _require_entry(self, session: Session, name: str) -> None:
        database, schema, _ = name.split(".", 2)
        for kind, place in (("Database", database), ("Schema", f"{database}.{schema}")):
            if schema in ("", INFORMATION_SCHEMA) and kind == "Schema":
                continue
            if not self.allows(session, "USAGE", kind.upper(), place):
                message = f"SQL compilation error:\n{kind} '{place}' does not exist or not authorized."
                raise DeniedError(message, "002003", "02000")

    def _may_enter(self, session: Session, name: str) -> bool:
        try:
            self._require_entry(session, name)
        except DeniedError:
            return False
        return True

    def _grants_of(self, match: re.Match[str]) -> tuple[list[Grant], list[Grant]]:
        """Return the grants on what exists and the future grants that a GRANT or REVOKE names."""
        found = match.groupdict()
        scope, kind, role = (found.get("scope") or "").upper(), found["kind"].upper(), stored_name(found["to"])
        name = stored_name(found.get("name") or self.name)
        privileges = re.split(r"\s*,\s*", found["privileges"].upper())
        if privileges[0] in ("ALL", "ALL PRIVILEGES"):
            privileges = list(_ALL_PRIVILEGES.get(kind, ("USAGE",)))
        if scope == "FUTURE":
            return [], [Grant(privilege, kind, name, role) for privilege in privileges]
        inside = [o for o, found_kind in self.objects.items() if found_kind == kind and o.startswith(f"{name}.")]
        return [Grant(p, kind, o, role) for o in (inside if scope else [name]) for p in privileges], []

    def _grant(self, match: re.Match[str]) -> None:
        present, future = self._grants_of(match)
        self.grants += [grant for grant in present if grant not in self.grants]
        self.future += [grant for grant in future if grant not in self.future]
        if match["option"]:
            self.grantable |= {*present, *future}

    def _revoke(self, match: re.Match[str]) -> None:
        present, future = self._grants_of(match)
        self.grantable -= {*present, *future}
        if match["option"]:
            return
        self.grants = [grant for grant in self.grants if grant not in present]
        self.future = [grant for grant in self.future if grant not in future]

    def _grant_role(self, match: re.Match[str]) -> None:
        name, to = stored_name(match["name"]), stored_name(match["to"])
        if match["kind"].upper() == "USER":
            self.users[to].roles.add(name)
        else:
            self.grants.append(Grant("USAGE", "ROLE", name, to))

    def _revoke_role(self, match: re.Match[str]) -> None:
        name, to = stored_name(match["name"]), stored_name(match["to"])
        if match["kind"].upper() == "USER":
            self.users[to].roles.discard(name)
        else:
            self.grants.remove(Grant("USAGE", "ROLE", name, to))

    def _create_role(self, match: re.Match[str]) -> None:
        self.roles.add(stored_name(match["name"]))

    def _drop_role(self, match: re.Match[str]) -> None:
        name = stored_name(match["name"])
        self.roles.discard(name)
        self.grants = [g for g in self.grants if g.role != name and (g.kind, g.name) != ("ROLE", name)]
        self.future = [g for g in self.future if g.role != name]

    def _set_user(self, match: re.Match[str]) -> None:
        user = self.users.setdefault(stored_name(match["name"]), User(stored_name(match["name"])))
        for key, value in re.findall(r"(\w+)\s*=\s*('[^']*'|\([^)]*\)|[^\s,]+)", match["properties"] or ""):
            user.properties[key.upper()] = value.strip("'")
        user.default_role = stored_name(user.properties.get("DEFAULT_ROLE", user.default_role))
        user.password = user.properties.pop("PASSWORD", user.password)
        if "DEFAULT_SECONDARY_ROLES" in user.properties:
            user.secondary_roles = "ALL" if "ALL" in user.properties["DEFAULT_SECONDARY_ROLES"].upper() else "NONE"

    def _drop_user(self, match: re.Match[str]) -> None:
        self.users.pop(stored_name(match["name"]), None)

    def _accept(self, _: re.Match[str]) -> None:
        """Take a statement that changes nothing here: warehouses, network rules and policies."""


_CREATED = "2026-01-01 00:00:00.000 +0000"
_GRANTS = ("created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by")
_FUTURE_GRANTS = ("created_on", "privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option")
_GRANTS_TO_USER = ("created_on", "role", "granted_to", "grantee_name", "granted_by")
_GRANTS_OF_ROLE = _GRANTS_TO_USER


def _future_row(grant: Grant, option: str) -> tuple[str, ...]:
    name = f"{grant.name}.<{grant.kind}>"
    return (_CREATED, grant.privilege, grant.kind, name, "ROLE", grant.role, option)


_WITH_OPTION = r"(?P<option>\s+WITH\s+GRANT\s+OPTION)?"
_REVOKE = r"REVOKE\s+(?P<option>GRANT\s+OPTION\s+FOR\s+)?(?P<privileges>.+?)"


_IN = rf"(?P<scope>ALL|FUTURE)\s+(?P<kind>TABLE|VIEW)S\s+IN\s+(?:SCHEMA|DATABASE)\s+{_NAME}"
_CHANGES: tuple[tuple[str, Callable[[Account, re.Match[str]], None]], ...] = (
    (rf"GRANT\s+ROLE\s+{_NAME}\s+TO\s+(?P<kind>ROLE|USER)\s+{_SECOND}", Account._grant_role),
    (rf"REVOKE\s+ROLE\s+{_NAME}\s+FROM\s+(?P<kind>ROLE|USER)\s+{_SECOND}", Account._revoke_role),
    (rf"GRANT\s+(?P<privileges>.+?)\s+ON\s+{_IN}\s+TO\s+ROLE\s+{_SECOND}{_WITH_OPTION}", Account._grant),
    (rf"{_REVOKE}\s+ON\s+{_IN}\s+FROM\s+ROLE\s+{_SECOND}", Account._revoke),
    (rf"GRANT\s+(?P<privileges>.+?)\s+ON\s+{_OBJECT}\s+{_NAME}\s+TO\s+ROLE\s+{_SECOND}{_WITH_OPTION}", Account._grant),
    (rf"{_REVOKE}\s+ON\s+{_OBJECT}\s+{_NAME}\s+FROM\s+ROLE\s+{_SECOND}", Account._revoke),
    (rf"GRANT\s+(?P<privileges>.+?)\s+ON\s+(?P<kind>ACCOUNT)\s+TO\s+ROLE\s+{_SECOND}{_WITH_OPTION}", Account._grant),
    (rf"CREATE\s+ROLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}(?:\s+COMMENT\s*=.*)?", Account._create_role),
    (rf"DROP\s+ROLE\s+(?:IF\s+EXISTS\s+)?{_NAME}", Account._drop_role),
    (rf"CREATE\s+USER\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}(?P<properties>\s.*)?", Account._set_user),
    (rf"ALTER\s+USER\s+(?:IF\s+EXISTS\s+)?{_NAME}\s+SET(?P<properties>\s.*)", Account._set_user),
    (rf"DROP\s+USER\s+(?:IF\s+EXISTS\s+)?{_NAME}", Account._drop_user),
    (r"(?:CREATE|ALTER|DROP)\s+(?:WAREHOUSE|NETWORK\s+RULE|NETWORK\s+POLICY|\w+\s+POLICY)\s.*", Account._accept),
)
