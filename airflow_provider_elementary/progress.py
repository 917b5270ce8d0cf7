"""How the items of long work are gone through: plainly, or by whoever shows the progress to a person."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


#: Is told of rows as they are read: the table, and how many came since it was told last.
RowsRead = Callable[[str, int], None]


class Progress(Protocol):
    """Goes through the items of long work, each once and in their order."""

    def __call__(self, items: Collection[T], doing: str) -> Iterable[T]:
        """Return the items, as many as there are.

        :param doing: what is done with them, for people.
        """


def no_progress(items: Collection[T], doing: str) -> Iterable[T]:
    """Go through the items and show nothing."""
    return items


def no_row_progress(table: str, rows: int) -> None:
    """Show nothing of rows that are read."""
