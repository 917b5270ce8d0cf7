"""Shows all tables: searched, filtered by facets, sorted, and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import ListPage, Request, page_of
from airflow_provider_elementary.page.views.table_columns import (
    COLUMNS,
    DEFAULT,
    ListColumn,
    TableRow,
    chosen_columns,
    row_maker,
    table_kind,
)
from airflow_provider_elementary.project.health import STATES, TableHealth

_PAGE = 50
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
    :param columns: the chosen ones by name, of ``all_columns``.
    :param filters: what the address says, for links to the same list.
    """

    store_status: StoreStatus
    search: str
    state: str
    facets: Mapping[str, tuple[str, ...]]
    chosen: Mapping[str, str]
    order: str
    orders: Mapping[str, str]
    tables: tuple[TableHealth, ...]
    rows: tuple[TableRow, ...]
    columns: Mapping[str, ListColumn] = field(repr=False)
    all_columns: Mapping[str, ListColumn] = field(repr=False)
    filters: Mapping[str, str]
    pagination: ListPage
    problems: tuple[str, ...]


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
    problems = list(store_status.problems)
    columns, search = chosen_columns(request), request.text("q")
    row = row_maker(request, store_status, columns, problems)
    named = "" if columns == DEFAULT else ",".join(columns)
    return Tables(
        store_status=store_status,
        search=search,
        state=state,
        facets=facets,
        chosen=chosen,
        order=order,
        orders={name: text for name, (text, _) in _ORDERS.items()},
        tables=tuple(tables),
        rows=tuple(map(row, tables)),
        columns={name: COLUMNS[name] for name in columns},
        all_columns=COLUMNS,
        filters={**chosen, "q": search, "state": state, "order": order, "columns": named},
        pagination=page,
        problems=tuple(dict.fromkeys(problems)),
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
    columns = chosen_columns(request)
    row = row_maker(request, store_status, columns, [])
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("table", *columns))
    for table in found:
        made = row(table)
        writer.writerow(map(plain_cell, (table.full_name, *(COLUMNS[name].text(made) for name in columns))))
    return text.getvalue()


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
