"""Finds tables that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.access.check.session import StatementDeniedError
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.exceptions import TableUnreadableError, WarehouseError
from airflow_provider_elementary.warehouses.driver_errors import FailureCause, cause_of, sqlstate
from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.system_catalog import bind_value
from airflow_provider_elementary.warehouses.time_values import TIME
from airflow_provider_elementary.warehouses.warehouse import Warehouse, connection_lost_error
from airflow_provider_elementary.warehouses.watermarks import Undated

# The information schema hides what a role may not read; the catalog of PostgreSQL does not.
_DENIED = """
SELECT lower(c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = {0} AND c.relkind IN ('r', 'p')
  AND NOT pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
"""
# Policies filter rows in silence; one of all rows for this role, and no restrictive one beside it, filters none.
_ROW_SECURITY = """
SELECT lower(c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_policy AS p ON p.polrelid = c.oid AND p.polcmd IN ('r', '*') AND EXISTS (
    SELECT 1 FROM unnest(p.polroles) AS r WHERE CASE WHEN r = 0 THEN true ELSE pg_catalog.pg_has_role(r, 'USAGE') END
)
WHERE n.nspname = {0} AND c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid)
GROUP BY c.relname
HAVING NOT coalesce(bool_or(p.polpermissive AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'), false)
    OR coalesce(bool_or(NOT p.polpermissive), false)
"""
FILTERED = (
    "row-level security may hide rows of it from this role; add a policy FOR SELECT TO the role USING (true), or "
    "disable row-level security on it"
)
#: SQLSTATEs that concern one table: no privilege, no such operation on this type, a value that cannot be converted or
#: is too long, a damaged page, a lost file, a partition on a server that is away (our own session is open by then).
#: A missing table (42P01) is not among them: it may be about to be replaced, and a retry finds it.
_OF_ONE_TABLE = (
    *("08001", "0A000", "22", "42501", "42725", "42804", "42846", "42883", "54"),
    *("58030", "58P01", "HV", "XX000", "XX001", "XX002"),
)
#: The same from drivers that name no SQLSTATE.
_ERRORS_OF_ONE_TABLE = frozenset({"DataError", "NotSupportedError"})


def denied_tables(warehouse: Warehouse, schema: str) -> list[str]:
    """Return the tables of a schema that this session may not read, lower case, where the warehouse names them."""
    return _named_by_catalog(warehouse, schema, _DENIED)


def filtered_tables(warehouse: Warehouse, schema: str) -> list[str]:
    """Return the tables of which row-level security may hide rows from this session, lower case."""
    return _named_by_catalog(warehouse, schema, _ROW_SECURITY)


def _named_by_catalog(warehouse: Warehouse, schema: str, query: str) -> list[str]:
    if not by_adapter(warehouse.adapter).has_pg_catalog:
        return []
    value, parameters = bind_value(warehouse, schema)
    try:
        return [str(row[0]) for row in warehouse.rows(query.format(value), parameters)]
    except StatementDeniedError:
        return []


def read_error(adapter: str, query: GuardedQuery, error: BaseException) -> WarehouseError:
    """Return the error for a failed read: of one table, or of the warehouse."""
    state = sqlstate(error)
    if state:
        is_of_table = state.startswith(_OF_ONE_TABLE)
    else:
        is_of_table = cause_of(error) is FailureCause.DENIED or any(
            kind.__name__ in _ERRORS_OF_ONE_TABLE for kind in type(error).__mro__
        )
    if is_of_table and len(query.tables) == 1:
        if state == "42501":
            reason = "this connection may not read it (SQLSTATE 42501); grant SELECT on it"
            return TableUnreadableError(query.tables[0], reason)
        cause = f"SQLSTATE {state}" if state else type(error).__name__
        return TableUnreadableError(query.tables[0], f"{by_adapter(adapter).label} refused ({cause})")
    return connection_lost_error(adapter, f"reading {', '.join(query.tables)}", error)


def within(
    batches: Iterator[pa.RecordBatch],
    columns: Sequence[str],
    watermark: str,
    since: datetime | None,
    until: datetime | None,
    *,
    undated: Undated,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a time span, where the warehouse cannot compare the watermark itself.

    :param undated: which rows without a watermark come too.
    """
    for batch in batches:
        created = batch[watermark]
        mask = pc.is_valid(created)
        if since is not None:
            mask = pc.and_(mask, pc.greater_equal(created, pa.scalar(since, TIME)))
        if until is not None:
            mask = pc.and_(mask, pc.less(created, pa.scalar(until, TIME)))
        yield batch.filter(pc.fill_null(mask, undated in (Undated.NULL, Undated.ALL))).select(list(columns))
