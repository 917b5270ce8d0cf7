"""The command line shows the progress of long work on a terminal, and nothing elsewhere."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.cli.progress import with_progress


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
