"""The wheel holds everything that the package needs, and installs into Airflow as a provider."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_elementary"
EXAMPLES = {path.name for path in (ROOT / "dags").glob("elementary_*.py")}


def build(source: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    """Build both distributions of a checkout."""
    # Its module, as the folder build/ of a checkout passes for the package.
    pytest.importorskip("build.env", reason="build is not installed (pip install build)")
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    installer = ["--installer", "uv"] if shutil.which("uv", path=search) else []
    command = [sys.executable, "-m", "build", *installer, "--outdir", str(directory), str(source)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": search})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    finished = build(ROOT, directory)
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


def test_a_wheel_with_the_script_holds_the_licences_of_what_is_in_it(wheel: zipfile.ZipFile) -> None:
    folder = "airflow_provider_elementary/page/static"
    if f"{folder}/charts.js" not in wheel.namelist():
        pytest.skip("npm's registry cannot be reached, so that the wheel was built without the script")
    licences = wheel.read(f"{folder}/licences.txt").decode()

    titles = re.findall(r"^(\S+) [\d.]+ \((.+)\)$", licences, re.MULTILINE)
    assert {("echarts", "Apache-2.0"), ("zrender", "BSD-3-Clause"), ("@dagrejs/dagre", "MIT")} <= set(titles)
    assert "Apache ECharts\nCopyright" in licences
    assert "ships no licence file" not in licences


def test_the_wheel_holds_the_example_dags_where_airflow_looks_for_those_of_providers(wheel: zipfile.ZipFile) -> None:
    examples = {f"{PACKAGE.name}/example_dags/{path.name}": path.read_text() for path in (ROOT / "dags").glob("*.py")}

    assert {name: wheel.read(name).decode() for name in wheel.namelist() if "/example_dags/" in name} == examples


def test_the_wheel_holds_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    folders = {name.split("/")[0] for name in wheel.namelist()}

    assert {name for name in folders if not name.endswith(".dist-info")} == {"airflow_provider_elementary"}


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    [name] = [name for name in wheel.namelist() if name.endswith("METADATA")]
    return message_from_bytes(wheel.read(name))


def test_the_source_distribution_holds_the_example_dags_and_the_docs(built: Path) -> None:
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {f"dags/{name}" for name in EXAMPLES} <= names
    assert {"frontend/src/charts.ts", "frontend/package-lock.json", "build_backend/backend.py"} <= names
    assert {"setup.py", "CHANGELOG.md", "SECURITY.md", "docs/security.md", "docs/dataflow.svg"} <= names


def copy_of_the_checkout(to: Path) -> Path:
    """Copy what a build reads, with git's stand-in for a symbolic link: a text file that holds its target."""
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to / name)
    for name in ("dags", "build_backend", "frontend"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    ignored = shutil.ignore_patterns("__pycache__", "example_dags")
    shutil.copytree(PACKAGE, to / PACKAGE.name, ignore=ignored)
    (to / PACKAGE.name / "example_dags").write_text("../dags")
    return to


def test_a_checkout_without_symbolic_links_builds_all_example_dags(tmp_path: Path) -> None:
    (checkout := tmp_path / "checkout").mkdir()

    finished = build(copy_of_the_checkout(checkout), tmp_path / "dist")

    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-2000:]
    [wheel] = (tmp_path / "dist").glob("*.whl")
    [source] = (tmp_path / "dist").glob("*.tar.gz")
    installed = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if "/example_dags/" in name}
    with tarfile.open(source) as archive:
        packed = {Path(name).name for name in archive.getnames() if "/dags/" in name}
    assert installed == packed == EXAMPLES | {"__init__.py"}


def test_a_checkout_without_the_example_dags_is_not_built(tmp_path: Path) -> None:
    (checkout := tmp_path / "checkout").mkdir()
    shutil.rmtree(copy_of_the_checkout(checkout) / "dags")

    finished = build(checkout, tmp_path / "dist")

    assert finished.returncode != 0
    assert "dags/ holds no example DAG." in finished.stdout + finished.stderr
    assert not list(tmp_path.glob("dist/*"))


def test_the_description_on_pypi_has_no_link_or_picture_that_needs_the_repository(metadata: Message) -> None:
    description = str(metadata.get_payload())

    targets = re.findall(r"\]\(([^)]*)\)", description)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert "![" not in description
    assert "`docs/security.md`" in description


def test_the_metadata_names_an_author_addresses_and_the_python_versions(metadata: Message) -> None:
    addresses = [line.split(", ", 1)[1] for line in metadata.get_all("Project-URL", [])]

    assert metadata["Author"] == "the authors of airflow-provider-elementary"
    assert addresses
    assert [address for address in addresses if not address.startswith("https://") or "example" in address] == []
    assert "Programming Language :: Python :: 3 :: Only" in metadata.get_all("Classifier", [])


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
def test_the_wheel_requires_what_it_was_built_for(metadata: Message, requirement: str) -> None:
    assert any(line.startswith(requirement) for line in metadata.get_all("Requires-Dist", []))


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


def test_twine_check_wheel_contents_and_pyroma_find_nothing(built: Path) -> None:
    pytest.importorskip("twine", reason="the extra release is not installed")
    from tests.release.distributions import check

    check(built)


def test_hashes_and_bill_of_materials_name_the_distributions(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx_py", reason="the extra release is not installed")
    from tests.release.distributions import install, write_bill, write_hashes

    [path] = built.glob("*.whl")
    folder = Path(shutil.copytree(built, tmp_path / "dist"))
    bill = json.loads(write_bill(folder, install(path, tmp_path / "environment", "--no-deps")).read_text())
    write_hashes(folder)

    component = bill["metadata"]["component"]
    assert (component["name"], len(component["hashes"])) == ("airflow-provider-elementary", 1)
    assert "file:" not in json.dumps(bill)
    checked = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    listed = subprocess.run(checked, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert sorted(line.removesuffix(": OK") for line in listed.splitlines()) == sorted(
        item.name for item in folder.iterdir() if item.name != "SHA256SUMS"
    )
