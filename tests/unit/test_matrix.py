"""The matrix gives every row a result: also one that hangs, cannot resolve, or finds no package registry."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.matrix import __main__ as matrix
from tests.matrix.minimums import not_at_minimum
from tests.matrix.rows import CONSTRAINTS, ROWS, SAME_IN_EVERY_ROW, SHARED, Row

PINNED = Row("", "3.12", stopped_by="pyarrow==23.0.1")
NO_SOLUTION = "error: No solution found when resolving dependencies\n cause: Because this depends on pyarrow>=25 and\n"


@pytest.mark.parametrize(
    ("row", "log", "result"),
    [
        (PINNED, NO_SOLUTION + " pyarrow==23.0.1, this cannot be used", "unsupported: pyarrow==23.0.1"),
        (PINNED, NO_SOLUTION + " numpy==1.0, this cannot be used", "not ok: uv ended with status 1"),
        (ROWS[1], NO_SOLUTION + " pyarrow==23.0.1, this cannot be used", "not ok: uv ended with status 1"),
        (
            ROWS[1],
            "error: Failed to fetch: `https://pypi.org/simple/duckdb/`",
            "not run: the package registry does not answer (Failed to fetch)",
        ),
        (
            ROWS[1],
            "urllib3: Max retries exceeded with url: /simple/duckdb/",
            "not run: the package registry does not answer (Max retries exceeded)",
        ),
    ],
)
def test_a_row_that_is_not_installed_has_the_reason_as_its_result(
    tmp_path: Path, row: Row, log: str, result: str
) -> None:
    (tmp_path / "log").write_text(log)

    assert matrix._install_result(tmp_path / "log", "uv ended with status 1", row) == result


def test_a_command_and_what_it_started_are_ended_at_the_deadline(tmp_path: Path) -> None:
    started = time.monotonic()
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(90)'])"

    with pytest.raises(matrix.StepFailed, match="was ended at the deadline of the row"):
        matrix._run([sys.executable, "-c", program], tmp_path / "a.log", started + 2)

    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("row", "seconds", "result"),
    [
        (Row("a", "3.11"), 3, "not run to its end: the time of all rows was over in the step install"),
        (Row("a", "3.11"), 0, "not run: the other rows took the time of all"),
    ],
)
def test_a_row_for_which_no_time_is_left_says_so_and_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Row, seconds: float, result: str
) -> None:
    monkeypatch.setattr(matrix, "LOGS", tmp_path)
    monkeypatch.setattr(matrix, "_interpreter", lambda version: sys.executable)
    monkeypatch.setattr(Row, "deadline", 5)
    waits = [sys.executable, "-c", "import time; time.sleep(90)"]
    monkeypatch.setattr(matrix, "_steps", lambda *facts: {"install": [waits]})

    outcome = matrix.run_row(row, tmp_path / "a.whl", tmp_path, time.monotonic() + seconds)

    assert (outcome.result, outcome.failed) == (result, False)


def test_the_log_of_a_failed_row_is_shown_without_the_summary_of_pytest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").write_text(
        "E   assert 1 == 2\n=== short test summary info ===\nFAILED tests/a.py::b - c\n3 failed, 4 passed in 5s\n"
    )

    matrix._show(tmp_path / "log")

    assert capsys.readouterr().out == "  | E   assert 1 == 2\n"


def test_only_a_row_that_is_not_ok_counts() -> None:
    results = ["ok", "unsupported: pyarrow==23.0.1", "not run: no Python 3.13 here", "not ok: uv ended with status 1"]

    assert [matrix.Outcome(result).failed for result in results] == [False, False, False, True]


def test_a_version_above_the_declared_minimum_is_named() -> None:
    declared = {name: Requirement(f"{name}>=1.0") for name in ("exact", "higher", "absent")}

    assert not_at_minimum(declared, {"exact": "1.0.0", "higher": "1.1"}) == [
        "higher 1.1 is installed; setup.cfg declares 1.0 as the minimum",
        "absent None is installed; setup.cfg declares 1.0 as the minimum",
    ]


def test_every_constraint_file_of_a_row_is_in_the_repository() -> None:
    assert {row.constraints for row in ROWS} - {""} == {path.name for path in CONSTRAINTS.glob("*.txt")}


def test_what_rows_leave_out_is_in_the_repository() -> None:
    names = (*SAME_IN_EVERY_ROW, *SHARED)

    assert [name for name in names if not (matrix.ROOT / "tests" / "unit" / name).exists()] == []


def collected(share: str, *files: str) -> list[str]:
    """Return the tests that a row with this share runs."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "tests.matrix.share", f"--share={share}"]
    found = subprocess.run([*command, *files], cwd=matrix.ROOT, capture_output=True, text=True, check=True)
    return [line for line in found.stdout.splitlines() if "::" in line]


def test_rows_run_each_shared_test_once_and_every_other_test_each() -> None:
    shared, own = f"tests/unit/{SHARED[0]}", "tests/unit/test_quoting.py"
    shares = [collected(f"{row}/2", shared, own) for row in (1, 2)]

    every = collected("1/1", shared, own)

    assert sorted(test for tests in shares for test in tests if test.startswith(shared)) == sorted(
        test for test in every if test.startswith(shared)
    )
    assert [[test for test in tests if test.startswith(own)] for tests in (*shares, every)] == [
        [test for test in every if test.startswith(own)]
    ] * 3
    assert all(any(test.startswith(shared) for test in tests) for tests in shares)
