"""Shows all tables: searched, filtered by facets, sorted, and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import ListPage, Request, page_of
from airflow_provider_elementary.project.health import STATES, TableHealth

_PAGE = 50
_CSV = ("table", "state", "why", "kind", "owners", "tags", "tests", "open_incidents")
#: How tables may be sorted, with the text of the choice.
_ORDERS: Mapping[str, tuple[str, Callable[[TableHealth], Any]]] = {
    "": ("the worst first", lambda table: 0),
    "name": ("by name", lambda table: table.full_name),
    "incidents": ("most open incidents first", lambda table: -table.incidents),
    "tests": ("most tests first", lambda table: -sum(table.tests.values())),
    "untested": ("fewest tests first", lambda table: sum(table.tests.values())),
}
#: What starts a formula where a spreadsheet opens the file; some split cells at semicolons or tabs.
_FORMULA = re.compile(r"(?:^|[;,\t\r\n])\s*[=+\-@]|^[\t\r]")


@dataclass(frozen=True)
class Tables:
    """What the template ``tables.html`` shows.

    :param facets: by their name in the address, the values that tables have.
    :param chosen: the chosen value of each facet; empty for any.
    """

    store_status: StoreStatus
    search: str
    state: str
    facets: Mapping[str, tuple[str, ...]]
    chosen: Mapping[str, str]
    order: str
    orders: Mapping[str, str]
    tables: tuple[TableHealth, ...]
    pagination: ListPage


def build(request: Request) -> Tables:
    """Return one page of the tables that match."""
    store_status = load_store_status(request.reader)
    facets = {
        name: tuple(sorted({value for table in store_status.tables for value in values(table) if value}))
        for name, values in _FACETS.items()
    }
    chosen = {name: request.one_of(name, held) for name, held in facets.items()}
    state, order = request.one_of("state", tuple(STATES)), request.one_of("order", tuple(_ORDERS))
    found = _found(request, store_status, state, chosen, order)
    tables, page = page_of(found, request.number("page"), _PAGE)
    return Tables(
        store_status=store_status,
        search=request.text("q"),
        state=state,
        facets=facets,
        chosen=chosen,
        order=order,
        orders={name: text for name, (text, _) in _ORDERS.items()},
        tables=tuple(tables),
        pagination=page,
    )


def as_csv(request: Request) -> str:
    """Return all tables that match, not only one page of them, as CSV.

    :raises ElementaryError: the store cannot be read.
    """
    store_status = load_store_status(request.reader)
    if store_status.project is None:
        raise ElementaryError(" ".join(store_status.problems) or store_status.notice or "The store holds no snapshot.")
    chosen = {name: request.text(name) for name in _FACETS}
    found = _found(request, store_status, request.text("state"), chosen, request.one_of("order", tuple(_ORDERS)))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_CSV)
    for table in found:
        owners, tags = (table.node.owners, table.node.tags) if table.node else ((), ())
        row = (table.full_name, table.state, table.why, table_kind(table), ", ".join(owners), ", ".join(tags))
        writer.writerow([*map(plain_cell, row), sum(table.tests.values()), table.incidents])
    return text.getvalue()


def table_kind(table: TableHealth) -> str:
    """Return what a table is, in words."""
    if table.is_test:
        return "test"
    return table.node.kind if table.node else "not in dbt" if table.schema else "dbt project"


_FACETS: Mapping[str, Callable[[TableHealth], Iterable[str]]] = {
    "schema": lambda table: (table.schema,),
    "kind": lambda table: (table_kind(table),),
    "owner": lambda table: table.node.owners if table.node else (),
    "tag": lambda table: table.node.tags if table.node else (),
}


def _found(
    request: Request, store_status: StoreStatus, state: str, chosen: Mapping[str, str], order: str
) -> Sequence[TableHealth]:
    words = request.text("q").lower().split()
    found = [
        table
        for table in store_status.tables
        if (not state or table.state == state)
        and all(not value or value in _FACETS[name](table) for name, value in chosen.items())
        and _matches(table, words)
    ]
    return sorted(found, key=_ORDERS[order][1])


def _matches(table: TableHealth, words: list[str]) -> bool:
    node = table.node
    text = " ".join((table.full_name, *(node.owners if node else ()), *(node.tags if node else ()))).lower()
    return all(word in text for word in words)


def plain_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.search(text) else text
