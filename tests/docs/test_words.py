"""Tests that what people read uses the words of the glossary."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from airflow_provider_elementary.access.check.report import CHECKS
from tests.docs.blocks import ROOT
from tests.docs.words import EXCEPTIONS, find_words


def test_every_word_is_one_of_the_glossary() -> None:
    assert [str(found) for found in find_words()] == []


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "airflow_provider_elementary").rglob("*.py")),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_a_module_says_what_it_does_in_at_most_twelve_words(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    summary = docstring.split("\n\n")[0].replace("\n", " ")

    assert "example_dags" in path.parts or (len(summary.split()) <= 12 and ";" not in summary), summary


def test_a_test_is_named_in_at_most_eighty_characters() -> None:
    names = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert [name for name in names if len(name) > 80] == []


def test_each_exception_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.words.EXCEPTIONS", {})

    found = {(found.path, found.word.lower()) for found in find_words()}

    unneeded = {
        (place, right)
        for place, right in EXCEPTIONS
        if not any(path.startswith(place) and word == right for path, word in found)
    }
    assert unneeded == set()


def test_the_glossary_is_in_the_order_of_the_alphabet() -> None:
    terms = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[1:]

    assert terms[1:] == sorted(terms[1:], key=lambda term: term.lower().replace(" ", ""))


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "docs/dataflow.svg", "docs/security.md"])
def test_no_page_states_the_number_of_checks(page: str) -> None:
    assert re.search(rf"\b{len(CHECKS)} (access )?(checks|proofs)", (ROOT / page).read_text()) is None
