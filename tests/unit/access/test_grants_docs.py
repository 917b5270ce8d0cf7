"""The page on grants shows what the command prints; the command reads its words as the page writes them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from airflow_provider_elementary.access.grants import DIALECTS
from airflow_provider_elementary.cli.main import main

PAGE = (Path(__file__).parents[3] / "docs" / "grants.md").read_text()
SHOWN = re.findall(r"```sh\n(airflow-elementary grants (\w+).*?)\n```\n\n```text\n(.*?)\n```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), [(command, shown) for command, _, shown in SHOWN])
def test_a_command_prints_what_the_page_shows(command: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command.replace("\\\n", " "))

    status = main(words[1:])

    assert (status, capsys.readouterr().out.strip()) == (0, shown.strip())


def test_every_warehouse_with_grants_is_on_the_page() -> None:
    assert {dialect for _, dialect, _ in SHOWN} == set(DIALECTS)
