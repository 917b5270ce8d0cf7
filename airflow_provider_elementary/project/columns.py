"""Reads the columns of the tables of a dbt project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_elementary.project.facts import Test
from airflow_provider_elementary.project.reading import READ, read_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.snapshots import SnapshotSource

_DOCUMENTED, _SEEN = "dbt_columns", "schema_columns_snapshot"


@dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    :param data_type: as the warehouse said last, else as dbt's project says; empty where neither does.
    :param tests: short names of its tests, each once.
    :param null_rate: the newest share of nulls that was measured, in percent.
    :param is_measured: whether it has metrics.
    """

    name: str
    data_type: str
    description: str
    tests: tuple[str, ...]
    null_rate: float | None
    is_measured: bool


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class Columns:
    """What a snapshot says of columns.

    :param documented: the columns of dbt's project.
    :param seen: the columns that schema tests saw in the warehouse, each with the type that it had last.
    :param missing: what cannot be read, in sentences.
    """

    documented: pa.Table = field(repr=False)
    seen: pa.Table = field(repr=False)
    missing: tuple[str, ...]


def read_columns(snapshot: SnapshotSource) -> Columns:
    """Read what a snapshot says of columns; ``missing`` names tables that cannot be read."""
    missing: list[str] = []
    documented = read_rows(snapshot, _DOCUMENTED, READ[_DOCUMENTED].columns, missing=missing)
    seen = read_rows(snapshot, _SEEN, READ[_SEEN].columns, missing=missing, keep=_newest)
    return Columns(documented, seen, tuple(dict.fromkeys(missing)))


def column_schemas() -> tuple[pa.Schema, pa.Schema]:
    """Return which columns the tables ``documented`` and ``seen`` of :class:`Columns` have."""
    from airflow_provider_elementary.source import arrow_schema, catalog_table

    documented, seen = (arrow_schema(catalog_table(name), READ[name].columns) for name in (_DOCUMENTED, _SEEN))
    return documented, seen


def _newest(reader: pa.RecordBatchReader) -> pa.Table:
    """Return one row of each column of each table: a schema test writes all of them whenever it runs."""
    from airflow_provider_elementary.duckdb_sandbox import bounded_connection
    from airflow_provider_elementary.source import with_own_errors

    with with_own_errors(reader) as seen, bounded_connection() as connection:
        connection.register("seen", seen)
        rows: pa.Table = connection.sql(_NEWEST).to_arrow_table()
    return rows


def columns_of(
    columns: Columns,
    full_name: str,
    unique_id: str | None,
    tests: Iterable[Test],
    null_rates: Mapping[str, float | None],
) -> list[TableColumn]:
    """Return the columns of a table that the project, schema tests, tests or metrics name, by name.

    :param unique_id: of its node; None where dbt does not know it.
    :param null_rates: of each column with metrics, any case; None where its nulls were not measured.
    """
    import pyarrow.compute as pc

    from airflow_provider_elementary.arrow_values import is_one_of

    of_node = columns.documented.filter(is_one_of(columns.documented["parent_unique_id"], unique_id or ""))
    of_table = columns.seen.filter(is_one_of(pc.utf8_upper(columns.seen["full_table_name"]), full_name.upper()))
    found: dict[str, dict[str, str]] = {}
    for row in sorted(of_node.to_pylist(), key=lambda row: row["generated_at"] or ""):
        known = {"name": row["name"], "data_type": row["data_type"], "description": row["description"]}
        found.setdefault((row["name"] or "").lower(), {}).update({key: text for key, text in known.items() if text})
    for row in sorted(of_table.to_pylist(), key=lambda row: row["detected_at"] or datetime.min):
        name = row["column_name"] or ""
        known = {"name": found.get(name.lower(), {}).get("name", name), "data_type": row["data_type"] or ""}
        found.setdefault(name.lower(), {}).update({key: text for key, text in known.items() if text})
    named: dict[str, dict[str, None]] = {}
    for test in tests:
        if test.column:
            named.setdefault(test.column.lower(), {})[test.kind or test.name] = None
            found.setdefault(test.column.lower(), {"name": test.column})
    rates = {name.lower(): rate for name, rate in null_rates.items()}
    for name in null_rates:
        found.setdefault(name.lower(), {"name": name})
    return [
        TableColumn(
            name=known.get("name", key),
            data_type=known.get("data_type", ""),
            description=known.get("description", "").strip(),
            tests=tuple(named.get(key, ())),
            null_rate=rates.get(key),
            is_measured=key in rates,
        )
        for key, known in sorted(found.items())
        if key
    ]


# A row without a type says nothing of it.
_NEWEST = """
SELECT
    full_table_name,
    column_name,
    arg_max(nullif(data_type, ''), coalesce(detected_at, '-infinity')) AS data_type,
    coalesce(max(detected_at) FILTER (WHERE nullif(data_type, '') IS NOT NULL), max(detected_at)) AS detected_at
FROM seen GROUP BY full_table_name, column_name
"""
