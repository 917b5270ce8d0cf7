"""Checks a DuckDB session by its settings and its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_elementary.access.check.canaries import read_nothing, resolve_probe
from airflow_provider_elementary.access.check.findings import (
    Canary,
    ExcessPrivilege,
    Inspection,
    Link,
    answered_finding,
    not_applicable,
    passed,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.quoting import literal

_EXPORT = (
    "Export the Elementary schema to a file of its own and connect to that: `airflow-elementary grants duckdb` prints "
    "the statements."
)
_CLOSE = "Open the file read-only, with enable_external_access=false and lock_configuration=true."

_SETTINGS = """
SELECT lower(current_setting('access_mode')), current_setting('enable_external_access')::boolean,
       current_setting('lock_configuration')::boolean
"""
_DATABASES = """
SELECT database_name, database_name = current_database(), readonly
FROM duckdb_databases() WHERE NOT internal ORDER BY ALL
"""
_RELATIONS = """
SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary
UNION ALL
SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary
ORDER BY ALL
"""
_ROLELESS = (
    "administrative-rights",
    "role-memberships",
    "secondary-roles",
    "ownership",
    "future-grants",
    "other-privileges",
)
_BORROWING = ("objects-reaching-outside", "definer-functions")
_WRITING = ("writes-inside-schema", "writes-outside-schema", "creates-objects")
_ESCAPING = ("foreign-servers", "server-functions", "untrusted-languages")


@dataclass(frozen=True)
class _File:
    """What the session's file holds.

    :param inside: the names of the schema's relations.
    :param outside: schema and name of every other relation in the file.
    :param attached: the names of other files that are attached.
    """

    inside: tuple[str, ...]
    outside: tuple[tuple[str, str], ...]
    attached: tuple[str, ...]


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a DuckDB session.

    :param probes: tables outside the schema that must be unreadable.
    """
    access_mode, external_access, locked = session.rows(_SETTINGS)[0]
    databases = session.rows(_DATABASES)
    file = _contents(session, databases)
    read_only = access_mode == "read_only" and all(readonly for _, _, readonly in databases)
    state = f"enable_external_access={str(external_access).lower()}, lock_configuration={str(locked).lower()}"
    return Inspection(
        user="duckdb",
        roles=(),
        findings=[
            _readable(session.schema, file),
            _outside(file),
            _attached(file),
            *not_applicable(_ROLELESS, "DuckDB has no roles: anyone who can open the file can read all of it"),
            *not_applicable(
                _BORROWING, "views and macros run with the rights of the session, which the other checks cover"
            ),
            *passed(["temporary-objects"], "temporary tables exist only in the memory of this process"),
            *(_proved(name, read_only, "the file is open read-only", "it is open for writing") for name in _WRITING),
            *(_proved(name, not external_access and locked, state, state) for name in _ESCAPING),
        ],
        link=Link(local="local file, no network"),
        canaries=_canaries(session, file, probes),
    )


def _contents(session: Session, databases: Sequence[tuple[str, bool, bool]]) -> _File:
    here = next(name for name, is_current, _ in databases if is_current)
    relations = [(schema, name) for database, schema, name in session.rows(_RELATIONS) if database == here]
    return _File(
        inside=tuple(name for schema, name in relations if schema == session.schema),
        outside=tuple((schema, name) for schema, name in relations if schema != session.schema),
        attached=tuple(name for name, is_current, _ in databases if not is_current),
    )


def _readable(schema: str, file: _File) -> AccessFinding:
    if not file.inside:
        remediation = "Name the schema that Elementary's dbt package writes to."
        return answered_finding(
            "schema-readable",
            [ExcessPrivilege("schema-readable", f"the file has no tables in {schema!r}", remediation)],
            "",
        )
    held = sum(name in TABLES for name in file.inside)
    return AccessFinding("schema-readable", "pass", f"{held} of Elementary's {len(TABLES)} tables are in the schema")


def _outside(file: _File) -> AccessFinding:
    excess = [ExcessPrivilege("reads-outside-schema", f"{schema}.{name}", _EXPORT) for schema, name in file.outside]
    return answered_finding("reads-outside-schema", excess, "the file holds the Elementary schema and nothing else")


def _attached(file: _File) -> AccessFinding:
    excess = [
        ExcessPrivilege("other-databases", f"{name} is attached", "Open the file alone.") for name in file.attached
    ]
    return answered_finding("other-databases", excess, "no other file is attached")


def _proved(name: str, holds: bool, proof: str, otherwise: str) -> AccessFinding:
    return answered_finding(name, [] if holds else [ExcessPrivilege(name, otherwise, _CLOSE)], proof)


def _canaries(session: Session, file: _File, probes: Sequence[str]) -> list[Canary]:
    known = {(schema.lower(), name.lower()) for schema, name in file.outside}
    canaries = []
    for probe in probes:
        relation = resolve_probe(probe, session.dialect, session.schema, session.database)
        exists = relation.parts[-2:] in known
        canaries.append(Canary(probe, relation.statement if exists else None, exists))
    for parts in file.outside[:8]:
        canaries.append(Canary(".".join(parts), read_nothing(parts, session.dialect), True))
    # DuckDB runs in this process: this file exists, and the session must not reach it.
    path = literal(__file__, "duckdb")
    canaries.append(Canary("a file beside the database", f"SELECT 1 FROM glob({path})", True))  # noqa: S608
    return canaries
