"""Selects the newest row of each key by the table's facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_elementary.elementary_schema.tables import TABLES


def newest_rows(
    table: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    within: Callable[[Mapping[str, Any]], object] = lambda row: None,
) -> list[dict[str, Any]]:
    """Return of several rows with one key the newest, ordered by time; of equally new rows the last.

    :param table: gives ``key`` and ``newest_by``; rows without a key are left out.
    :param within: extends the key, for the newest row of each key and of something else.
    """
    facts = TABLES[table]
    found: dict[object, tuple[str, Mapping[str, Any]]] = {}
    for row in rows:
        key = tuple(row.get(name) for name in facts.key)
        if any(part is None or not str(part).strip() for part in key):
            continue
        time = str(row.get(facts.newest_by) or "") if facts.newest_by else ""
        extended = (key, within(row))
        if extended not in found or time >= found[extended][0]:
            # Removed first, so that the order is that of the rows that stay.
            found.pop(extended, None)
            found[extended] = (time, row)
    return [dict(row) for _, row in sorted(found.values(), key=lambda entry: entry[0])]


def newest_sql(table: str) -> str:
    """Return DuckDB SQL for :func:`newest_rows` of a table."""
    facts = TABLES[table]
    filled = " AND ".join(f"nullif(trim({name}), '') IS NOT NULL" for name in facts.key)
    order = f" ORDER BY {facts.newest_by} DESC NULLS LAST" if facts.newest_by else ""
    return (
        f"SELECT * FROM {table} WHERE {filled} "  # noqa: S608 - constants
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(facts.key)}{order}) = 1"
    )
