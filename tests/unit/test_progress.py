"""The command line shows the progress of long work: as bars on a terminal, as a line now and then elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_elementary.cli import progress
from airflow_provider_elementary.cli.progress import counting_rows, progress_lines, with_progress


def test_a_terminal_shows_what_is_done_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    done = list(with_progress(["a", "b"], "Verifying files"))

    printed = capsys.readouterr()
    assert done == ["a", "b"]
    assert "Verifying files" in printed.err
    assert printed.out == ""


def test_a_program_gets_the_items_and_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    done = list(with_progress(["a", "b"], "Verifying files"))

    assert done == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_how_many_rows_of_each_table_were_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    with counting_rows() as rows_read:
        rows_read("dbt_models", 12)
        rows_read("dbt_run_results", 50_000)
        rows_read("dbt_run_results", 1_000)

    printed = capsys.readouterr()
    assert "dbt_models 12 rows" in " ".join(strip_styles(printed.err).split())
    assert "dbt_run_results 51,000 rows" in " ".join(strip_styles(printed.err).split())
    assert printed.out == ""


def test_a_program_gets_no_count_of_rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    with counting_rows() as rows_read:
        rows_read("dbt_models", 12)

    assert capsys.readouterr() == ("", "")


def test_a_program_gets_a_line_now_and_then_also_within_one_long_item(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr(progress, "SECONDS", 0.05)

    with progress_lines():
        lines = written(capsys)
        for _ in with_progress(["a", "b"], "Verifying files"):
            lines += written(capsys)
        with counting_rows() as rows_read:
            rows_read("dbt_models", 12)
            rows_read("dbt_models", 1_000)
            lines += written(capsys)
    time.sleep(0.2)

    assert list(dict.fromkeys(lines)) == [
        "airflow-elementary: working for 0 s",
        "airflow-elementary: Verifying files: 0 of 2",
        "airflow-elementary: Verifying files: 1 of 2",
        "airflow-elementary: dbt_models: 1,012 rows read",
    ]
    assert capsys.readouterr() == ("", "")


def written(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Wait for two lines, and return the last: the one before may be of the work before."""
    lines: list[str] = []
    while len(lines) < 2:
        time.sleep(0.01)
        lines += capsys.readouterr().err.splitlines()
    return lines[-1:]


def test_a_command_without_a_terminal_writes_a_line_every_ten_seconds(tmp_path: Path) -> None:
    command = (
        "import sys, time\n"
        "from airflow_provider_elementary.cli import main, progress\n"
        "assert progress.SECONDS == 10\n"
        "progress.SECONDS = 0.3\n"
        "main._example_dags = lambda arguments: time.sleep(1)\n"
        "sys.exit(main.main(['example-dags']))\n"
    )

    ended = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert ended.stdout == ""
    assert re.fullmatch(r"(airflow-elementary: working for [01] s\n)+", ended.stderr)


def strip_styles(text: str) -> str:
    """Return what a terminal shows, without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
