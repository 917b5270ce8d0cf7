"""The suite gives the same result in every environment, and reports what it skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
