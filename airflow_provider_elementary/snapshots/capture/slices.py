"""Names what to capture: a table, or a watermark range of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_provider_elementary.warehouses.watermarks import Undated


@dataclass(frozen=True)
class Slice:
    """A table, or the rows of it from one time until before another.

    The slices of one table have every row in one of them: the first one has those without a watermark too.

    :param since: the first watermark in it, or None for all before ``until``.
    :param until: the first watermark that is not in it, or None for all from ``since`` on.
    :param rows_of_table: of a range, how many rows with a time the whole table had when it was split.
    """

    table: str
    since: datetime | None = None
    until: datetime | None = None
    rows_of_table: int = 0

    def __str__(self) -> str:
        if not self.is_range:
            return self.table
        return f"{self.table} from {self.since or 'the beginning'} until {self.until or 'the end'}"

    @property
    def is_range(self) -> bool:
        """Whether other slices have the rest of the table."""
        return self.since is not None or self.until is not None

    @property
    def undated(self) -> Undated | None:
        """Which rows without a watermark a range has; None for a whole table."""
        if not self.is_range:
            return None
        return Undated.NULL if self.since is None else Undated.NONE
