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

_TABLES = ("dbt_columns", "schema_columns_snapshot")


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
    :param seen: the columns that schema tests saw in the warehouse.
    :param missing: what cannot be read, in sentences.
    """

    documented: pa.Table = field(repr=False)
    seen: pa.Table = field(repr=False)
    missing: tuple[str, ...]


def read_columns(snapshot: SnapshotSource) -> Columns:
    """Read what a snapshot says of columns; ``missing`` names tables that cannot be read."""
    missing: list[str] = []
    documented, seen = (read_rows(snapshot, table, READ[table].columns, missing=missing) for table in _TABLES)
    return Columns(documented, seen, tuple(dict.fromkeys(missing)))


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
