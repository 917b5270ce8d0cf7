"""The house keeps its order: the core imports no Airflow, and a DAG file pays for no heavy import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from airflow_provider_elementary.page.views.registry import VIEWS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_elementary"
CORE = (
    "access",
    "alerts",
    "anomalies",
    "elementary_schema",
    "incidents",
    "metrics",
    "project",
    "query_history",
    "sample",
    "snapshots",
    "storage",
    "warehouses",
)
CORE_FILES = sorted(
    [path for name in CORE for path in (PACKAGE / name).rglob("*.py")]
    + [path for path in PACKAGE.glob("*.py") if path.name not in ("__init__.py", "get_provider_info.py")]
)
FACE = ("hooks", "links", "notifications", "operators", "plugins", "sensors", "triggers")
FACE_MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for name in (*FACE, "page")
    for path in (PACKAGE / name).glob("*.py")
    if path.name != "__init__.py"
)
#: The core's packages and the faces over them: each imports only those before it, or beside it.
ORDER = (
    ("exceptions", "times", "timeouts", "progress", "quoting", "words", "lazy_names"),
    ("elementary_schema", "source", "duckdb_sandbox", "arrow_values", "sample"),
    ("access",),
    ("warehouses", "invocations"),
    ("storage",),
    ("snapshots",),
    ("metrics", "project", "query_history"),
    ("anomalies",),
    ("incidents",),
    ("alerts",),
    ("hooks",),
    ("links", "notifications"),
    ("operators",),
    ("page",),
    ("cli", "plugins", "triggers", "sensors"),
)
#: Facts that every package may read.
LEAVES = frozenset(f"airflow_provider_elementary{name}" for name in ("", ".get_provider_info", ".warehouses.registry"))
HEAVY = ("pyarrow", "duckdb", "numpy", "pandas", "sqlglot", "snowflake.connector", "adbc_driver_manager", "boto3")


@cache
def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def package_of(module: str) -> str:
    return module.split(".")[1]


def imports_against_the_order() -> list[str]:
    ranks = {name: rank for rank, names in enumerate(ORDER) for name in names}
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        if module in LEAVES or "example_dags" in path.parts:
            continue
        ours = [name for name in imported_modules(path) if name.startswith("airflow_provider_elementary.")]
        found += [
            f"{module} imports {name}"
            for name in ours
            if name not in LEAVES and ranks[package_of(name)] > ranks[package_of(module)]
        ]
    return found


def heavy_modules_after(*statements: str) -> list[frozenset[str]]:
    """Run statements in one process; return the heavy modules that are imported after each."""
    look = f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    program = "\n".join(["import json, sys", *(f"{statement}\n{look}" for statement in statements)])
    finished = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    printed = [line for line in finished.stdout.splitlines() if line.startswith("[")]
    return [frozenset(json.loads(line)) for line in printed[-len(statements) :]]


@cache
def heavy_modules_of_airflow_and_after() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Return the heavy modules before and after each step, by its name: Airflow takes seconds to import."""
    dag_files = [str(path) for path in sorted((ROOT / "dags").glob("elementary_*.py"))]
    steps = {
        "airflow.sdk": "import airflow.sdk",
        "example DAGs": f"import runpy; [runpy.run_path(path) for path in {dag_files!r}]",
        "face": "import " + ", ".join(FACE_MODULES),
        "airflow's API": "import airflow.api_fastapi.core_api.security",
        "page": "from airflow_provider_elementary.plugins.elementary import PAGE; PAGE.warm_up()",
    }
    found = heavy_modules_after(*steps.values())
    return dict(zip(steps, pairwise([frozenset(), *found]), strict=True))


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_core_never_imports_airflow(path: Path) -> None:
    assert not {module for module in imported_modules(path) if module.split(".")[0] == "airflow"}


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_core_never_imports_the_face(path: Path) -> None:
    faces = tuple(f"airflow_provider_elementary.{name}" for name in (*FACE, "cli"))

    assert not {module for module in imported_modules(path) if module.startswith(faces)}


def test_packages_import_only_those_before_them() -> None:
    assert imports_against_the_order() == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "page").rglob("*.py")), ids=lambda path: path.stem)
def test_the_page_never_imports_airflow_itself(path: Path) -> None:
    assert not {module for module in imported_modules(path) if module.split(".")[0] == "airflow"}


def test_the_core_works_where_airflow_cannot_be_imported() -> None:
    statement = (
        "sys.modules['airflow'] = None; "
        "import airflow_provider_elementary.access, airflow_provider_elementary.alerts, "
        "airflow_provider_elementary.anomalies, "
        "airflow_provider_elementary.metrics, airflow_provider_elementary.snapshots"
    )

    [found] = heavy_modules_after(statement)

    assert "pyarrow" in found


@pytest.mark.parametrize("step", ["example DAGs", "face", "page"])
def test_parsing_a_dag_the_face_and_a_page_without_stores_import_nothing_heavy(step: str) -> None:
    before, after = heavy_modules_of_airflow_and_after()[step]

    assert after == before


def test_what_the_page_reads_a_store_with_imports_no_parser_of_sql() -> None:
    views = sorted({f"page.views.{view.builder[0]}" for view in VIEWS})
    read = ("snapshots.repository", "storage.records.report_log", "incidents.store", *views)
    statement = "import " + ", ".join(f"airflow_provider_elementary.{name}" for name in read)

    [found] = heavy_modules_after(statement)

    assert "sqlglot" not in found


def test_each_execute_hands_over_to_the_core_in_a_few_statements() -> None:
    counts = {
        f"{path.stem}.{operator.name}": sum(isinstance(node, ast.stmt) for node in ast.walk(method)) - 2
        for path in sorted(PACKAGE.glob("operators/*.py"))
        for operator in ast.parse(path.read_text("utf-8")).body
        if isinstance(operator, ast.ClassDef)
        for method in operator.body
        if isinstance(method, ast.FunctionDef) and method.name == "execute"
    }

    assert len(counts) >= 15
    assert {name: count for name, count in counts.items() if count > 16} == {}
