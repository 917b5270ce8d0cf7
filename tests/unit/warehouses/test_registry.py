"""The facts of every warehouse stand in one row, and tables elsewhere agree with it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

import pytest
from sqlglot.dialects.dialect import Dialect as SqlglotDialect

import airflow_provider_elementary
from airflow_provider_elementary.access.check.findings import complete
from airflow_provider_elementary.access.check.report import CHECKS, ONLY_ON
from airflow_provider_elementary.access.guard.functions import FUNCTIONS
from airflow_provider_elementary.access.guard.spelling import CALLS_BY_DOT, FOLDINGS, LEXICONS, STRICT_QUALIFIERS
from airflow_provider_elementary.elementary_schema.ddl import Dialect as RestoreDialect
from airflow_provider_elementary.warehouses.kind import WarehouseKind
from airflow_provider_elementary.warehouses.registry import (
    CONNECTABLE,
    WAREHOUSES,
    by_adapter,
    by_connection_type,
    by_dialect,
)

PACKAGE = Path(airflow_provider_elementary.__file__).parent
ROWS = tuple(WAREHOUSES.values())
DIALECTS = {row.dialect for row in ROWS}
NAMES = {name for row in ROWS for name in (row.key, row.dialect, *row.adapters, *row.connection_types)}
#: Long lists of functions and lexical rules of the SQL guard. A table elsewhere belongs into the registry.
GUARD_TABLES = {"access/guard/functions.py", "access/guard/spelling.py"}
#: Which SQL a second role needs for a query history, and what lends it: statements, no facts of the warehouse.
HISTORY_TABLES = {"query_history/access.py", "query_history/grants.py"}
ALLOWED = {"warehouses/registry.py", *GUARD_TABLES, *HISTORY_TABLES}


def by_key(row: WarehouseKind) -> str:
    return row.key


@pytest.mark.parametrize("row", CONNECTABLE, ids=by_key)
def test_every_name_of_a_row_can_be_imported(row: WarehouseKind) -> None:
    assert callable(resolve_name(row.opener))
    assert callable(import_module(row.inspector).inspect)
    assert row.grants is None or callable(import_module(row.grants).statements)


def test_a_name_belongs_to_one_row() -> None:
    for names in (
        [row.label for row in ROWS],
        [adapter for row in ROWS for adapter in row.adapters],
        [name for row in CONNECTABLE for name in (*row.connection_types, row.connection_type)],
    ):
        assert len(names) == len(set(names))


@pytest.mark.parametrize("row", ROWS, ids=by_key)
def test_a_row_is_found_by_each_of_its_names(row: WarehouseKind) -> None:
    assert {by_adapter(adapter) for adapter in row.adapters} == {row}
    assert {by_connection_type(name) for name in row.connection_types} <= {row}
    assert by_dialect(str(row.dialect)).dialect == row.dialect


def test_a_shared_dialect_belongs_to_its_first_row() -> None:
    assert by_dialect("postgres").key == "postgres"
    assert by_dialect("tsql").key == "sqlserver"


def test_a_warehouse_without_a_row_has_the_facts_of_most() -> None:
    for row in (by_adapter("mysql"), by_adapter(None), by_dialect("mysql")):
        assert (row.key, row.dialect, row.standard_deviation, row.keeps_locks) == ("", None, "sample", False)


@pytest.mark.parametrize("row", ROWS, ids=by_key)
def test_sqlglot_knows_the_dialect(row: WarehouseKind) -> None:
    assert SqlglotDialect.get_or_raise(row.dialect)


def test_a_warehouse_with_grants_of_its_own_has_a_row_in_each_table_of_the_guard() -> None:
    known = {row.dialect for row in ROWS if row.grants}

    assert set(FUNCTIONS) == set(LEXICONS) == set(FOLDINGS) >= known


def test_other_tables_name_warehouses_of_the_registry() -> None:
    assert STRICT_QUALIFIERS | CALLS_BY_DOT <= DIALECTS
    assert set(get_args(RestoreDialect)) <= DIALECTS
    assert set(ONLY_ON) <= set(CHECKS)
    assert all(warehouses <= DIALECTS for warehouses, _ in ONLY_ON.values())


def test_a_check_that_does_not_apply_passes_and_another_without_an_answer_is_unknown() -> None:
    findings = {finding.name: finding for finding in complete([], "trino")}

    assert findings["secondary-roles"].status == "not applicable"
    assert findings["secondary-roles"].evidence == "Trino has no secondary roles"
    assert {finding.status for name, finding in findings.items() if name not in ONLY_ON} == {"unknown"}


@pytest.mark.parametrize("dialect", ["snowflake", "mysql"])
def test_a_check_that_may_apply_is_unknown_without_an_answer(dialect: str) -> None:
    assert {finding.status for finding in complete([], dialect)} == {"unknown"}


def test_the_registry_imports_nothing_heavy() -> None:
    script = (
        "import sys; import airflow_provider_elementary.warehouses.registry; "
        "print([name for name in ('airflow', 'pyarrow', 'sqlglot', 'duckdb', 'pydantic') if name in sys.modules])"
    )

    imported = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert imported.strip() == "[]"


def tables_by_warehouse(source: str) -> Iterator[int]:
    """Yield the lines of literals that name three warehouses or more."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            parts = node.keys
        elif isinstance(node, ast.Set | ast.List | ast.Tuple):
            parts = list(node.elts)
        else:
            continue
        named = {part.value for part in parts if isinstance(part, ast.Constant)} & NAMES
        if len(named) >= 3:
            yield node.lineno


def test_a_table_by_warehouse_is_seen() -> None:
    assert list(tables_by_warehouse('PORTS = {"postgres": 1, "redshift": 2, "mssql": 3}')) == [1]
    assert list(tables_by_warehouse('LOCKING = frozenset({"postgres", "redshift", "vertica"})')) == [1]
    assert not list(tables_by_warehouse('if kind in ("postgres", "redshift"): ...'))


def test_no_table_by_warehouse_stands_outside_the_registry() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if (lines := list(tables_by_warehouse(path.read_text())))
    }

    assert {name: lines for name, lines in found.items() if name not in ALLOWED} == {}
    assert set(found) >= GUARD_TABLES
