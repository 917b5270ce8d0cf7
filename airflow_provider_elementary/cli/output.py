"""Prints JSON to standard output, separate from what libraries print."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO

_STDOUT = 1
_STDERR = 2
_own: ContextVar[TextIO | None] = ContextVar("_own", default=None)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", colours: Mapping[str, str] | None = None
) -> None:
    """Print a table; numbers to the right, texts never truncated and never read as markup.

    :param colours: the style of a cell whose whole text this is, as of a status.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [list(row) for row in rows]
    table = Table(title=Text(title) if title else None, title_justify="left")
    for number, column in enumerate(columns):
        is_number = any(isinstance(row[number], int) for row in cells)
        # Ids and hashes are copied into the next command: a narrow terminal must not truncate them.
        table.add_column(column.replace("_", " "), overflow="fold", justify="right" if is_number else "left")
    for row in cells:
        texts = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
        table.add_row(*(Text(text, (colours or {}).get(text, "")) for text in texts))
    Console(highlight=False).print(table)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as one JSON document; what JSON cannot represent, such as infinity, becomes null."""
    text = json.dumps(_finite(value), indent=indent, default=str, ensure_ascii=False, allow_nan=False)
    print(text, file=own_output())


@contextmanager
def only_own_output() -> Iterator[None]:
    """Reserve standard output for :func:`print_json`; divert all other output to standard error.

    Libraries may hold Python's stream since their import, or write to the file descriptor: both are diverted.
    """
    stdout = sys.stdout
    stdout.flush()
    with _diverted_descriptor(stdout) as own:
        token = _own.set(own)
        sys.stdout = sys.stderr
        try:
            yield
            own.flush()
        finally:
            sys.stdout = stdout
            _own.reset(token)
            # Flush what a library wrote to Python's stream before the stream is restored.
            with suppress(OSError, ValueError):
                stdout.flush()


def own_output() -> TextIO:
    """Return the stream that :func:`only_own_output` reserves."""
    return _own.get() or sys.stdout


@contextmanager
def _diverted_descriptor(stdout: TextIO) -> Iterator[TextIO]:
    """Divert the process's standard output to standard error, and yield a stream to the original output."""
    try:
        is_own = stdout.fileno() == _STDOUT
    except (OSError, ValueError):
        is_own = False
    if not is_own:
        # A test or a notebook has replaced the stream.
        yield stdout
        return
    kept = os.dup(_STDOUT)
    try:
        os.dup2(_STDERR, _STDOUT)
        with open(kept, "w", encoding=stdout.encoding, errors=stdout.errors, closefd=False) as own:
            yield own
    finally:
        with suppress(OSError, ValueError):
            stdout.flush()
        os.dup2(kept, _STDOUT)
        os.close(kept)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name if isinstance(name, str) else str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
