"""Shows the overview of a store: state, open incidents, schemas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.store_status import StoreStatus, attempt, load_store_status
from airflow_provider_elementary.page.views.access import AccessState, failing_access, newest_access
from airflow_provider_elementary.page.views.base import Page, Request, page_of
from airflow_provider_elementary.project.health import STATES, SchemaHealth, TableHealth, failing_tests, schema_health

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.tracking import Incident

_INCIDENTS = 10
#: How many tests without a table are listed.
TESTS_SHOWN = 10
_SCHEMAS = 25
#: Access reports of all connections that are looked through.
_REPORTS = 25


@dataclass(frozen=True)
class Overview:
    """What the template ``overview.html`` shows.

    :param failing_access: the newest report of each connection whose check fails.
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
    pagination: Page
    sync_problems: tuple[str, ...]


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
        sync_problems=(*(problems(store_status.manifest) if store_status.manifest else ()), *audit_problems),
    )
