"""Checks a Spark session by what its statements reach."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_elementary.access.check.findings import (
    ExcessPrivilege,
    Inspection,
    Link,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.privileges import (
    BY_HAND,
    ask,
    evaluate_each,
    evaluate_readable,
    probed,
    readable,
    records,
    tried,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session
from airflow_provider_elementary.quoting import identifier

_NO_GRANTS = (
    "Spark itself has no grants: a session may do what its server's process may, unless a plug-in or the storage "
    "denies it"
)
_CLOSE = "Give the Thrift server a process of its own, whose storage credentials read the Elementary schema only."
_ROLELESS = ("role-memberships", "secondary-roles", "ownership", "future-grants", "other-privileges")
#: What a statement reaches beside tables: the check, a harmless statement, and what it shows.
_REACHES = (
    ("server-functions", "SELECT 1 FROM text.`file:/etc/hostname` WHERE 1 = 0", "a statement reads the server's files"),
    ("server-functions", "SELECT reflect('java.lang.Math', 'abs', 1)", "a statement calls Java's methods: reflect()"),
    ("untrusted-languages", "EXPLAIN SELECT TRANSFORM (1) USING 'true' AS (a)", "a statement runs programs: TRANSFORM"),
)


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a Spark session.

    :param probes: relations outside the schema that must be unreadable.
    """
    user = str((ask(session, "SELECT current_user()") or [("unknown",)])[0][0])
    schemas = [str(row[0]) for row in ask(session, "SHOW SCHEMAS") or []]
    catalogs = ask(session, "SHOW CATALOGS")
    outside = [
        (schema, name)
        for schema in [*schemas, "global_temp"]
        if schema != session.schema
        for name in _tables(session, schema)
    ]
    canaries = tried(session, outside)
    return Inspection(
        user=user,
        roles=(),
        findings=[
            evaluate_readable(session, _tables(session, session.schema)),
            *evaluate_each(
                ["reads-outside-schema"], readable(session, canaries), is_known=False, proof="", otherwise=_NO_GRANTS
            ),
            *_reached(session),
            _catalogs(catalogs),
            *(
                unanswered(name, _NO_GRANTS, _CLOSE)
                for name in (
                    "administrative-rights",
                    "writes-inside-schema",
                    "writes-outside-schema",
                    "creates-objects",
                )
            ),
            *not_applicable(_ROLELESS, "Spark itself has no roles and no grants"),
            *not_applicable(
                ["objects-reaching-outside", "definer-functions"],
                "views and functions run with the rights of the session, which the other checks cover",
            ),
            *not_applicable(["temporary-objects"], "temporary views are stored in the session and hold no rows"),
        ],
        link=Link(),
        canaries=[*probed(session, probes), *canaries],
    )


def _tables(session: Session, schema: str) -> list[str]:
    rows = records(session, f"SHOW TABLES IN {identifier(schema, session.dialect)}")
    return [str(row["tablename"]) for row in rows or [] if str(row.get("namespace", schema)) == schema]


def _reached(session: Session) -> list[AccessFinding]:
    excess = []
    for name, statement, what in _REACHES:
        rows = ask(session, statement)
        # EXPLAIN returns an error as its text.
        if rows is not None and not any(str(row[0]).startswith("Error occurred") for row in rows):
            excess.append(ExcessPrivilege(name, what, _CLOSE))
    return evaluate_each(
        sorted({name for name, _, _ in _REACHES}),
        excess,
        is_known=False,
        proof="",
        otherwise="the statements that were tried were refused; others may reach more",
    )


def _catalogs(catalogs: list[tuple[object, ...]] | None) -> AccessFinding:
    name = "other-databases"
    if catalogs is None:
        return unanswered(name, "Spark did not list its catalogs", BY_HAND)
    others = [str(row[0]) for row in catalogs if row[0] != "spark_catalog"]
    excess = [ExcessPrivilege(name, f"the catalog {each} is configured", "Remove it.") for each in others]
    # Spark lists a catalog only once a session has used it.
    otherwise = "Spark lists only catalogs that were used; others may be configured"
    return evaluate_each([name], excess, is_known=False, proof="", otherwise=otherwise)[0]
