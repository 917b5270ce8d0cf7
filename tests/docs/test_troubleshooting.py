"""Tests that the sentences of ours that the troubleshooting page quotes are in the code."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
#: What Airflow and its UI say.
SECTION_OF_AIRFLOW = PAGE.index("## Airflow's own sentences")
OF_AIRFLOW = ("Bad Request", "Unpause on trigger", "host or port differs")
QUOTED = [
    sentence
    for sentence in re.findall(r'^\| [^|]*?"([^"|]+)"', PAGE[:SECTION_OF_AIRFLOW], re.MULTILINE)
    if sentence not in OF_AIRFLOW
]


@cache
def texts() -> list[str]:
    """Return every text of the package, with … in place of what is filled in."""
    found = []
    for path in (ROOT / "airflow_provider_elementary").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


@pytest.mark.parametrize("sentence", QUOTED)
def test_a_quoted_sentence_is_one_of_the_code(sentence: str) -> None:
    pattern = re.compile(".*".join(re.escape(part) for part in sentence.split("…")), re.DOTALL)

    assert any(pattern.search(text) for text in texts()), sentence


def test_the_page_quotes_errors_of_every_part() -> None:
    assert len(QUOTED) >= 20
