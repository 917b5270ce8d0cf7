"""Declares the callbacks that show progress."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


#: Called while rows are read, with the table and the number of rows since the last call.
RowsRead = Callable[[str, int], None]


class Progress(Protocol):
    """Iterates over items, each once and in order, and shows the progress."""

    def __call__(self, items: Collection[T], doing: str) -> Iterable[T]:
        """Return the items, as many as there are.

        :param doing: a label for the work.
        """


def no_progress(items: Collection[T], doing: str) -> Iterable[T]:
    """Return the items; show nothing."""
    return items


def no_row_progress(table: str, rows: int) -> None:
    """Show nothing."""
