"""One public name of the package means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "airflow_provider_elementary"
#: Names that modules define once each, by the one idea that a caller chooses the module for.
ONE_IDEA = {
    "build": "the parameters of a template, by view",
    "build_one": "the same, for the view of one thing",
    "inspect": "the access check, by warehouse",
    "score": "the verdicts, by detection method",
    "statements": "the statements that create the reader, by warehouse",
}


def definitions(path: Path) -> Iterator[str]:
    """Yield the public classes and functions of a module."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield node.name


def defined_twice() -> Mapping[str, list[str]]:
    found = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in definitions(path):
            found[name].append(path.relative_to(PACKAGE).as_posix())
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def test_a_public_class_or_function_is_defined_once() -> None:
    """Give the new one a name of its own, or add the one idea of both above."""
    assert {name: paths for name, paths in defined_twice().items() if name not in ONE_IDEA} == {}


def test_each_exception_of_one_name_in_several_modules_is_needed() -> None:
    assert set(ONE_IDEA) <= set(defined_twice())
