"""Classifies Snowflake grants as needed, harmless or excess."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_elementary.access.check.findings import ExcessPrivilege
from airflow_provider_elementary.access.check.snowflake.roles import SnowflakeGrant, split_name

_ADMINISTRATORS = frozenset({"ACCOUNTADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN", "ORGADMIN", "GLOBALORGADMIN"})
_READABLE = frozenset(
    {
        "TABLE",
        "VIEW",
        "MATERIALIZED VIEW",
        "SEMANTIC VIEW",
        "EXTERNAL TABLE",
        "DYNAMIC TABLE",
        "EVENT TABLE",
        "HYBRID TABLE",
        "ICEBERG TABLE",
        "STREAM",
    }
)
_ROUTINES = frozenset({"FUNCTION", "EXTERNAL FUNCTION", "PROCEDURE"})
_OUTSIDE_WORLD = frozenset(
    {"STAGE", "INTEGRATION", "EXTERNAL VOLUME", "SECRET", "SHARE", "CONNECTION", "GIT REPOSITORY"}
)
# PUBLIC holds them in a new account; they give access to functions, not to data.
_HARMLESS_DATABASE_ROLES = frozenset({"CORTEX_USER", "CORTEX_EMBED_USER", "COPILOT_USER", "ML_USER"})


@dataclass(frozen=True)
class SnowflakePlace:
    """Where the Elementary schema is, as Snowflake spells it."""

    database: str
    schema: str


def administrators(roles: Iterable[str]) -> list[ExcessPrivilege]:
    """Return an excess privilege for each reachable administrator role."""
    return [
        ExcessPrivilege("administrative-rights", f"{name} is reachable", f'REVOKE ROLE "{name}" FROM USER …;', name)
        for name in sorted(_ADMINISTRATORS.intersection(roles))
    ]


def excess_of(grant: SnowflakeGrant, place: SnowflakePlace) -> ExcessPrivilege | None:
    """Return the excess privilege that a grant is; None if the sync needs it or it is harmless."""
    finding = _finding(grant, place)
    through = f" through {grant.holder}"
    target = "ACCOUNT" if grant.kind == "ACCOUNT" else f"{grant.kind} {grant.name}"
    if finding is None:
        if not grant.grantable:
            return None
        what = f"GRANT OPTION for {grant.privilege} on {target}{through}"
        remediation = f"REVOKE GRANT OPTION FOR {grant.privilege} ON {target} FROM ROLE {grant.holder};"
        return ExcessPrivilege("other-privileges", what, remediation, grant.holder)
    if grant.kind == "DATABASE ROLE" and grant.privilege == "USAGE":
        return ExcessPrivilege(finding, target + through, f"REVOKE {target} FROM ROLE {grant.holder};", grant.holder)
    remediation = f"REVOKE {grant.privilege} ON {target} FROM ROLE {grant.holder};"
    if grant.privilege == "OWNERSHIP":
        remediation = f"GRANT OWNERSHIP ON {target} TO ROLE …;"
    return ExcessPrivilege(finding, f"{grant.privilege} on {target}{through}", remediation, grant.holder)


def excess_of_future(grant: SnowflakeGrant, place: SnowflakePlace) -> ExcessPrivilege | None:
    """Return the excess privilege that a future grant is; None if it gives SELECT inside the schema."""
    parts = split_name(grant.name)
    inside = parts[:2] == [place.database, place.schema] and len(parts) == 3
    if inside and grant.kind in _READABLE and grant.privilege == "SELECT" and not grant.grantable:
        return None
    option = " WITH GRANT OPTION" if grant.grantable else ""
    what = f"{grant.privilege}{option} on future {grant.name} through {grant.holder}"
    where = f"SCHEMA {'.'.join(parts[:2])}" if len(parts) == 3 else f"DATABASE {parts[0]}"
    remediation = f"REVOKE {grant.privilege} ON FUTURE {grant.kind}S IN {where} FROM ROLE {grant.holder};"
    return ExcessPrivilege("future-grants", what, remediation, grant.holder)


def _finding(grant: SnowflakeGrant, place: SnowflakePlace) -> str | None:
    parts = split_name(grant.name)
    inside = parts[:2] == [place.database, place.schema]
    if grant.kind == "ROLE" and grant.privilege == "USAGE":
        return None
    if grant.privilege == "OWNERSHIP":
        return "ownership"
    if grant.kind == "ACCOUNT":
        return "administrative-rights"
    if grant.privilege == "CREATE TEMPORARY TABLE":
        return "temporary-objects"
    if grant.privilege.startswith("CREATE "):
        return "creates-objects"
    if grant.kind == "DATABASE ROLE":
        return _finding_of_database_role(parts)
    if grant.kind == "DATABASE" and parts[0] != place.database:
        return "other-databases"
    if grant.kind in _READABLE:
        if grant.privilege == "SELECT":
            return None if inside else "reads-outside-schema"
        return "writes-inside-schema" if inside else "writes-outside-schema"
    if grant.kind in _ROUTINES:
        return "definer-functions"
    if grant.kind in _OUTSIDE_WORLD:
        return "foreign-servers"
    needed = grant.privilege == "USAGE" and (
        grant.kind in ("DATABASE", "WAREHOUSE") or (grant.kind == "SCHEMA" and inside)
    )
    return None if needed else "other-privileges"


def _finding_of_database_role(parts: list[str]) -> str | None:
    """Classify Snowflake's own database roles by name; the grants of all others are read."""
    if parts[0] != "SNOWFLAKE" or parts[-1] in _HARMLESS_DATABASE_ROLES:
        return None
    return "reads-outside-schema"
