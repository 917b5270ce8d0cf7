"""The wheel holds everything that the package needs, and installs into Airflow as a provider."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_elementary"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(directory), str(ROOT)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-2000:]
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    [path] = built.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".pyc",) and "__pycache__" not in path.parts
    }

    assert expected <= set(wheel.namelist())


def test_the_wheel_holds_the_example_dags_where_airflow_looks_for_those_of_providers(wheel: zipfile.ZipFile) -> None:
    examples = {f"{PACKAGE.name}/example_dags/{path.name}": path.read_text() for path in (ROOT / "dags").glob("*.py")}

    assert {name: wheel.read(name).decode() for name in wheel.namelist() if "/example_dags/" in name} == examples


def test_the_wheel_holds_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    folders = {name.split("/")[0] for name in wheel.namelist()}

    assert {name for name in folders if not name.endswith(".dist-info")} == {"airflow_provider_elementary"}


def test_the_source_distribution_is_there_too(built: Path) -> None:
    assert len(list(built.glob("*.tar.gz"))) == 1


def test_the_wheel_declares_the_provider_the_page_and_the_command(wheel: zipfile.ZipFile) -> None:
    [name] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    entry_points = wheel.read(name).decode()

    assert "[apache_airflow_provider]" in entry_points
    assert "[airflow.plugins]" in entry_points
    assert "airflow-elementary = airflow_provider_elementary.cli.main:program" in entry_points


@pytest.mark.parametrize(
    "requirement",
    ["apache-airflow", "apache-airflow-providers-snowflake", "apache-airflow-providers-amazon", "sqlparse"],
)
def test_the_wheel_requires_what_it_was_built_for(wheel: zipfile.ZipFile, requirement: str) -> None:
    [name] = [name for name in wheel.namelist() if name.endswith("METADATA")]
    lines = wheel.read(name).decode().splitlines()

    assert any(line.startswith(f"Requires-Dist: {requirement}") for line in lines)


def test_airflow_lists_the_provider(tmp_path: Path) -> None:
    environment = {"AIRFLOW_HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}

    listed = subprocess.run(
        ["airflow", "providers", "list", "--output", "plain"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "airflow-provider-elementary" in listed
