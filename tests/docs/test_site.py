"""Tests that the site builds without warnings and fetches nothing."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

pytestmark = pytest.mark.docs

SECONDS = 60.0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The site, and how many seconds of a processor its build took: other tests may run beside it."""
    site = tmp_path_factory.mktemp("site")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", site / "cache", "docs", site / "html"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return site / "html", after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_site_builds_within_a_minute(built: tuple[Path, float]) -> None:
    assert built[1] < SECONDS


def test_every_page_of_the_docs_is_in_the_site(built: tuple[Path, float]) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}

    assert pages <= {path.relative_to(built[0]).with_suffix("") for path in built[0].rglob("*.html")}


def test_no_page_fetches_anything_from_another_host(built: tuple[Path, float]) -> None:
    fetched = re.compile(r'<(?:script|img|iframe)[^>]+src="https?:|<link[^>]+rel="stylesheet"[^>]+href="https?:')

    assert [page.name for page in built[0].rglob("*.html") if fetched.search(page.read_text())] == []


def test_the_reference_shows_what_the_docstrings_say(built: tuple[Path, float]) -> None:
    shown = {path.stem: re.sub(r"<[^>]+>", "", path.read_text()) for path in (built[0] / "reference").glob("*.html")}

    assert "Takes an encrypted snapshot of the Elementary schema" in shown["operators"]
    assert "airflow-elementary keys generate" in shown["commands"]
    assert "reads-outside-schema" in shown["access"]


def test_the_reference_names_every_public_operator(built: tuple[Path, float]) -> None:
    page = (built[0] / "reference" / "operators.html").read_text()
    operators = {
        name
        for path in (ROOT / "airflow_provider_elementary" / "operators").glob("*.py")
        for name in re.findall(r"^class (Elementary\w+Operator)\(", path.read_text(), flags=re.MULTILINE)
        if path.stem not in ("base", "snapshot_base")
    }

    assert {name for name in operators if f".{name}" not in page} == set()
