"""The corpus of the SQL guard, by dialect: what passes, with its tables, and what is refused, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

_HEADER = re.compile(
    r"^-- > (?P<verdict>allowed|refused):(?P<expected>[^\[\n]*)(?:\[(?P<place>[^\]\n]*)\])?[ ]*\n", re.MULTILINE
)
_DIALECTS = re.compile(r"^-- dialects: (.*)$", re.MULTILINE)
_CODE_POINT = re.compile(r"<U\+([0-9A-F]{4,6})>")


@dataclass(frozen=True)
class Case:
    """One statement of the corpus.

    :param tables: what it reads, for a statement that passes; None for one that is refused.
    :param reason: a part of the reason, for one that is refused.
    """

    dialect: str
    line: int
    sql: str
    schema: str
    database: str | None
    tables: tuple[str, ...] | None
    reason: str

    def __str__(self) -> str:
        return f"{self.dialect}:{self.line}"


def cases(kind: str = ".") -> Iterator[Case]:
    """Yield every case, in the order of the files. A file is of the dialect of its name, or of those that it lists.

    :param kind: the folder: ``honest`` holds what analysts write, ``dangerous`` what has to be refused.
    """
    for path in sorted((HERE / kind).glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        listed = _DIALECTS.search(text)
        for dialect in listed[1].split() if listed else (path.stem,):
            yield from _read(text, dialect)


def _read(text: str, dialect: str) -> Iterator[Case]:
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        place = dict(word.split("=") for word in (header["place"] or "").split())
        # As the warehouse's catalogue spells what dbt writes.
        fold = str.upper if dialect == "snowflake" else str.lower
        database = place.get("database", fold("analytics"))
        expected = header["expected"].strip()
        names = tuple(name.strip() for name in expected.split(",") if name.strip())
        yield Case(
            dialect=dialect,
            line=text.count("\n", 0, header.start()) + 1,
            sql=_CODE_POINT.sub(lambda match: chr(int(match[1], 16)), text[header.end() : end].strip()),
            schema=place.get("schema", fold("elementary")),
            database=None if database == "none" else database,
            tables=names if header["verdict"] == "allowed" else None,
            reason=expected if header["verdict"] == "refused" else "",
        )
