"""Shows all tables, searched by name, owner, tag or state."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import Page, Request, page_of
from airflow_provider_elementary.project.health import STATES, TableHealth

_PAGE = 50


@dataclass(frozen=True)
class Tables:
    """What the template ``tables.html`` shows."""

    store_status: StoreStatus
    search: str
    state: str
    tables: tuple[TableHealth, ...]
    pagination: Page


def build(request: Request) -> Tables:
    """Return one page of the tables that match."""
    store_status = load_store_status(request.reader)
    search, state = request.text("q"), request.text("state")
    state = state if state in STATES else ""
    words = search.lower().split()
    found = [table for table in store_status.tables if (not state or table.state == state) and _matches(table, words)]
    tables, page = page_of(found, request.number("page"), _PAGE)
    return Tables(store_status, search, state, tuple(tables), page)


def _matches(table: TableHealth, words: list[str]) -> bool:
    node = table.node
    text = " ".join((table.full_name, *(node.owners if node else ()), *(node.tags if node else ()))).lower()
    return all(word in text for word in words)
