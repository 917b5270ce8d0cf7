"""Shows progress on standard error: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from airflow_provider_elementary.progress import RowsRead

T = TypeVar("T")
#: Where standard error is no terminal, a line is written this often.
SECONDS = 10.0
#: Return what is done, the innermost work last.
_works: list[Callable[[], str]] = []


@contextmanager
def progress_lines() -> Iterator[None]:
    """Write a line with what is done every :data:`SECONDS` until the block ends, where standard error is no terminal.

    Work that does not say how far it is has a line with the seconds since its beginning.
    """
    if sys.stderr is None or sys.stderr.isatty():
        yield
        return
    ended, begun = Event(), time.monotonic()

    def write() -> None:
        while not ended.wait(SECONDS):
            works = _works[-1:] or [lambda: f"working for {time.monotonic() - begun:,.0f} s"]
            print(f"airflow-elementary: {works[0]()}", file=sys.stderr, flush=True)

    thread = Thread(target=write, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _said_by(work: Callable[[], str]) -> Iterator[None]:
    _works.append(work)
    try:
        yield
    finally:
        _works.remove(work)


def with_progress(items: Collection[T], doing: str) -> Iterable[T]:
    """Iterate over the items with a progress bar, which disappears at the end; without a terminal, write lines."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal:
        return _with_lines(items, doing)
    return track(items, doing, total=len(items), console=console, transient=True)


def _with_lines(items: Collection[T], doing: str) -> Iterator[T]:
    done = 0
    with _said_by(lambda: f"{doing}: {done:,} of {len(items):,}"):
        for item in items:
            yield item
            done += 1


@contextmanager
def counting_rows() -> Iterator[RowsRead]:
    """Show a line for each table with the number of rows read so far; the total is not known in advance.

    The lines disappear at the end. Without a terminal, a line is written every :data:`SECONDS`.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        with _counted_in_lines() as rows_read:
            yield rows_read
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


@contextmanager
def _counted_in_lines() -> Iterator[RowsRead]:
    counts = {"": 0}
    newest = ""

    def rows_read(table: str, rows: int) -> None:
        nonlocal newest
        newest, counts[table] = table, counts.get(table, 0) + rows

    with _said_by(lambda: f"{newest}: {counts[newest]:,} rows read" if newest else "no rows read yet"):
        yield rows_read
