"""Maps dbt nodes to their tables, and tables to their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

#: The artifacts that are tables or read from them, and the column that names the table.
ARTIFACTS: Mapping[str, str] = MappingProxyType(
    {
        "dbt_models": "alias",
        "dbt_snapshots": "alias",
        "dbt_seeds": "alias",
        "dbt_sources": "identifier",
        "dbt_exposures": "name",
    }
)
#: The artifacts that dbt builds.
BUILT = ("dbt_models", "dbt_snapshots", "dbt_seeds")

#: What :func:`places_sql` reads of an artifact, and of the two tables that say on which target something ran.
PLACE_COLUMNS = ("unique_id", "generated_at", "database_name", "schema_name", "name")
TARGET_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dbt_invocations": ("invocation_id", "target_database", "target_schema"),
        "elementary_test_results": ("model_unique_id", "database_name", "schema_name", "table_name"),
    }
)
#: Before the id of a test that belongs to no table, where metrics and the page name a table; no table has a blank.
TEST_PREFIX = "test "


@dataclass(frozen=True)
class Claim:
    """Something that says which node a table belongs to.

    :param table: as :func:`table_name` writes it.
    :param is_artifact: an artifact says so, and not a test result alone.
    :param generated_at: when the artifact was written.
    """

    unique_id: str
    table: str
    is_artifact: bool = True
    generated_at: str = ""


def table_name(database: str | None, schema: str | None, name: str | None) -> str:
    """Return a table as metrics name it: upper case, with what is known of its place; empty without a name."""
    parts = [_plain(part) for part in (database, schema, name)]
    return ".".join(filter(None, parts)).upper() if parts[-1] else ""


def relation_name(row: Mapping[str, Any], artifact: str) -> str:
    """Return the last part of the name of the table that a row of an artifact describes; empty where it has none."""
    return _plain(row.get(ARTIFACTS[artifact])) or _plain(row.get("name"))


def table_of(row: Mapping[str, Any], artifact: str) -> str:
    """Return the table that a row of an artifact describes, as metrics name it; empty where it names none."""
    name = relation_name(row, artifact)
    if artifact == "dbt_exposures":
        return f"exposure {name}" if name else ""
    return table_name(row.get("database_name"), row.get("schema_name"), name)


def nodes_by_table(claims: Iterable[Claim]) -> dict[str, str]:
    """Return the node of each table.

    Of several nodes that claim a table the one that dbt builds counts, then the one that an artifact names, then the
    newest.
    """
    found: dict[str, tuple[tuple[bool, bool, str, str], str]] = {}
    for claim in claims:
        rank = (not claim.unique_id.startswith("source."), claim.is_artifact, claim.generated_at, claim.unique_id)
        if claim.table and (claim.table not in found or rank > found[claim.table][0]):
            found[claim.table] = (rank, claim.unique_id)
    return {table: unique_id for table, (_, unique_id) in found.items()}


def tables_by_node(claims: Iterable[Claim]) -> dict[str, tuple[str, ...]]:
    """Return the tables of each node, the one that its newest artifact names first: one for each target of dbt."""
    found: dict[str, dict[str, tuple[bool, str, str]]] = {}
    for claim in claims:
        if claim.table:
            tables = found.setdefault(claim.unique_id, {})
            rank = (claim.is_artifact, claim.generated_at, claim.table)
            tables[claim.table] = max(rank, tables.get(claim.table, rank))
    return {
        unique_id: tuple(sorted(tables, key=lambda table, of=tables: of[table], reverse=True))  # type: ignore[misc]
        for unique_id, tables in found.items()
    }


def nearest_table(tables: Sequence[str], beside: str) -> str:
    """Return of a node's tables the one on the same target as another table: in its database, then in its schema."""
    place = beside.upper().split(".")[:-1]

    def shared(table: str) -> int:
        parts = table.split(".")[:-1]
        return sum(1 for same in _while_equal(parts, place) if same)

    return max(tables, key=shared)


#: As a common table expression: the node that each test watches, as its newest row names it.
TEST_PARENTS_SQL = """parents AS (
    SELECT unique_id, arg_max(nullif(trim(parent_model_unique_id), ''), coalesce(generated_at, '')) AS parent
    FROM dbt_tests WHERE unique_id IS NOT NULL GROUP BY unique_id
)"""


def table_sql(name: str) -> str:
    """Return DuckDB SQL for :func:`table_name` of the row's database, schema and this; null without a name."""
    parts = ", ".join(f"nullif(trim({part}), '')" for part in ("database_name", "schema_name", name))
    return f"CASE WHEN nullif(trim({name}), '') IS NOT NULL THEN upper(concat_ws('.', {parts})) END"


def places_sql(artifacts: Sequence[str]) -> str:
    """Return common table expressions that say to which table something belongs that dbt did to a node.

    They read ``acted`` (``unique_id``, ``invocation_id``), the artifacts, and the tables of :data:`TARGET_COLUMNS`,
    and end in ``places`` (``unique_id``, ``invocation_id``, ``full_table_name``).

    Two targets (production and CI) share the ids of nodes and may share the schema of Elementary, but not the tables:
    an execution belongs to the table in the database and schema of its invocation's target. Where that table is not
    known, it belongs to none that is another target's; and where the target is not known, to none of several databases.
    """
    named = " UNION ALL ".join(
        "SELECT unique_id, database_name, schema_name, "  # noqa: S608 - constants
        f"coalesce(nullif(trim({ARTIFACTS[artifact]}), ''), name) AS name, 0 AS origin, generated_at FROM {artifact}"
        for artifact in artifacts
    )
    return f"""
claimed AS (
    {named}
    UNION ALL
    SELECT model_unique_id, database_name, schema_name, table_name, 1 AS origin, NULL FROM elementary_test_results
),
candidates AS (
    SELECT
        unique_id,
        coalesce(upper(trim(database_name)), '') AS database,
        coalesce(upper(trim(schema_name)), '') AS schema,
        {table_sql("name")} AS full_table_name,
        min(origin) AS origin,
        max(generated_at) AS generated_at
    FROM claimed
    WHERE nullif(trim(unique_id), '') IS NOT NULL AND nullif(trim(name), '') IS NOT NULL
    GROUP BY ALL
),
target_of AS (
    SELECT
        invocation_id,
        coalesce(upper(trim(max(target_database))), '') AS target_database,
        coalesce(upper(trim(max(target_schema))), '') AS target_schema
    FROM dbt_invocations WHERE invocation_id IS NOT NULL GROUP BY invocation_id
),
targets AS (SELECT DISTINCT target_database, target_schema FROM target_of WHERE target_database || target_schema <> ''),
areas AS (SELECT DISTINCT database, schema FROM candidates),
fits AS (
    SELECT database, schema, target_schema, length(target_schema) AS length
    FROM areas JOIN targets ON target_database = database
    WHERE target_schema <> '' AND (schema = target_schema OR starts_with(schema, target_schema || '_'))
),
best_fits AS (SELECT database, schema, max(length) AS length FROM fits GROUP BY ALL),
wanted AS (
    SELECT DISTINCT
        unique_id, coalesce(target_database, '') AS target_database, coalesce(target_schema, '') AS target_schema
    FROM acted LEFT JOIN target_of USING (invocation_id)
),
scattered AS (SELECT unique_id FROM candidates GROUP BY unique_id HAVING count(DISTINCT database) > 1),
chosen AS (
    SELECT w.unique_id, w.target_database, w.target_schema, c.full_table_name
    FROM wanted AS w
    JOIN candidates AS c USING (unique_id)
    LEFT JOIN fits AS f
        ON f.database = c.database
        AND f.schema = c.schema
        AND w.target_database = c.database
        AND f.target_schema = w.target_schema
    LEFT JOIN best_fits AS b ON b.database = c.database AND b.schema = c.schema
    WHERE CASE
        WHEN w.target_database || w.target_schema = '' THEN w.unique_id NOT IN (SELECT unique_id FROM scattered)
        WHEN w.target_database <> c.database THEN c.database NOT IN (SELECT target_database FROM targets)
        ELSE coalesce(f.length, 0) >= coalesce(b.length, 0)
    END
    QUALIFY row_number() OVER (
        PARTITION BY w.unique_id, w.target_database, w.target_schema
        ORDER BY w.target_database = c.database DESC, coalesce(f.length, 0) DESC, c.origin,
            c.generated_at DESC NULLS LAST, c.full_table_name
    ) = 1
),
places AS (
    SELECT DISTINCT p.unique_id, p.invocation_id, c.full_table_name
    FROM acted AS p
    LEFT JOIN target_of AS t USING (invocation_id)
    JOIN chosen AS c
        ON c.unique_id = p.unique_id
        AND c.target_database = coalesce(t.target_database, '')
        AND c.target_schema = coalesce(t.target_schema, '')
)
"""  # noqa: S608 - constants


def _while_equal(left: Sequence[str], right: Sequence[str]) -> Iterable[bool]:
    for one, other in zip(left, right, strict=False):
        if one != other:
            return
        yield True


def _plain(text: Any) -> str:
    return text.strip() if isinstance(text, str) else ""
