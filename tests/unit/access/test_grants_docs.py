"""The page on grants shows what the command prints; the command reads its words as the page writes them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from airflow_provider_elementary.access.grants import DIALECTS
from airflow_provider_elementary.cli.main import main
from tests.support.over_grants import OVER_GRANTS
from tests.support.tight_roles import TIGHT
from tests.unit.access.corpus import cases

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "grants.md").read_text()
SHOWN = re.findall(r"```sh\n(airflow-elementary grants (\w+).*?)\n```\n\n```text\n(.*?)\n```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), [(command, shown) for command, _, shown in SHOWN])
def test_a_command_prints_what_the_page_shows(command: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command.replace("\\\n", " "))

    status = main(words[1:])

    assert (status, capsys.readouterr().out.strip()) == (0, shown.strip())


def test_every_warehouse_with_grants_is_on_the_page() -> None:
    assert {dialect for _, dialect, _ in SHOWN} == set(DIALECTS)


def test_the_page_on_security_counts_the_rights_that_are_tested() -> None:
    page = " ".join((DOCS / "security.md").read_text().split())

    extensions = len({name for sql in TIGHT.values() for name in re.findall(r'CREATE EXTENSION "?([\w-]+)', sql)})
    assert f"one of {len(OVER_GRANTS)} further rights" in page
    assert f"Another {len(TIGHT)} databases lend the role nothing, with {extensions} extensions among them" in page


def test_the_page_on_security_counts_the_queries_that_are_tested() -> None:
    page = " ".join((DOCS / "security.md").read_text().split())
    honest, dangerous = list(cases("honest")), list(cases("dangerous"))

    refused = sum(case.tables is None for case in honest)
    dialects = len({case.dialect for case in honest})
    assert f"Of {len(honest)} queries of {dialects} dialects that an analyst would write" in page
    assert f"the guard refuses {refused};" in page
    assert f"Of {len(dangerous)} statements" in page
