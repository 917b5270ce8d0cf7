"""Tests that CONTRIBUTING.md shows the folders, their order and files that exist."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import ROOT, blocks_of
from tests.unit.test_imports import ORDER

PACKAGE = ROOT / "airflow_provider_elementary"
PAGE = ROOT / "CONTRIBUTING.md"
BLOCKS = {block.name: block.source for block in blocks_of(PAGE) if block.name}


def test_the_order_is_the_one_that_a_test_asserts() -> None:
    shown = [tuple(line.split(", ")) for line in BLOCKS["contributing-order"].splitlines()]

    assert shown == list(ORDER)


def test_the_folders_are_those_of_the_package() -> None:
    shown = {
        name
        for line in BLOCKS["contributing-folders"].splitlines()
        for name in re.findall(r"^\w+|(?<=/ )\w+(?=/)", line)
    }

    assert shown == {path.parent.name for path in PACKAGE.glob("*/__init__.py") if path.parent.name != "example_dags"}


@pytest.mark.parametrize("cell", re.findall(r"^\| [^|]+ \| \d+[^|]* \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
def test_the_files_of_a_change_exist(cell: str) -> None:
    """Only whole paths are looked up; ``test_grants.py`` alone is short for one of tests/."""
    paths = re.findall(r"`([\w./]+/[\w./]+\.(?:py|md))`", cell)

    assert [path for path in paths if not any((root / path).exists() for root in (ROOT, PACKAGE))] == []
