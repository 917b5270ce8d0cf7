"""Defines the request and the pagination of views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.page.store_reader import StoreReader
from airflow_provider_elementary.page.store_status import StoreStatus, attempt
from airflow_provider_elementary.project.facts import Test
from airflow_provider_elementary.project.outcomes import Outcomes, all_tests

if TYPE_CHECKING:
    from airflow_provider_elementary.project.usage import ProjectUsage

T = TypeVar("T")
_LONGEST = 400


class NotHereError(ElementaryError):
    """The address names something that the store does not hold."""


@dataclass(frozen=True)
class Request:
    """A request of a person.

    :param reader: of the selected store.
    :param values: the values in the address.
    """

    reader: StoreReader
    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """Return a value of the address; empty where it is not given."""
        return self.values.get(name, "").strip()[:_LONGEST]

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        """Return a value of the address that is one of these; empty for any other."""
        text = self.text(name)
        return text if text in allowed else ""

    def number(self, name: str, default: int = 1) -> int:
        """Return a whole number of the address from 1 on; the default for anything else."""
        text = self.text(name)
        return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 10 else default


@dataclass(frozen=True)
class ListPage:
    """The position of one page in a long list.

    :param number: from 1.
    :param size: rows per page.
    :param total: number of rows.
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
        """The number of the page's first row, from 1; 0 in an empty list."""
        return min((self.number - 1) * self.size + 1, self.total)

    @property
    def last_row(self) -> int:
        """The number of the page's last row."""
        return min(self.number * self.size, self.total)


def page_of(rows: Sequence[T], number: int, size: int) -> tuple[Sequence[T], ListPage]:
    """Return the rows of one page; of the last one where the number is beyond it."""
    page = ListPage(number, size, len(rows))
    page = ListPage(min(number, page.last), size, len(rows))
    return rows[(page.number - 1) * size : page.number * size], page


def outcomes_of(reader: StoreReader, store_status: StoreStatus, problems: list[str]) -> Outcomes | None:
    """Return the outcomes of the newest snapshot; None without one or its keys. What is missing is a problem."""
    manifest = store_status.manifest
    if manifest is None or store_status.project is None:
        return None
    found = attempt(problems, reader.uri, lambda: reader.outcomes(manifest))
    problems.extend(found.missing if found else ())
    return found


def usage_of_history(reader: StoreReader, problems: list[str]) -> ProjectUsage | None:
    """Return the usage that the query history shows; None where it is not taken. What is missing is a problem."""

    def read() -> ProjectUsage | None:
        from airflow_provider_elementary.project.usage import read_usage

        results = reader.results("usage") if reader.has_keys else []
        if not results:
            return None
        newest = results[0]
        return reader.derived.get(
            ("usage", newest.key, newest.created_at), lambda: read_usage(reader.opened.repository, newest)
        )

    return attempt(problems, reader.uri, read)


def every_test(reader: StoreReader, outcomes: Outcomes | None) -> Sequence[Test]:
    """Return every test of every table, those that fail first; made once of the outcomes of a snapshot."""
    if outcomes is None:
        return ()
    return reader.derived.get(("every test", outcomes), lambda: all_tests(outcomes))
