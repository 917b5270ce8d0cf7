"""Each alert names the section of the docs that says what to do."""

from __future__ import annotations

import re
from email.message import Message
from typing import get_args

import pytest

from airflow_provider_elementary.alerts import runbook
from airflow_provider_elementary.alerts.runbook import RUNBOOK, link_of
from airflow_provider_elementary.incidents.conditions import Kind
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def metadata_with(*addresses: str) -> Message:
    found = Message()
    for address in addresses:
        found.add_header("Project-URL", address)
    return found


def test_every_kind_of_condition_has_an_entry() -> None:
    assert set(RUNBOOK) == set(get_args(Kind))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_section_of_each_kind_says_what_it_means_and_what_to_do(kind: Kind) -> None:
    section = re.search(rf"^## {re.escape(RUNBOOK[kind].section)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)

    assert section is not None
    assert [word for word in ("**It means**", "**Look at**", "**Do**") if word not in section[1]] == []


@pytest.mark.parametrize("base", ["https://docs.example.com/elementary", "https://docs.example.com/elementary/ "])
def test_the_link_is_below_the_address_of_the_docs(base: str) -> None:
    assert link_of("source_freshness", base) == "https://docs.example.com/elementary/runbook.html#a-source-is-late"


def test_without_an_address_page_and_section_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runbook, "metadata", lambda _: metadata_with("Elementary, https://docs.elementary-data.com/"))

    assert link_of("run") == "docs/runbook.md, section 'A model does not run'"


def test_the_address_of_the_metadata_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runbook, "metadata", lambda _: metadata_with("Documentation, https://docs.example.com/x/"))

    assert link_of("sync") == "https://docs.example.com/x/runbook.html#the-sync-failed-or-is-overdue"
