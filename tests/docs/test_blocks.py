"""Tests that every block of code in the documentation runs or is well formed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import ROOT, Block, all_blocks, blocks_of, inline_code, pages
from tests.docs.commands import check_own_command
from tests.docs.running import CHECKS, RUNNERS, has_own_test, is_checked, is_code, is_dag, is_run

BLOCKS = all_blocks()
EXEMPT = [block for block in BLOCKS if block.reason is not None]

_SERVERS = {"new_bucket": "s3", "bucket": "s3", "taken_bucket": "s3", "postgres": "postgres", "snowflake": "snowflake"}


def with_marks(blocks: Iterable[Block]) -> list[Any]:
    return [pytest.param(block, marks=_marks(block), id=str(block)) for block in blocks]


def _marks(block: Block) -> list[pytest.MarkDecorator]:
    marks = [getattr(pytest.mark, _SERVERS[name]) for name in block.fixtures if name in _SERVERS]
    return [*marks, pytest.mark.dag] if is_dag(block) and block.to_run else marks


@pytest.mark.parametrize("block", with_marks(filter(is_run, BLOCKS)))
def test_a_block_runs_and_prints_what_the_page_shows(
    block: Block,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = scene(block, request)
    monkeypatch.chdir(tmp_path)

    printed = RUNNERS["dag" if is_dag(block) else block.language](source, tmp_path, request, capsys)

    shown = output_of(block)
    assert shown is None or re.fullmatch(as_pattern(shown), printed.strip(), re.DOTALL), printed


@pytest.mark.parametrize("block", with_marks(filter(is_checked, BLOCKS)))
def test_a_block_that_is_not_run_is_well_formed(
    block: Block, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CHECKS[block.language](scene(block, request), tmp_path, monkeypatch)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_command_in_a_sentence_exists(page: Path) -> None:
    commands = [code.split()[1:] for code in inline_code(page) if code.startswith("airflow-elementary ")]

    for words in commands:
        check_own_command([*words, "--help"])


def test_every_block_is_run_or_checked_or_says_why_not() -> None:
    neither = [
        str(block)
        for block in BLOCKS
        if is_code(block) and not (is_run(block) or is_checked(block) or has_own_test(block) or block.reason)
    ]

    assert neither == []


def test_few_blocks_are_exempt_and_each_says_why() -> None:
    code = [block for block in BLOCKS if is_code(block)]

    assert all(len(str(block.reason).split()) >= 4 for block in EXEMPT)
    assert len(EXEMPT) <= len(code) / 10


def scene(block: Block, request: pytest.FixtureRequest) -> str:
    """Set the block up, and return the source with the names of its fixtures."""
    earlier = [other.source for other in block.before if other.language == block.language] if block.continues else []
    source = "\n".join([*earlier, block.source])
    for name in block.fixtures:
        set_up = request.getfixturevalue(name)
        for written, real in set_up.items() if isinstance(set_up, dict) else ():
            source = source.replace(written, real)
    return source


def output_of(block: Block) -> str | None:
    """Return the output that the page shows right below the block, if it does."""
    following = [other for other in blocks_of(ROOT / block.page) if other.line > block.line]
    return following[0].source if following and following[0].language == "text" else None


def as_pattern(shown: str) -> str:
    """Return a pattern: … stands for anything."""
    return ".*?".join(map(re.escape, shown.strip().split("…")))
