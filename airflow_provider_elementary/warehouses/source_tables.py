"""Finds the Elementary tables of a schema that can be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_elementary.access.guard.spelling import FOLDINGS, Folding
from airflow_provider_elementary.elementary_schema import TABLES, Table
from airflow_provider_elementary.exceptions import (
    NotAnElementarySchemaError,
    SchemaNotFoundError,
    UnsupportedElementaryVersionError,
)
from airflow_provider_elementary.warehouses.exclusion import FILTERED, denied_tables, filtered_tables
from airflow_provider_elementary.warehouses.system_catalog import SystemCatalog, system_catalog
from airflow_provider_elementary.warehouses.warehouse import Warehouse
from airflow_provider_elementary.warehouses.watermarks import WatermarkType, watermark_type

_OF_A_VIEW = "name the schema of its table, or copy it by CREATE TABLE AS"


@dataclass(frozen=True)
class SourceTable:
    """A table of the catalog as one warehouse holds it.

    :param table: the catalog's entry.
    :param name: the table's name as the warehouse spells it.
    :param columns: the classified columns that are there, lower case, with the warehouse's spelling.
    :param types: the types of all its columns, as information_schema names them.
    :param unknown: columns that the catalog does not classify: quarantined, never read.
    :param missing: columns of the catalog that are not there, as in older versions of the package.
    :param watermark_type: what the warehouse can compare the table's watermark with.
    """

    table: Table
    name: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    watermark_type: WatermarkType = field(default=WatermarkType.LOCAL, compare=False)


def find_schema(warehouse: Warehouse) -> str:
    """Return the schema's name as the warehouse spells it: the one given, or the only one that differs by case.

    :raises SchemaNotFoundError: there is none, or several differ by case.
    """
    catalog = system_catalog(warehouse)
    names = set(catalog.schemas())
    # PostgreSQL cuts names to 63 bytes when it makes them.
    stored = warehouse.schema.encode()[:63].decode(errors="ignore") if warehouse.dialect == "postgres" else ""
    for given in (warehouse.schema, stored):
        if given in names:
            return given
    folded = sorted(name for name in names if name.lower() == warehouse.schema.lower())
    if len(folded) == 1:
        return folded[0]
    if folded:
        raise SchemaNotFoundError(
            f"There is no schema {warehouse.schema!r}, but {len(folded)} that differ from it by upper and lower case: "
            f"{', '.join(folded)}. Spell the one that Elementary writes to exactly, in `schema` or in the extra field "
            "elementary_schema of the connection."
        )
    seen = sorted(set(catalog.elementary_schemas()))
    raise SchemaNotFoundError(
        f"Schema {warehouse.schema!r} does not exist, or this connection may not see it. "
        + (f"Elementary schemas that it sees: {', '.join(seen)}." if seen else "It sees no Elementary schema.")
        + " Set `schema`, or elementary_schema in the connection's extra, and check the role's grants."
    )


def find_tables(warehouse: Warehouse, schema: str) -> tuple[dict[str, SourceTable], dict[str, str]]:
    """Return Elementary's tables in the schema, in the fixed order, and why others cannot be used.

    :raises NotAnElementarySchemaError: it has none of them.
    :raises UnsupportedElementaryVersionError: none of them can be used.
    """
    found: dict[str, dict[str, str]] = {}
    types: dict[str, dict[str, str]] = {}
    spelled: dict[str, str] = {}
    catalog = system_catalog(warehouse)
    folding = FOLDINGS.get(warehouse.dialect)
    rows = list(catalog.columns(schema))
    listed = {row[0] for row in rows}
    for table_name, column_name, data_type in rows:
        name = table_name.lower()
        if folding is not None and not _is_written_by_dbt(table_name, listed, folding):
            continue
        spelled[name] = table_name
        found.setdefault(name, {})[column_name.lower()] = column_name
        types.setdefault(name, {})[column_name.lower()] = str(data_type).lower()
    there = {
        table.name: SourceTable(
            table=table,
            name=spelled[table.name],
            columns={
                column.name: found[table.name][column.name]
                for column in table.known_columns
                if column.name in found[table.name]
            },
            types=types[table.name],
            unknown=tuple(name for name in found[table.name] if table.column(name) is None),
            missing=tuple(column.name for column in table.columns if column.name not in found[table.name]),
            watermark_type=watermark_type(types[table.name].get(table.watermark or "", "timestamp"), warehouse.dialect),
        )
        for table in TABLES.values()
        if table.name in found
    }
    denied = [name for name in denied_tables(warehouse, schema) if name in TABLES]
    others = _others(catalog, schema) if len(there) < len(TABLES) else {}
    if others and not there:
        kinds = sorted({kind.lower() for kind in others.values()})
        raise NotAnElementarySchemaError(
            f"Schema {schema!r} has none of Elementary's tables; {len(others)} of their names are a "
            f"{' or '.join(kinds)} ({', '.join(sorted(others)[:3])}, …). Only tables are read: what is behind a view "
            "cannot be checked. Name the schema and database where Elementary's dbt package writes its tables, and "
            "grant the role SELECT on them; for a share, have its owner share the tables themselves, or copy them with "
            "CREATE TABLE AS."
        )
    if not there and not denied:
        raise NotAnElementarySchemaError(
            f"Schema {schema!r} has none of Elementary's tables, and {len(found)} other tables. "
            "Run `dbt run --select elementary` once, and check the role's grants on the tables."
        )
    excluded = {name: f"it is a {kind.lower()}, not a table; {_OF_A_VIEW}" for name, kind in others.items()}
    excluded |= {name: FILTERED for name in filtered_tables(warehouse, schema) if name in there}
    excluded |= dict.fromkeys(denied, "this connection may not read it; grant SELECT on it")
    for name, one in there.items():
        if lacking := sorted(one.table.indispensable_columns & set(one.missing)):
            excluded[name] = f"it lacks {', '.join(lacking)}: columns that identify and date its rows"
    usable = {name: one for name, one in there.items() if name not in excluded}
    require_any(schema, usable, excluded)
    return usable, {name: excluded[name] for name in TABLES if name in excluded}


def _is_written_by_dbt(table: str, listed: set[str], folding: Folding) -> bool:
    """Return whether dbt can have given a table this spelling; one without quotes comes before one with them."""
    usual = folding.stored(table.lower())
    if folding.quoted(table) == folding.quoted(usual):
        return True
    return folding.stored_in_quotes is not None and table == folding.stored_in_quotes(table) and usual not in listed


def _others(catalog: SystemCatalog, schema: str) -> dict[str, str]:
    """Return views and others that have the name of a table of Elementary's, with their kind."""
    return {name.lower(): str(kind) for name, kind in catalog.others(schema) if name.lower() in TABLES}


def require_any(schema: str, usable: Mapping[str, SourceTable], excluded: Mapping[str, str]) -> None:
    """Raise where no table can be used.

    :raises UnsupportedElementaryVersionError: none is left; the message says why each is excluded.
    """
    if not usable:
        details = "; ".join(f"{table}: {reason}" for table, reason in excluded.items())
        raise UnsupportedElementaryVersionError(
            f"No table of schema {schema!r} can be used. {details}. Check the role's grants; if the Elementary dbt "
            "package is older than 0.9, upgrade it and run `dbt run --select elementary`."
        )
