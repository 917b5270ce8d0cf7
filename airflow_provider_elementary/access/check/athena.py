"""Checks an Athena session by what it sees and calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from airflow_provider_elementary.access.check.findings import (
    ExcessPrivilege,
    Inspection,
    Link,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.privileges import (
    BY_HAND,
    evaluate_each,
    evaluate_readable,
    probed,
    readable,
    tried,
    visible,
)
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError

_ADMINISTRATORS = re.compile(
    r":root$|AWSReservedSSO_(?:Administrator|PowerUser)|/(?:Administrator|Admin)(?:Access)?(?:/|$)"
)
#: Calls of AWS's API that change nothing and that a reader may not make: the check, the call, and what it shows.
_CALLS: Sequence[tuple[str, str, str, Mapping[str, Any], str]] = (
    ("administrative-rights", "lakeformation", "get_data_lake_settings", {}, "reads Lake Formation's settings"),
    ("other-databases", "athena", "list_data_catalogs", {}, "lists every data catalog"),
    (
        "reads-outside-schema",
        "athena",
        "list_query_executions",
        {"WorkGroup": "primary"},
        "lists the queries of the workgroup primary, whose text and results it may then read",
    ),
    ("other-privileges", "s3", "list_buckets", {}, "lists every bucket of the account"),
    ("other-privileges", "glue", "get_connections", {"HidePassword": True}, "lists the connections to other databases"),
)
_REMEDY = "Remove it from the role's policy; `airflow-elementary grants athena` prints what the role needs."
_FROM_CALLS = (
    "administrative-rights",
    "reads-outside-schema",
    "writes-inside-schema",
    "writes-outside-schema",
    "creates-objects",
    "other-databases",
    "other-privileges",
)


class AthenaSession(Session, Protocol):
    """A session that also calls AWS's API as the role that it reads as."""

    def call(self, service: str, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer of one call.

        :raises StatementDeniedError: it was denied, or there was no answer.
        """
        ...


def inspect(session: AthenaSession, probes: Sequence[str]) -> Inspection:
    """Inspect an Athena session.

    :param probes: relations outside the schema that must be unreadable.
    """
    identity = _call(session, "sts", "get_caller_identity", {}) or {}
    user = str(identity.get("Arn", "unknown"))
    excess = [
        ExcessPrivilege(name, f"{service}:{operation} {what}", _REMEDY)
        for name, service, operation, arguments, what in _CALLS
        if _call(session, service, operation, arguments) is not None
    ]
    if _ADMINISTRATORS.search(user):
        excess.append(ExcessPrivilege("administrative-rights", "the identity is an administrator's", _REMEDY))
    tables = visible(session)
    others = sorted({schema for schema, _ in tables} - {session.schema, "information_schema"})
    excess += [
        ExcessPrivilege("other-databases", f"the tables of the database {name} are visible", _REMEDY) for name in others
    ]
    canaries = tried(session, [(schema, name) for schema, name in tables if schema in others])
    return Inspection(
        user=user,
        roles=(),
        findings=[
            evaluate_readable(session, [name for schema, name in tables if schema == session.schema]),
            *evaluate_each(
                _FROM_CALLS,
                [*excess, *readable(session, canaries)],
                is_known=False,
                proof="",
                otherwise="the rights lie in IAM and Lake Formation, which show them to administrators only",
            ),
            *not_applicable(["temporary-objects"], "Athena has no temporary tables"),
            unanswered("role-memberships", "the role may be allowed to assume others by sts:AssumeRole", BY_HAND),
            *not_applicable(["secondary-roles"], "an AWS session has one role at a time"),
            *not_applicable(["ownership"], "tables in Glue's catalog give their owner no rights"),
            *not_applicable(["server-functions"], "Athena's SQL cannot reach its servers' files"),
        ],
        link=Link(),
        canaries=[*probed(session, probes), *canaries],
    )


def _call(
    session: AthenaSession, service: str, operation: str, arguments: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    try:
        return session.call(service, operation, arguments)
    except StatementDeniedError:
        return None
