"""Checks that a session can read a query history and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from airflow_provider_elementary.access.check import check_access
from airflow_provider_elementary.access.check.report import AccessFinding, AccessReport
from airflow_provider_elementary.access.check.session import StatementDeniedError
from airflow_provider_elementary.exceptions import AccessDeniedError
from airflow_provider_elementary.query_history.grants import POSTGRES_FUNCTION, postgres_body
from airflow_provider_elementary.query_history.guard import (
    HistorySession,
    history_of,
    readable_query,
    run,
    view_of,
)
from airflow_provider_elementary.quoting import identifier, literal

_READABLE, _OUTSIDE = "schema-readable", "reads-outside-schema"
_MEMBERSHIPS = "role-memberships"

_SETTINGS = "search_path=pg_catalog, pg_temp"
_POSTGRES_LENDER = """
SELECT p.oid::regprocedure::text, p.prosrc, array_to_string(p.proconfig, ','), pg_get_userbyid(p.proowner)::text,
       (SELECT bool_or(r.rolsuper) FROM pg_catalog.pg_roles r WHERE pg_has_role(p.proowner, r.oid, 'MEMBER')),
       (SELECT quote_ident(x.nspname) FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_namespace x ON x.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements')
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = {schema} AND p.proname = {name} AND p.pronargs = 0
"""
_POSTGRES_RELATIONS = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND EXISTS (
  SELECT FROM pg_catalog.pg_roles r
  WHERE (pg_has_role(session_user, r.oid, 'MEMBER') OR pg_has_role(r.oid, 'MEMBER'))
    AND has_any_column_privilege(r.oid, c.oid, 'SELECT'))
"""
_SNOWFLAKE_RELATIONS = """
SELECT table_schema || '.' || table_name FROM {database}.information_schema.tables
WHERE table_schema = {schema} AND table_name <> 'QUERY_HISTORY'
"""
_CLICKHOUSE_GRANTS = """
SELECT concat(ifNull(database, '*'), '.', ifNull(table, '*'), ': ', toString(access_type))
FROM system.grants
WHERE NOT (ifNull(database, '') = 'system' AND ifNull(table, '') = 'query_log' AND access_type = 'SELECT')
"""


def check_history_access(
    session: HistorySession, *, allowed_addresses: Sequence[str] = (), probes: Sequence[str] = ()
) -> AccessReport:
    """Find out what the second role can do; it passes where it can read the history and nothing else.

    The checks are those of the sync's role, with the schema of the history in place of Elementary's. What lends the
    right to the history is no excess; everything else that it could lend is.

    :param session: of the second role.
    :param probes: tables that must be unreadable.
    """
    kind, _ = history_of(session.adapter)
    report = check_access(session, allowed_addresses=allowed_addresses, probes=probes)
    lent = _LENT.get(kind.key, _nothing)(session)
    findings = [
        _without(finding, [what for what in finding.excess if what.startswith(lent[finding.name])])
        if finding.name in lent
        else finding
        for finding in report.findings
    ]
    passed = {finding.name for finding in findings if finding.status == "pass"}
    # A role is too wide for each check that it fails; those that fail no more make none too wide.
    wide = [
        what
        for what in report.finding(_MEMBERSHIPS).excess
        if what.startswith("member of ") and what.rpartition(", which fails ")[2] in passed & lent.keys()
    ]
    others = _OTHERS.get(kind.key, _unknown)(session)
    return replace(
        report,
        findings=tuple(
            _readable(session)
            if finding.name == _READABLE
            else _with_others(finding, others)
            if finding.name == _OUTSIDE
            else _without(finding, wide)
            if finding.name == _MEMBERSHIPS
            else finding
            for finding in findings
        ),
    )


def _readable(session: HistorySession) -> AccessFinding:
    try:
        run(session, readable_query(session))
    except AccessDeniedError as error:
        return AccessFinding(_READABLE, "fail", f"{view_of(session)} cannot be read", str(error))
    return AccessFinding(_READABLE, "pass", f"{view_of(session)} can be read")


def _without(finding: AccessFinding, lent: Collection[str]) -> AccessFinding:
    """Return a finding without what lends the right to the history."""
    left = tuple(what for what in finding.excess if what not in lent)
    if finding.status != "fail" or left == finding.excess:
        return finding
    if left:
        return replace(finding, excess=left, evidence="; ".join(left[:5]))
    return AccessFinding(finding.name, "pass", "only the history is lent, by what the grants created")


def _with_others(finding: AccessFinding, others: Sequence[str] | None) -> AccessFinding:
    """Return a finding that also fails for what is readable beside the history."""
    if others:
        excess = tuple(sorted({*finding.excess, *others}))
        return AccessFinding(
            finding.name, "fail", "; ".join(excess[:5]), "Revoke everything but the history from the role.", excess
        )
    if others is None and finding.status == "pass":
        return AccessFinding(
            finding.name,
            "unknown",
            "what else the role can read beside the history is not known",
            "Verify the role's grants by hand, then name the check in accept_unknown.",
        )
    return finding


def _texts(session: HistorySession, **names: str) -> dict[str, str]:
    values = {"schema": session.schema, **names}
    return {name: literal(value, session.dialect) for name, value in values.items()}


def _postgres_lent(session: HistorySession) -> dict[str, str]:
    """Return how the check names the function of the grants, where it is as they created it."""
    rows = session.rows(_POSTGRES_LENDER.format(**_texts(session, name=POSTGRES_FUNCTION)))
    for function, body, settings, owner, is_super, extension in rows:
        if (body, settings) == (postgres_body(extension or ""), _SETTINGS) and not is_super:
            return {"definer-functions": f"{function} runs as {owner} through "}
    return {}


def _snowflake_lent(session: HistorySession) -> dict[str, str]:
    return {"objects-reaching-outside": "view QUERY_HISTORY reads SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"}


def _bigquery_lent(session: HistorySession) -> dict[str, str]:
    return {_OUTSIDE: "bigquery.jobs.listAll on the project"}


def _trino_lent(session: HistorySession) -> dict[str, str]:
    return {_OUTSIDE: "system.runtime.queries shows "}


def _nothing(session: HistorySession) -> dict[str, str]:
    return {}


def _rows(session: HistorySession, statement: str) -> list[str] | None:
    try:
        return [str(row[0]) for row in session.rows(statement)]
    except StatementDeniedError:
        return None


def _postgres_others(session: HistorySession) -> list[str] | None:
    return _rows(session, _POSTGRES_RELATIONS.format(**_texts(session)))


def _snowflake_others(session: HistorySession) -> list[str] | None:
    database = identifier(session.database or "", "snowflake")
    return _rows(session, _SNOWFLAKE_RELATIONS.format(**_texts(session), database=database))


def _clickhouse_others(session: HistorySession) -> list[str] | None:
    return _rows(session, _CLICKHOUSE_GRANTS)


def _unknown(session: HistorySession) -> list[str] | None:
    return None


_LENT: Mapping[str, Callable[[HistorySession], dict[str, str]]] = MappingProxyType(
    {"postgres": _postgres_lent, "snowflake": _snowflake_lent, "bigquery": _bigquery_lent, "trino": _trino_lent}
)
_OTHERS: Mapping[str, Callable[[HistorySession], list[str] | None]] = MappingProxyType(
    {"postgres": _postgres_others, "snowflake": _snowflake_others, "clickhouse": _clickhouse_others}
)
