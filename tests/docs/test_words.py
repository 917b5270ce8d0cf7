"""Tests that what people read uses the words of the glossary."""

from __future__ import annotations

import re

import pytest

from airflow_provider_elementary.access.check.report import CHECKS
from tests.docs.blocks import ROOT
from tests.docs.words import EXCEPTIONS, find_words


def test_every_word_is_one_of_the_glossary() -> None:
    assert [str(found) for found in find_words()] == []


def test_each_exception_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.words.EXCEPTIONS", {})

    found = {(found.path, found.word.lower()) for found in find_words(*{path for path, _ in EXCEPTIONS})}

    assert set(EXCEPTIONS) <= found


def test_the_glossary_is_in_the_order_of_the_alphabet() -> None:
    terms = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[1:]

    assert terms[1:] == sorted(terms[1:], key=lambda term: term.lower().replace(" ", ""))


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "docs/dataflow.svg", "docs/security.md"])
def test_no_page_states_the_number_of_checks(page: str) -> None:
    assert re.search(rf"\b{len(CHECKS)} (access )?(checks|proofs)", (ROOT / page).read_text()) is None
