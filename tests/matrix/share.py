"""Gives a row of the matrix its share of tests, as a plugin of pytest."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.matrix.rows import SHARED

SHARED_FILES = {Path(__file__).parents[1] / "unit" / name for name in SHARED}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the share of a row: ``2/3`` is the second of three."""
    parser.addoption("--share", required=True, metavar="ROW/ROWS")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what other rows run of the shared files."""
    row, rows = map(int, config.getoption("share").split("/"))
    counts = Counter[Path]()
    kept, left_out = [], []
    for item in items:
        is_own = item.path not in SHARED_FILES or counts[item.path] % rows == row - 1
        (kept if is_own else left_out).append(item)
        counts[item.path] += 1
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)
