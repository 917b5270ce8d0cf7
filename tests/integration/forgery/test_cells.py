"""The table of attacks names tests that exist, has a cell for every command, and every test of this folder."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.integration.forgery.cells import ATTACKS, COMMANDS, Attack, cells

TESTS = Path(__file__).parents[2]


@cache
def functions_of(name: str) -> frozenset[str]:
    """Return the tests of a file, each with its class."""
    folder, _, module = name.rpartition("/")
    tree = ast.parse((TESTS / folder / f"test_{module}.py").read_text())
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return frozenset(each for each in found if each.rpartition("::")[2].startswith("test_"))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.done)
def test_every_command_has_a_test_that_exists_or_a_reason(attack: Attack) -> None:
    found = cells(attack)

    assert set(found) == set(COMMANDS)
    for cell in found.values():
        for named in cell if isinstance(cell, tuple) else ():
            name, _, test = named.partition("::")
            assert test in functions_of(name)


def test_every_test_of_the_folder_is_in_the_table() -> None:
    named = {test for attack in ATTACKS for cell in attack.tests.values() for test in cell}
    own = Path(__file__)
    there = {
        f"integration/forgery/{path.stem.removeprefix('test_')}::{test}"
        for path in own.parent.glob("test_*.py")
        if path != own
        for test in functions_of(f"integration/forgery/{path.stem.removeprefix('test_')}")
    }

    assert there - named == set()
