"""The suite gives the same result in every environment, and reports what it skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_elementary"
UNIT = ROOT / "tests" / "unit"
#: Files and folders of tests/unit that mirror no module, and what they are about instead.
NO_MODULE = {
    "benchmarks": "tests/benchmarks",
    "dags": "the example DAGs in dags/",
    "deploy": "the examples of deployments",
    "release": "tests/release",
    "test_dependencies.py": "setup.cfg",
    "test_frontend.py": "the build of the page's script",
    "test_imports.py": "the order of all modules",
    "test_matrix.py": "tests/matrix",
    "test_names.py": "the public names of all modules",
    "test_package.py": "the wheel",
    "test_suite.py": "the tests themselves",
}


def mirrored(test: Path) -> Path | None:
    """Return the module or package that a test names, as test_<module>.py or test_<module>_<subject>.py."""
    folder = PACKAGE / test.parent.relative_to(UNIT)
    words = test.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    found = [path for name in names for path in (folder / f"{name}.py", folder / name / "__init__.py")]
    if folder != PACKAGE:
        # A folder of tests may stand for the folders inside its package too.
        found += [path for name in names for path in folder.glob(f"*/{name}.py")]
    return next((path for path in found if path.is_file()), None)


def pytest_run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_tests_of_the_terminal_pass_on_a_narrow_dumb_terminal_in_another_zone(tmp_path: Path) -> None:
    ended = pytest_run(
        "tests/unit/test_progress.py",
        TERM="dumb",
        COLUMNS="20",
        NO_COLOR="1",
        TZ="Asia/Kolkata",
        LC_ALL="tr_TR.UTF-8",
        HOME=str(tmp_path),
    )

    assert ended.returncode == 0, ended.stdout


def test_what_was_skipped_is_said_in_one_line_with_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "test_skips.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('number', range(3))\n"
        "def test_needs(number): pytest.skip('Chromium is not installed')\n"
        "@pytest.mark.skipif(True, reason='root may write everywhere')\n"
        "def test_rights(): pass\n"
    )

    ended = pytest_run(str(tmp_path), "--confcutdir", "/", "-p", "tests.conftest", "--rootdir", str(ROOT))

    assert "not run: 3 because Chromium is not installed; 1 because root may write everywhere" in ended.stdout


def test_a_test_that_hangs_ends_with_its_stack(tmp_path: Path) -> None:
    (tmp_path / "test_hang.py").write_text("import time\ndef test_for_an_hour():\n    time.sleep(3600)\n")

    ended = pytest_run(str(tmp_path), "-c", str(ROOT / "pyproject.toml"), "-o", "faulthandler_timeout=0.5")

    assert ended.returncode == 1
    assert 'test_hang.py", line 3 in test_for_an_hour' in ended.stderr


def test_each_unit_test_names_a_module_of_the_package_or_has_a_reason() -> None:
    """Name a test as its module, ``test_<module>.py`` or ``test_<module>_<subject>.py``, or add a reason above."""
    without = [path.relative_to(UNIT) for path in UNIT.rglob("test_*.py") if mirrored(path) is None]

    assert [path.as_posix() for path in without if path.parts[0] not in NO_MODULE] == []
