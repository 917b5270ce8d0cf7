"""Describes how drivers differ where PEP 249 leaves it open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: Names the parameter of a driver that takes them by name.
_NAME = "p"


@dataclass(frozen=True)
class Driver:
    """How a warehouse's driver takes statements and returns rows.

    :param placeholder: how it marks the first bound value: ``?``, ``%s``, ``%(p1)s``, ``@p1``, or ``$`` for numbered
        ones; empty where it binds none, and values are written as SQL literals.
    :param parameters: the only container that it takes the values in.
    :param has_transactions: an error leaves a transaction that has to be rolled back; other drivers may refuse to.
    :param arrow: the cursor's method that returns the next rows as Arrow; None where its rows are Python's.
    :param batch_rows: the number of rows that are fetched, and in memory, at a time.
    :param has_sql_cursors: it fetches a whole result at once, unless SQL's own DECLARE and FETCH divide it.
    :param opening: the statements that every session begins with.
    :param has_own_session: a session class of this package reads through it as Arrow record batches.
    """

    placeholder: str = "%s"
    parameters: Literal["tuple", "list", "dict"] = "tuple"
    has_transactions: bool = True
    arrow: str | None = None
    batch_rows: int = 10_000
    has_sql_cursors: bool = False
    opening: tuple[str, ...] = ()
    has_own_session: bool = False

    @property
    def reads_arrow(self) -> bool:
        """Whether rows travel as Arrow from the driver on."""
        return self.has_own_session or self.arrow is not None

    def arguments(self, parameters: Sequence[object]) -> list[object]:
        """Return what ``execute()`` takes after the statement: nothing, or the values in their container."""
        if not parameters:
            return []
        if self.parameters == "dict":
            return [{f"{_NAME}{number}": value for number, value in enumerate(parameters, 1)}]
        return [tuple(parameters) if self.parameters == "tuple" else list(parameters)]
