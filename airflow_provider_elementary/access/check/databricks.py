"""Checks a Databricks session by Unity Catalog's grants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airflow_provider_elementary.access.check.findings import (
    ExcessPrivilege,
    Inspection,
    Link,
    answered_finding,
    count_wider_roles,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.privileges import (
    BY_HAND,
    Held,
    Row,
    ask,
    check_of,
    evaluate_each,
    evaluate_readable,
    probed,
    qualified_names,
    readable,
    records,
    tried,
    visible,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session
from airflow_provider_elementary.access.check.view_references import evaluate_views
from airflow_provider_elementary.quoting import identifier, literal

_ALL = "system.information_schema"
#: The kind of object, its view of privileges, and the columns that name the object.
_PRIVILEGES = (
    ("catalog", "catalog_privileges", "catalog_name"),
    ("schema", "schema_privileges", "catalog_name, schema_name"),
    ("table", "table_privileges", "table_catalog, table_schema, table_name"),
    ("volume", "volume_privileges", "volume_catalog, volume_schema, volume_name"),
    ("function", "routine_privileges", "specific_catalog, specific_schema, specific_name"),
    ("metastore", "metastore_privileges", "metastore_id"),
    ("connection", "connection_privileges", "connection_name"),
    ("location", "external_location_privileges", "external_location_name"),
    ("credential", "storage_credential_privileges", "storage_credential_name"),
)
_OWNERS = (
    ("catalog", "catalogs", "catalog_owner, catalog_name"),
    ("schema", "schemata", "schema_owner, catalog_name, schema_name"),
    ("table", "tables", "table_owner, table_catalog, table_schema, table_name"),
)
#: Databricks itself, which owns what every account has.
_SYSTEM = "System user"
#: Groups of everyone: every session holds what they hold.
_EVERYONE = frozenset({"account users", "users"})

_OUTSIDE = (
    ("administrative-rights", re.compile(r".* on metastore|MANAGE|APPLY TAG")),
    ("foreign-servers", re.compile(r".* on (?:connection|location|credential)")),
    ("creates-objects", re.compile(r"CREATE\b")),
    ("definer-functions", re.compile(r"EXECUTE\b")),
    ("writes-outside-schema", re.compile(r"MODIFY|WRITE|REFRESH|INSERT|UPDATE|DELETE")),
    ("reads-outside-schema", re.compile(r"SELECT|READ\b|EXTERNAL USE")),
    ("other-databases", re.compile(r"USE CATALOG")),
)
_INSIDE = (
    (None, re.compile(r"SELECT on (?:schema|table)|USE SCHEMA on schema")),
    *_OUTSIDE[:4],
    ("writes-inside-schema", _OUTSIDE[4][1]),
)
#: On the catalog of the schema: what it must be to enter it. BROWSE shows names, anywhere.
_NEEDED = (None, re.compile(r"USE CATALOG on catalog"))
_HARMLESS = (None, re.compile(r"BROWSE\b"))
#: `ALL PRIVILEGES` and `MANAGE` stand for what they let the session do.
_EXPANDED = {"ALL PRIVILEGES": ("SELECT", "MODIFY", "CREATE TABLE", "EXECUTE"), "ALL_PRIVILEGES": ("SELECT", "MODIFY")}
_FROM_GRANTS = (
    "administrative-rights",
    "role-memberships",
    "reads-outside-schema",
    "writes-inside-schema",
    "writes-outside-schema",
    "creates-objects",
    "future-grants",
    "foreign-servers",
    "other-databases",
    "definer-functions",
    "other-privileges",
    "ownership",
)


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a Databricks session.

    :param probes: relations outside the schema that must be unreadable.
    """
    user = str((ask(session, "SELECT current_user()") or [("unknown",)])[0][0])
    answers = {kind: _listed(session, view, f"grantee, privilege_type, {names}") for kind, view, names in _PRIVILEGES}
    owners = {kind: _listed(session, view, columns) for kind, view, columns in _OWNERS}
    listed = [row for rows in (*answers.values(), *owners.values()) for row in rows or []]
    groups, groups_are_known = _groups(session, {str(row[0]) for row in listed} - {user, _SYSTEM} - _EVERYONE)
    mine = {user, *groups, *_EVERYONE}
    held = [
        Held(str(right).upper().replace("_", " "), kind, tuple(map(str, place)), str(grantee))
        for kind, rows in answers.items()
        for grantee, right, *place in rows or []
        if grantee in mine
    ]
    held += _shown(session, user)
    system = {str(row[1]) for row in owners["catalog"] or [] if row[0] == _SYSTEM}
    excess = [found for each in held for found in _excess(session, each, system)]
    excess += _owned(owners, mine)
    if (ask(session, "SELECT is_member('admins')") or [(False,)])[0][0]:
        excess.append(
            ExcessPrivilege("administrative-rights", "member of the workspace's admins", "Take it out of that group.")
        )
    outside = [
        tuple(map(str, place))
        for _, *place in owners["table"] or []
        if not _is_system(place, system) and tuple(place[:2]) != (session.database, session.schema)
    ]
    canaries = tried(session, outside)
    # The views list what the session may see of itself and its groups: its own SELECT has to be among that.
    shows_grants = any(each.right == "SELECT" and _is_inside(session, each) for each in held)
    is_known = shows_grants and groups_are_known and None not in (*answers.values(), *owners.values())
    is_known = is_known and not _has_legacy_schemas(session)
    findings = evaluate_each(
        _FROM_GRANTS,
        [*excess, *readable(session, canaries)],
        is_known=is_known,
        proof="Unity Catalog lists no such privilege of the user, its groups or all account users",
        otherwise="Unity Catalog did not show all grants, or hive_metastore holds schemas that it does not govern",
    )
    return Inspection(
        user=user,
        roles=sorted(groups),
        findings=[
            *count_wider_roles(findings, excess, {user, *_EVERYONE}),
            evaluate_readable(session, [name for schema, name in visible(session) if schema == session.schema]),
            _any_file(session, sorted(mine)),
            _views(session),
            *not_applicable(["secondary-roles"], "Databricks has none: a session holds what its groups hold"),
        ],
        link=Link(),
        canaries=[*probed(session, probes), *canaries],
    )


def _listed(session: Session, view: str, columns: str) -> list[Row] | None:
    return ask(session, f"SELECT {columns} FROM {_ALL}.{view}")  # noqa: S608 - both are constants


def _groups(session: Session, grantees: set[str]) -> tuple[list[str], bool]:
    """Return the groups among these grantees that the session is in, and whether Databricks said so of each."""
    names = sorted(grantees)
    if not names:
        return [], True
    asked = ", ".join(f"is_account_group_member({literal(name, 'databricks')})" for name in names)
    rows = ask(session, f"SELECT {asked}")
    return [name for name, is_in in zip(names, (rows or [()])[0], strict=False) if is_in], rows is not None


def _shown(session: Session, user: str) -> list[Held]:
    """Return what SHOW GRANTS lists: it is never late, as the information schema may be."""
    schema = qualified_names(session, session.schema)
    places = [("schema", schema)] + ([("catalog", schema[:1])] if session.database else [])
    held = []
    for kind, place in places:
        name = ".".join(identifier(part, "databricks") for part in place)
        for row in records(session, f"SHOW GRANTS {identifier(user, 'databricks')} ON {kind.upper()} {name}") or []:
            right = str(row.get("actiontype", row.get("action_type", ""))).upper().replace("_", " ")
            if str(row.get("objecttype", row.get("object_type", kind))).lower() in (kind, "database"):
                held.append(Held(right, kind, place, str(row.get("principal", user))))
    return held


def _is_inside(session: Session, held: Held) -> bool:
    return len(held.place) > 1 and held.place[:2] == (session.database, session.schema)


def _is_system(place: Sequence[object], system: set[str]) -> bool:
    names = [str(name) for name in place]
    # The other schemas of the catalog system hold the audit log, the text of queries and the bills.
    return names[1:2] == ["information_schema"] or (names[0] == "samples" and "samples" in system)


def _excess(session: Session, held: Held, system: set[str]) -> Iterable[ExcessPrivilege]:
    if held.kind in ("catalog", "schema", "table") and _is_system(held.place, system):
        return
    rules = [_HARMLESS, *(_INSIDE if _is_inside(session, held) else _OUTSIDE)]
    if held.place in ((session.database,), ("system",)):
        rules.insert(0, _NEEDED)
    for right in _EXPANDED.get(held.right, (held.right,)):
        one = Held(right, held.kind, held.place, held.through)
        check = check_of(one, rules)
        if check is None:
            continue
        yield one.excess(check, "databricks")
        if held.kind == "catalog" and check in ("reads-outside-schema", "writes-outside-schema", "definer-functions"):
            yield one.excess("future-grants", "databricks")


def _owned(owners: dict[str, list[Row] | None], mine: set[str]) -> list[ExcessPrivilege]:
    what = "Give it to another owner: ALTER … OWNER TO."
    return [
        ExcessPrivilege("ownership", f"{kind} {'.'.join(map(str, place))} is owned by {owner}", what, str(owner))
        for kind, rows in owners.items()
        for owner, *place in rows or []
        if owner in mine
    ]


def _has_legacy_schemas(session: Session) -> bool:
    rows = ask(session, "SHOW SCHEMAS IN hive_metastore")
    return any(str(row[0]) not in ("default", "global_temp") for row in rows or [])


def _any_file(session: Session, grantees: Sequence[str]) -> AccessFinding:
    name = "server-functions"
    answers = [records(session, f"SHOW GRANTS {identifier(each, 'databricks')} ON ANY FILE") for each in grantees]
    rows = [row for answer in answers for row in answer or []]
    if not rows and None in answers:
        return unanswered(name, "Databricks did not say who may read any file, nor which functions are open", BY_HAND)
    excess = [
        ExcessPrivilege(name, f"{row.get('actiontype', 'a right')} on ANY FILE", "Revoke it: REVOKE … ON ANY FILE.")
        for row in rows
    ]
    return answered_finding(name, excess, "neither the user nor a group of it holds anything on ANY FILE")


def _views(session: Session) -> AccessFinding:
    # A view of Unity Catalog reads with its owner's rights.
    schema = literal(session.schema, "databricks")
    rows = ask(
        session,
        f"SELECT table_name, view_definition FROM {_ALL}.views WHERE table_schema = {schema}"  # noqa: S608
        + (f" AND table_catalog = {literal(session.database, 'databricks')}" if session.database else ""),
    )
    if rows is None:
        return unanswered("objects-reaching-outside", "Databricks did not list the views", BY_HAND)
    views = [(str(name), text) for name, text in rows]
    return evaluate_views(views, "databricks", session.database or "", session.schema)
