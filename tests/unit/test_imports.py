"""The house keeps its order: the core imports no Airflow, and a DAG file pays for no heavy import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_elementary"
CORE = ("access", "alerts", "anomalies", "catalog", "metrics", "sample", "snapshots", "warehouses")
CORE_FILES = sorted(
    [path for name in CORE for path in (PACKAGE / name).rglob("*.py")]
    + [PACKAGE / "exceptions.py", PACKAGE / "invocations.py", PACKAGE / "source.py"]
)
FACE = ("hooks", "links", "notifications", "operators", "plugins", "sensors", "triggers")
FACE_MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for name in FACE
    for path in (PACKAGE / name).glob("*.py")
    if path.name != "__init__.py"
)
HEAVY = ("pyarrow", "duckdb", "numpy", "pandas", "sqlglot", "snowflake.connector", "adbc_driver_manager", "boto3")


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@cache
def heavy_modules_after(statement: str) -> frozenset[str]:
    program = f"import sys, json; {statement}; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    finished = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    return frozenset(json.loads(finished.stdout.splitlines()[-1]))


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_core_never_imports_airflow(path: Path) -> None:
    assert not {module for module in imported_modules(path) if module.split(".")[0] == "airflow"}


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_core_never_imports_the_face(path: Path) -> None:
    faces = tuple(f"airflow_provider_elementary.{name}" for name in (*FACE, "cli"))

    assert not {module for module in imported_modules(path) if module.startswith(faces)}


def test_the_core_works_where_airflow_cannot_be_imported() -> None:
    statement = (
        "sys.modules['airflow'] = None; "
        "import airflow_provider_elementary.access, airflow_provider_elementary.alerts, "
        "airflow_provider_elementary.anomalies, "
        "airflow_provider_elementary.metrics, airflow_provider_elementary.snapshots"
    )

    assert "pyarrow" in heavy_modules_after(statement)


def test_importing_every_module_of_the_face_imports_nothing_heavy() -> None:
    assert heavy_modules_after("import " + ", ".join(FACE_MODULES)) == heavy_modules_after("import airflow.sdk")


def test_warming_up_a_page_without_stores_imports_nothing_heavy() -> None:
    statement = "from airflow_provider_elementary.plugins.elementary import PAGE; PAGE.warm_up()"

    assert heavy_modules_after(statement) == heavy_modules_after("import airflow.api_fastapi.core_api.security")


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("elementary_*.py")), ids=lambda path: path.stem)
def test_parsing_an_example_dag_imports_nothing_heavy(path: Path) -> None:
    statement = f"import runpy; runpy.run_path({str(path)!r})"

    assert heavy_modules_after(statement) == heavy_modules_after("import airflow.sdk")
