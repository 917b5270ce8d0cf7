"""Shows incidents with their time, root and affected tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import Page, Request, page_of
from airflow_provider_elementary.page.views.overview import TESTS_SHOWN
from airflow_provider_elementary.project.health import TableHealth, failing_tests

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.tracking import Incident

_PAGE = 25
_STATUSES = ("open", "resolved")


@dataclass(frozen=True)
class Entry:
    """An incident on the timeline: where it begins and how long it is, in percent of the time shown."""

    incident: Incident
    left: float
    width: float


@dataclass(frozen=True)
class Incidents:
    """What the template ``incidents.html`` shows."""

    store_status: StoreStatus
    entries: tuple[Entry, ...]
    begins: datetime | None
    ends: datetime | None
    open_count: int
    failing_tests: tuple[TableHealth, ...]
    failing_test_count: int
    search: str
    status: str
    pagination: Page


def build(request: Request) -> Incidents:
    """Return one page of the incidents that match."""
    store_status = load_store_status(request.reader)
    search, status = request.text("q"), request.text("status")
    status = status if status in _STATUSES else ""
    wanted = [
        incident
        for incident in store_status.incidents
        if search.lower() in " ".join(incident.tables).lower() and status in ("", incident.status)
    ]
    shown, page = page_of(wanted, request.number("page"), _PAGE)
    failing = failing_tests(store_status.tables)
    begins = min((incident.started_at for incident in shown), default=None)
    ends = max((incident.last_seen for incident in shown), default=None)
    return Incidents(
        store_status=store_status,
        entries=tuple(_entry(incident, begins, ends) for incident in shown),
        begins=begins,
        ends=ends,
        open_count=sum(incident.status == "open" for incident in store_status.incidents),
        failing_tests=tuple(failing[:TESTS_SHOWN]),
        failing_test_count=len(failing),
        search=search,
        status=status,
        pagination=page,
    )


def _entry(incident: Incident, begins: datetime | None, ends: datetime | None) -> Entry:
    span = ends - begins if begins and ends else timedelta(0)
    if begins is None or not span:
        return Entry(incident, 0, 100)
    width = max(100 * ((incident.last_seen - incident.started_at) / span), 1.5)
    return Entry(incident, min(100 * ((incident.started_at - begins) / span), 100 - width), width)
