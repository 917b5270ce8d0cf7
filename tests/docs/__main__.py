"""Counts the blocks of the documentation by how they are tested: ``python -m tests.docs``."""

from __future__ import annotations

from collections import Counter

from tests.docs.blocks import Block, all_blocks
from tests.docs.running import has_own_test, is_checked, is_code, is_dag, is_run


def fate(block: Block) -> str:
    """Say in a word what becomes of a block."""
    if block.reason is not None:
        return "exempt"
    if not is_code(block):
        return "directive, run by the site's build" if block.language.startswith("{") else "text"
    if is_run(block) or has_own_test(block):
        return "run"
    return "checked" if is_checked(block) else "NEITHER"


def main() -> None:
    """Print the counts, and the reason of each exemption."""
    blocks = all_blocks()
    counts = Counter((fate(block), "python, a DAG" if is_dag(block) else block.language) for block in blocks)
    for (found, language), count in sorted(counts.items()):
        if not language.startswith("{"):
            print(f"{count:4} {found:8} {language or 'no language'}")
    directives = sum(count for (_, language), count in counts.items() if language.startswith("{"))
    print(f"{directives:4} directives, which the site's build runs")
    for block in blocks:
        if block.reason is not None:
            print(f"exempt: {block}: {block.reason}")


if __name__ == "__main__":
    main()
