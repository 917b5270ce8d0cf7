"""Shows all tests, filtered by text, result and dimension."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_elementary.elementary_schema.statuses import meaning_of
from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import ListPage, Request, every_test, outcomes_of, page_of
from airflow_provider_elementary.project.facts import Test

_PAGE = 50
#: What a test's newest result may be, in words.
LEVELS = ("failing", "warning", "skipped", "good", "no recent result")
_ORDERS: Mapping[str, tuple[str, Callable[[Test], Any]]] = {
    "": ("failing first", lambda test: 0),
    "rate": ("fail rate", lambda test: -(test.fail_rate or 0)),
    "changed": ("last change", lambda test: -(test.changed_at or datetime.min).toordinal()),
    "name": ("name", lambda test: test.name),
}


@dataclass(frozen=True)
class Tests:
    """What the template ``tests.html`` shows.

    :param counts: number of tests by the level of their newest result.
    :param dimensions: that tests name.
    """

    __test__ = False

    store_status: StoreStatus
    tests: tuple[Test, ...]
    counts: Mapping[str, int]
    dimensions: tuple[str, ...]
    search: str
    level: str
    dimension: str
    order: str
    orders: Mapping[str, str]
    pagination: ListPage
    problems: tuple[str, ...]


def build(request: Request) -> Tests:
    """Return one page of the tests that match."""
    store_status = load_store_status(request.reader)
    problems = list(store_status.problems)
    outcomes = outcomes_of(request.reader, store_status, problems)
    project = store_status.project
    every = [test for test in every_test(request.reader, outcomes) if not project or test.table not in project.own]
    search, dimension = request.text("q"), request.text("dimension")
    level, order = request.one_of("level", LEVELS), request.one_of("order", tuple(_ORDERS))
    words = search.lower().split()
    wanted = [
        test
        for test in every
        if (not level or level_of(test) == level)
        and (not dimension or (test.dimension or "").lower() == dimension)
        and all(word in f"{test.name} {test.kind} {test.table} {test.column or ''}".lower() for word in words)
    ]
    shown, page = page_of(sorted(wanted, key=_ORDERS[order][1]), request.number("page"), _PAGE)
    return Tests(
        store_status=store_status,
        tests=tuple(shown),
        counts=Counter(map(level_of, every)),
        dimensions=tuple(sorted({test.dimension.lower() for test in every if test.dimension})),
        search=search,
        level=level,
        dimension=dimension,
        order=order,
        orders={name: text for name, (text, _) in _ORDERS.items()},
        pagination=page,
        problems=tuple(dict.fromkeys(problems)),
    )


def level_of(test: Test) -> str:
    """Return what the newest result of a test means."""
    return "no recent result" if test.status is None else meaning_of(test.status).level
