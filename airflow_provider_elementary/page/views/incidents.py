"""Shows incidents with their time, root and affected tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.charts import Chart, draw
from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import ListPage, NotHereError, Request, outcomes_of, page_of
from airflow_provider_elementary.page.views.overview import TESTS_SHOWN
from airflow_provider_elementary.page.views.table import amount_of, charts_of
from airflow_provider_elementary.project.facts import Test
from airflow_provider_elementary.project.health import TableHealth, failing_tests
from airflow_provider_elementary.project.outcomes import tests_named
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.conditions import Condition
    from airflow_provider_elementary.incidents.tracking import Incident

_PAGE = 25
#: Charts of one incident.
_CHARTS = 2
_STATUSES = ("open", "resolved")


@dataclass(frozen=True)
class TimelineEntry:
    """An incident on the timeline: where it begins and how long it is, in percent of the time shown."""

    incident: Incident
    left: float
    width: float


@dataclass(frozen=True)
class Incidents:
    """What the template ``incidents.html`` shows."""

    store_status: StoreStatus
    entries: tuple[TimelineEntry, ...]
    begins: datetime | None
    ends: datetime | None
    open_count: int
    failing_tests: tuple[TableHealth, ...]
    failing_test_count: int
    search: str
    status: str
    pagination: ListPage


@dataclass(frozen=True)
class OneIncident:
    """What the template ``incident.html`` shows.

    :param timeline: its conditions, the oldest first.
    :param followed_by: the later incident that names it, by its id.
    :param tables: names of tables that have a view.
    :param state: its status with what people answered.
    :param charts: of the metrics that are anomalous, at most a few.
    :param tests: those that its conditions are of, with their newest results.
    :param choices: the answers that fit it, each with the fields that it takes.
    :param reasons: of the answer ``expected``.
    """

    store_status: StoreStatus
    incident: Incident
    timeline: tuple[Condition, ...]
    followed_by: str | None
    tables: frozenset[str]
    state: str
    charts: tuple[Chart, ...]
    tests: tuple[Test, ...]
    problems: tuple[str, ...]
    choices: tuple[tuple[str, tuple[str, ...]], ...]
    reasons: tuple[str, ...]


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


def build_one(request: Request) -> OneIncident:
    """Return one incident.

    :raises NotHereError: the store knows none of that id.
    """
    store_status = load_store_status(request.reader)
    wanted = request.text("id")
    # One that was merged into another leads there.
    found = next((each for each in store_status.incidents if wanted in (each.incident_id, *each.merged)), None)
    if found is None:
        # Without keys, or where a part cannot be read, nothing says that there is no such incident.
        reasons = [*([store_status.notice] if store_status.notice else []), *store_status.problems]
        why = " ".join(reasons) or (
            "A resolved incident is removed 90 days after its end. See Incidents for those that exist."
        )
        raise NotHereError(f"Incident {wanted!r} is not known in {request.reader.uri}. {why}")
    from airflow_provider_elementary.storage.records.answers import FIELDS, REASONS

    problems = list(store_status.problems)
    later = (each.incident_id for each in store_status.incidents if each.follows == found.incident_id)
    return OneIncident(
        store_status=store_status,
        incident=found,
        timeline=tuple(sorted(found.conditions, key=lambda each: (each.started_at, each.title))),
        followed_by=next(later, None),
        tables=frozenset(table.full_name for table in store_status.tables),
        state=found.state(utc_now()),
        charts=_charts(request, store_status, found, problems),
        tests=_tests(request, store_status, found, problems),
        problems=tuple(dict.fromkeys(problems)),
        choices=tuple((kind, fields) for kind, fields in FIELDS.items() if found.status == "open" or kind == "note"),
        reasons=REASONS,
    )


def _charts(request: Request, store_status: StoreStatus, incident: Incident, problems: list[str]) -> tuple[Chart, ...]:
    """Return charts of the metrics that are anomalous, those that still are first; none of values of dimensions."""
    from airflow_provider_elementary.incidents.conditions import metric_of

    found: dict[tuple[str, str | None, str], Chart] = {}
    for condition in sorted(incident.conditions, key=lambda each: not each.holds):
        if condition.kind != "anomaly" or len(found) == _CHARTS:
            continue
        _, metric, dimension = metric_of(condition.subject, condition.column)
        table = store_status.table(condition.table)
        if table is None or dimension:
            continue
        # With the column, the series is on the first page, however many columns the table has.
        search = f"{metric} {condition.column or ''}"
        for series in charts_of(request.reader, store_status, table, search, 1, problems).series:
            if (series.metric, series.column) == (metric, condition.column):
                found.setdefault((table.full_name, series.column, metric), draw(series, amount_of))
    return tuple(found.values())


def _tests(request: Request, store_status: StoreStatus, incident: Incident, problems: list[str]) -> tuple[Test, ...]:
    """Return the tests that conditions of the incident are of."""
    tests = [each for each in incident.conditions if each.kind == "test"]
    outcomes = outcomes_of(request.reader, store_status, problems) if tests else None
    if outcomes is None:
        return ()
    return tuple(tests_named(outcomes, {each.subject for each in tests}, {each.table for each in tests}))


def _entry(incident: Incident, begins: datetime | None, ends: datetime | None) -> TimelineEntry:
    span = ends - begins if begins and ends else timedelta(0)
    if begins is None or not span:
        return TimelineEntry(incident, 0, 100)
    width = max(100 * ((incident.last_seen - incident.started_at) / span), 1.5)
    return TimelineEntry(incident, min(100 * ((incident.started_at - begins) / span), 100 - width), width)
