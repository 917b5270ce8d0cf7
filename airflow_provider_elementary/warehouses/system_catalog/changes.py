"""Reads what a warehouse counts of the changes to its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elementary.access.check.session import StatementDeniedError
from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.system_catalog import bind_value

if TYPE_CHECKING:
    from airflow_provider_elementary.warehouses.warehouse import Warehouse

# Sessions report what they did when they end, or some seconds after each transaction.
_POSTGRES = """
SELECT lower(c.relname), c.oid::text || '/' || c.relfilenode::text,
  s.n_tup_ins::bigint, s.n_tup_upd::bigint, s.n_tup_del::bigint
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_stat_all_tables AS s ON s.relid = c.oid
WHERE n.nspname = {0} AND c.relkind = 'r'
"""


@dataclass(frozen=True)
class TableChanges:
    """What the warehouse has counted of a table: a hint, which a crash of the server resets.

    :param file: names the table and the file that it is stored in.
    :param inserted: rows inserted so far, those of transactions that were rolled back included.
    :param updated: rows updated so far.
    :param deleted: rows deleted so far.
    """

    file: str
    inserted: int
    updated: int
    deleted: int


def read_changes(warehouse: Warehouse) -> Mapping[str, TableChanges]:
    """Return the counts of each table, lower case; empty where the warehouse has none, or shows none to this role.

    What they do not count yet is seen the next time only if they are read before the tables are held.
    """
    if not by_adapter(warehouse.adapter).counts_changes:
        return {}
    value, parameters = bind_value(warehouse, warehouse.schema)
    try:
        rows = warehouse.rows(_POSTGRES.format(value), parameters)
    except StatementDeniedError:
        return {}
    return {str(name): TableChanges(str(file), *map(int, counts)) for name, file, *counts in rows}
