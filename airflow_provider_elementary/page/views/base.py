"""What every view gets and may answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.page.store_reader import Reader

T = TypeVar("T")
_LONGEST = 400


class NotHereError(ElementaryError):
    """The address names what the store does not hold."""


@dataclass(frozen=True)
class Request:
    """What a person asked for.

    :param reader: reads the store that they chose.
    :param values: the values in the address.
    """

    reader: Reader
    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """Return a value of the address; empty where it is not given."""
        return self.values.get(name, "").strip()[:_LONGEST]

    def number(self, name: str, default: int = 1) -> int:
        """Return a whole number of the address from 1 on; the default where it is none."""
        text = self.text(name)
        return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 10 else default


@dataclass(frozen=True)
class Page:
    """Where one page of a long list lies.

    :param number: from 1.
    :param size: how many a page has.
    :param total: how many there are.
    """

    number: int
    size: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(-(-self.total // self.size), 1)

    @property
    def first_row(self) -> int:
        """The place of the page's first row, from 1; 0 where there is none."""
        return min((self.number - 1) * self.size + 1, self.total)

    @property
    def last_row(self) -> int:
        """The place of the page's last row."""
        return min(self.number * self.size, self.total)


def page_of(rows: Sequence[T], number: int, size: int) -> tuple[Sequence[T], Page]:
    """Return the rows of one page; of the last one where the number is beyond it."""
    page = Page(number, size, len(rows))
    page = Page(min(number, page.last), size, len(rows))
    return rows[(page.number - 1) * size : page.number * size], page
