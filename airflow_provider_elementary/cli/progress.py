"""Shows progress on standard error: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from airflow_provider_elementary.progress import RowsRead

T = TypeVar("T")
#: Where standard error is no terminal, a line is written this often.
SECONDS = 10.0


def with_progress(items: Collection[T], doing: str) -> Iterable[T]:
    """Iterate over the items with a progress bar, which disappears at the end; without a terminal, write lines."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal:
        return _with_lines(items, doing)
    return track(items, doing, total=len(items), console=console, transient=True)


def _with_lines(items: Collection[T], doing: str) -> Iterator[T]:
    say = _every_while()
    for number, item in enumerate(items):
        say(lambda number=number: f"{doing}: {number:,} of {len(items):,}")  # type: ignore[misc]
        yield item


def _every_while() -> Callable[[Callable[[], str]], None]:
    """Return a function that writes what it is given, at most once every :data:`SECONDS`; nothing before them."""
    last = time.monotonic()

    def say(text: Callable[[], str]) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS:
            last = time.monotonic()
            print(f"airflow-elementary: {text()}", file=sys.stderr, flush=True)

    return say


@contextmanager
def counting_rows() -> Iterator[RowsRead]:
    """Show a line for each table with the number of rows read so far; the total is not known in advance.

    The lines disappear at the end. Without a terminal, a line is written every :data:`SECONDS`.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _counted_in_lines()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,} rows"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        lines: dict[str, TaskID] = {}

        def rows_read(table: str, rows: int) -> None:
            if table not in lines:
                for line in lines.values():
                    progress.stop_task(line)
                lines[table] = progress.add_task(table, total=None)
            progress.advance(lines[table], rows)

        yield rows_read


def _counted_in_lines() -> RowsRead:
    say = _every_while()
    counts: dict[str, int] = {}

    def rows_read(table: str, rows: int) -> None:
        counts[table] = counts.get(table, 0) + rows
        say(lambda: f"{table}: {counts[table]:,} rows read")

    return rows_read
