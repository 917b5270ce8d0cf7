"""Shows progress bars on standard error."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from airflow_provider_elementary.progress import RowsRead

T = TypeVar("T")


def with_progress(items: Collection[T], doing: str) -> Iterable[T]:
    """Iterate over the items with a progress bar, which disappears at the end; without a terminal, show none."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if not console.is_terminal:
        return items
    return track(items, doing, total=len(items), console=console, transient=True)


@contextmanager
def counting_rows() -> Iterator[RowsRead]:
    """Show a line for each table with the number of rows read so far; the total is not known in advance.

    The lines disappear at the end. Without a terminal, nothing is shown.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    from airflow_provider_elementary.progress import no_row_progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield no_row_progress
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
