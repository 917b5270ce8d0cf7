"""Finds large tables that have no index on their watermark."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from airflow_provider_elementary.access.check.session import StatementDeniedError
from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.system_catalog import bind_value
from airflow_provider_elementary.warehouses.warehouse import Warehouse

#: A smaller table is scanned in less time than its index is worth.
_MIN_BYTES = 8 * 2**20
# The size as of the last vacuum or analyze: pg_relation_size waits for a table that somebody has locked.
_INDEXED = """
SELECT c.relname::text, a.attname::text, c.relpages * pg_catalog.current_setting('block_size')::bigint, EXISTS (
    SELECT 1 FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS k ON k.oid = i.indexrelid
    JOIN pg_catalog.pg_am AS m ON m.oid = k.relam
    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
      AND (i.indkey[0] = a.attnum OR (m.amname = 'brin' AND a.attnum = ANY (i.indkey)))
)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = {0} AND c.relkind = 'r'
"""


def index_statements(warehouse: Warehouse, watermarks: Mapping[str, str]) -> list[str]:
    """Return what the owner of the tables would run, so that a window is read without a scan of the table.

    :param watermarks: the column of each table, both as the warehouse spells them.
    """
    if not by_adapter(warehouse.adapter).has_pg_catalog:
        return []
    value, parameters = bind_value(warehouse, warehouse.schema)
    try:
        rows = warehouse.rows(_INDEXED.format(value), parameters)
    except StatementDeniedError:
        return []
    found = []
    for table, column, size, is_indexed in rows:
        if watermarks.get(table) == column and size >= _MIN_BYTES and not is_indexed:
            relation = exp.table_(table, db=warehouse.schema, quoted=True).sql("postgres")
            watermark = exp.to_identifier(column, quoted=True).sql("postgres")
            found.append(f"CREATE INDEX CONCURRENTLY ON {relation} USING brin ({watermark});")
    return sorted(found)
