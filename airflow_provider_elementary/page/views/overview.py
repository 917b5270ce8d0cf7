"""Shows the overview of a store: state, open incidents, schemas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema.statuses import meaning_of
from airflow_provider_elementary.page.health_days import Health, health_of
from airflow_provider_elementary.page.store_status import StoreStatus, attempt, known_days, load_store_status
from airflow_provider_elementary.page.views.access import AccessState, failing_access, newest_access
from airflow_provider_elementary.page.views.base import ListPage, Request, page_of
from airflow_provider_elementary.page.views.coverage import SchemaCoverage, coverage_of_all
from airflow_provider_elementary.project.health import STATES, SchemaHealth, TableHealth, failing_tests, schema_health

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.project.timeline import NodeDuration

_INCIDENTS = 10
#: How many tests without a table are listed.
TESTS_SHOWN = 10
_SCHEMAS = 25
_SLOWEST = 5
#: Access reports of all connections that are looked through.
_REPORTS = 25


@dataclass(frozen=True)
class TestCounts:
    """Number of tests with a result, and of those that fail and warn."""

    __test__ = False

    total: int
    failing: int
    warning: int


@dataclass(frozen=True)
class Overview:
    """What the template ``overview.html`` shows.

    :param failing_access: the newest report of each connection whose check fails.
    :param tests: number of tests with a result, and of those that fail and warn.
    :param slowest: the nodes that take most time in all.
    :param sync_problems: problems of the last sync, a sentence each.
    """

    store_status: StoreStatus
    access: AccessState | None
    failing_access: tuple[AccessState, ...]
    states: Mapping[str, int]
    opened: tuple[Incident, ...]
    open_count: int
    failing_tests: tuple[TableHealth, ...]
    failing_test_count: int
    schemas: tuple[SchemaHealth, ...]
    pagination: ListPage
    sync_problems: tuple[str, ...]
    health: Health | None
    tests: TestCounts
    coverage: SchemaCoverage
    slowest: tuple[NodeDuration, ...]


def build(request: Request) -> Overview:
    """Return the overview of a store."""
    from airflow_provider_elementary.snapshots.summary import problems

    store_status = load_store_status(request.reader)
    audit_problems: list[str] = []
    audits = attempt(audit_problems, request.reader.uri, lambda: request.reader.access_reports(_REPORTS))
    opened = [incident for incident in store_status.incidents if incident.status == "open"]
    schemas, page = page_of(schema_health(store_status.tables), request.number("page"), _SCHEMAS)
    failing = failing_tests(store_status.tables)
    counted = Counter(table.state for table in store_status.tables)
    return Overview(
        store_status=store_status,
        access=newest_access(store_status.manifest, audits or ()),
        failing_access=failing_access(store_status.manifest, audits or ()),
        states={state: counted[state] for state in STATES},
        opened=tuple(opened[:_INCIDENTS]),
        open_count=len(opened),
        failing_tests=tuple(failing[:TESTS_SHOWN]),
        failing_test_count=len(failing),
        schemas=tuple(schemas),
        pagination=page,
        health=_health(request, store_status),
        tests=count_tests(store_status.tables),
        coverage=coverage_of_all(store_status.tables),
        slowest=_slowest(request, store_status, audit_problems),
        sync_problems=(*(problems(store_status.manifest) if store_status.manifest else ()), *audit_problems),
    )


def _health(request: Request, store_status: StoreStatus) -> Health | None:
    """Return the health of the last days, as far as dbt's results and the syncs cover them."""
    known = attempt([], request.reader.uri, lambda: known_days(request.reader, store_status))
    if known is None:
        return None
    return health_of(store_status.incidents, known_from=known[0], known_until=known[1], today=datetime.now(UTC).date())


def count_tests(tables: Sequence[TableHealth]) -> TestCounts:
    """Return the number of tests of these tables by what their newest result means."""
    levels: Counter[str] = Counter()
    for table in tables:
        for status, count in table.tests.items():
            levels[meaning_of(status).level] += count
    return TestCounts(levels.total(), levels["failing"], levels["warning"])


def _slowest(request: Request, store_status: StoreStatus, problems: list[str]) -> tuple[NodeDuration, ...]:
    manifest = store_status.manifest
    if manifest is None or store_status.project is None:
        return ()
    timeline = attempt(problems, request.reader.uri, lambda: request.reader.timeline(manifest))
    return timeline.slowest[:_SLOWEST] if timeline else ()
