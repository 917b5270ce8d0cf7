"""Shows the newest freshness check of every source table."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_elementary.elementary_schema.statuses import meaning_of
from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import ListPage, Request, newest_of_tables, page_of
from airflow_provider_elementary.project.facts import FreshnessCheck

_PAGE = 50


@dataclass(frozen=True)
class Freshness:
    """What the template ``freshness.html`` shows.

    :param checks: those that did not pass first.
    :param unchecked: source tables without a recent check.
    """

    store_status: StoreStatus
    checks: tuple[FreshnessCheck, ...]
    unchecked: tuple[str, ...]
    pagination: ListPage
    problems: tuple[str, ...]


def build(request: Request) -> Freshness:
    """Return one page of freshness checks."""
    store_status = load_store_status(request.reader)
    problems = list(store_status.problems)
    _, found = newest_of_tables(request.reader, store_status, problems)
    checks = sorted(found.values(), key=lambda check: (-meaning_of(check.status).rank, -(check.age or 0)))
    shown, page = page_of(checks, request.number("page"), _PAGE)
    checked = {check.table for check in checks}
    project = store_status.project
    sources = (
        {table for table, unique_id in project.tables.items() if project.nodes[unique_id].kind == "source"}
        if project
        else set()
    )
    return Freshness(store_status, tuple(shown), tuple(sorted(sources - checked)), page, tuple(dict.fromkeys(problems)))
