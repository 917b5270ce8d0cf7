"""Finds words outside the glossary in code, texts and docs."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What people read: code with its identifiers, comments and texts, templates, forms, documentation.
READ = (
    *("airflow_provider_elementary", "build_backend", "dags", "deploy", "docs", "frontend", "tests"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "setup.cfg", "setup.py", ".ci/run"),
)

#: A word or phrase that has a standard term, and that term.
BANNED = {
    "anew": "from scratch, again",
    "behoves?": "should",
    "examination": "findings",
    "examine[sd]?": "inspect",
    "forgets?|forgot|forgotten": "discard",
    "goes on|go on|went on|going on": "continue, resume",
    "held back|hold back|holds back": "excluded, redacted",
    "hinge": "interface",
    "door": "adapter",
    "holes?": "excess privilege, finding, gap",
    "in reach": "reachable",
    "judge[sd]?|judging|judge?ments?": "evaluate, score",
    "learnt": "learned",
    "left behind|leaves behind|leave behind": "excluded",
    "likewise": "same",
    "lookalike": "look-alike",
    "mend(s|ed|ing)?": "fix, remediation",
    "news": "new invocations, pending notifications",
    "overtaken": "conflicting",
    "remember(s|ed|ing)?": "load, save, state",
    "restraint": "cooldown",
    "rests": "is stored",
    "rhythms?": "frequency, bucket size",
    "rivals?": "alternative hypotheses, alternatives",
    "seal(s|ed|ing)?": "encrypt",
    "shelf": "bounded queue",
    "sings?": "run, read_all",
    "so many": "the number of, N",
    "strangers?": "unknown columns, foreign objects",
    "(?<!cannot )(?<!CANNOT_)tell(s|ing)?|told|untold": "say, notify",
    "tidings": "pending notifications",
    "unheard": "no progress",
    "vouch(es|ed|ing)?": "authenticate",
    "whoever": "anyone who",
    "withdrawn|withdraws?": "expired",
    "withh(e|o)lds?|withheld": "excluded",
}
#: Words that are wrong as part of a name alone: in prose they have another meaning.
BANNED_NAMES = {
    "cut|cuts": "consistency point",
    "tries|try": "attempt",
    "recall": "load",
    "plainly": "no_progress",
    "catalogue": "system catalog",
    "story": "summary",
    "memory|memories": "model state",
}
#: Where a word is right, by path and word: a term of the field, a name that others gave, a quotation.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("airflow_provider_elementary/storage/encrypted_parquet.py", "memory in default_memory_pool"): "a name of pyarrow",
    ("airflow_provider_elementary/page/arrow_pool.py", "memory in default_memory_pool"): "a name of pyarrow",
    ("airflow_provider_elementary/anomalies/metric_stream.py", "memory in default_memory_pool"): "a name of pyarrow",
    ("airflow_provider_elementary/storage/file_binding.py", "tell"): "a method of Python's files",
    ("airflow_provider_elementary/elementary_schema/json_text.py", "memory in memoryerror"): "a name of Python",
    ("tests/benchmarks/comparison.py", "tell"): "a method of Python's files",
    ("airflow_provider_elementary/", "tell in cannot_tell"): "an outcome of the glossary",
    ("tests/", "tell in cannot_tell"): "an outcome of the glossary",
    ("tests/unit/incidents/test_dbt_conditions.py", "unheard"): "of a run that was never heard of",
    ("tests/support/supervised_task.py", "try in try_number"): "a name of Airflow",
}

_PROSE = re.compile(r"(?<![\w])(?:" + "|".join(f"(?:{word})" for word in BANNED) + r")(?![\w])", re.IGNORECASE)
_NAME = re.compile(r"(?:" + "|".join(f"(?:{word})" for word in (*BANNED, *BANNED_NAMES)) + r")\Z", re.IGNORECASE)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Found:
    """One word that has a standard term."""

    path: str
    line: int
    word: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word}"


def find_words(*folders: str) -> list[Found]:
    """Return every banned word below the given folders; all that people read by default."""
    found = []
    for path in _files(folders or READ):
        name = path.relative_to(ROOT).as_posix()
        of_name = [(0, part) for part in path.stem.lower().split("_") if _NAME.match(part)]
        for line, word in (*of_name, *_words_of(path)):
            if not any(name.startswith(place) and word.lower() == right for place, right in EXCEPTIONS):
                found.append(Found(name, line, word))
    return found


_SUFFIXES = frozenset({".py", ".md", ".html", ".sql", ".svg", ".ts", ".js", ".mjs", ".css", ".tf", ".j2"})


def _files(folders: tuple[str, ...]) -> Iterator[Path]:
    this = Path(__file__).resolve()
    for folder in folders:
        start = ROOT / folder
        paths = [start] if start.is_file() else sorted(start.rglob("*"))
        for path in paths:
            unread = {"node_modules", "__pycache__", "project", "corpus", "static", ".terraform"} & set(path.parts)
            if (path == start or path.suffix in _SUFFIXES) and path.is_file() and not unread and path.resolve() != this:
                yield path


def _words_of(path: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from _in_prose(text, 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            for part in _PARTS.findall(token.string):
                if _NAME.match(part) and token.string not in ("try",):
                    yield token.start[0], part if part == token.string else f"{part} in {token.string}"
        elif token.type == tokenize.COMMENT or token.type in _TEXTS:
            yield from _in_prose(token.string, token.start[0])


_TEXTS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def _in_prose(text: str, first: int) -> Iterator[tuple[int, str]]:
    for match in _PROSE.finditer(text):
        yield first + text.count("\n", 0, match.start()), match.group()


if __name__ == "__main__":
    words = find_words(*sys.argv[1:])
    print(*words, sep="\n")
    print(f"{len(words)} words that have a standard term")
