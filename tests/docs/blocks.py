"""Finds the code blocks of the documentation, and how each is tested.

A comment right before a block says how::

    <!-- run with: sample, keys -->        fixtures that set it up; the block is then run for real
    <!-- continues; run with: sample -->   as above, after the blocks of the same language before it on its page
    <!-- check with: dbt_project -->       fixtures that set it up; the block is then checked, not run
    <!-- name: writer -->                  name by which another test finds and runs the block
    <!-- not run: why -->                  neither run nor checked

Without one, a block is checked by its language: see ``test_blocks.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
_COMMENT = re.compile(r"\s*<!--\s*(.*?)\s*-->\s*", re.DOTALL)
_MARKDOWN = MarkdownIt()


@dataclass(frozen=True)
class Block:
    """One block of code.

    :param page: the file, relative to the repository.
    :param line: where it begins.
    :param language: as in ``python``; indented blocks are commands.
    :param source: the code.
    :param fixtures: what sets it up.
    :param to_run: whether its comment asks to run it.
    :param name: how a test of its own finds it, or empty.
    :param continues: whether it continues where the blocks before it ended.
    :param reason: why it is not run, or None.
    :param before: the blocks before it on its page, oldest first.
    """

    page: str
    line: int
    language: str
    source: str
    fixtures: tuple[str, ...]
    to_run: bool
    name: str
    continues: bool
    reason: str | None
    before: tuple[Block, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page that people read, the README first."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def all_blocks() -> list[Block]:
    """Every block of every page."""
    return [block for page in pages() for block in blocks_of(page)]


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of one page, in order."""
    before: list[Block] = []
    said = ""
    for token in _MARKDOWN.parse(page.read_text()):
        if token.type == "html_block":
            comment = _COMMENT.fullmatch(token.content)
            said = comment.group(1) if comment else ""
            continue
        if token.type in ("fence", "code_block"):
            assert token.map is not None
            block = Block(
                page=page.relative_to(ROOT).as_posix(),
                line=token.map[0] + 1,
                language=token.info.strip() or ("sh" if token.type == "code_block" else ""),
                source=token.content,
                before=tuple(before),
                **_wishes(said),
            )
            before.append(block)
            yield block
        said = ""


def inline_code(page: Path) -> list[str]:
    """Return what stands between single backticks."""
    tokens = (child for token in _MARKDOWN.parse(page.read_text()) for child in token.children or ())
    return [token.content for token in tokens if token.type == "code_inline"]


def _wishes(comment: str) -> dict[str, Any]:
    wishes: dict[str, Any] = {"fixtures": (), "to_run": False, "name": "", "continues": False, "reason": None}
    for wish in [comment] if comment.startswith("not run:") else comment.split(";"):
        kind, _, value = wish.strip().partition(":")
        words = tuple(re.split(r"[,\s]+", value.strip()))
        match kind:
            case "run with" | "check with":
                wishes |= {"fixtures": words, "to_run": kind == "run with"}
            case "name":
                wishes["name"] = value.strip()
            case "continues":
                wishes["continues"] = True
            case "not run":
                wishes["reason"] = " ".join(words)
    return wishes
