"""Shows one table: metrics, anomalies, tests, runs, lineage, owners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.charts import Chart, draw
from airflow_provider_elementary.page.series import PAGE, SeriesPage, page_of_series
from airflow_provider_elementary.page.store_reader import Reader
from airflow_provider_elementary.page.store_status import StoreStatus, attempt, load_store_status
from airflow_provider_elementary.page.verdicts import Anomaly
from airflow_provider_elementary.page.views.base import NotHereError, Page, Request, outcomes_of
from airflow_provider_elementary.project.facts import Node, Run, Test
from airflow_provider_elementary.project.health import TableHealth
from airflow_provider_elementary.project.outcomes import runs_of, tests_of

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.tracking import Incident


@dataclass(frozen=True)
class Neighbour:
    """A node one step upstream or downstream, with the state of its table where it has one."""

    node: Node
    table: TableHealth | None


@dataclass(frozen=True)
class OneTable:
    """What the template ``table.html`` shows.

    :param note: why there are no charts or no expected ranges.
    """

    store_status: StoreStatus
    table: TableHealth | None
    incidents: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]
    charts: tuple[Chart, ...]
    note: str
    search: str
    pagination: Page
    tests: tuple[Test, ...]
    runs: tuple[Run, ...]
    upstream: tuple[Neighbour, ...]
    downstream: tuple[Neighbour, ...]
    problems: tuple[str, ...]


def build(request: Request) -> OneTable:
    """Return one table.

    :raises NotHereError: neither dbt nor the metrics name the table.
    """
    store_status = load_store_status(request.reader)
    name = request.text("name")
    table = store_status.table(name)
    if table is None and (store_status.tables or not store_status.notice) and not store_status.problems:
        raise NotHereError(
            f"Table {name!r} is not in the newest snapshot or verdicts. It may have been renamed or removed; search "
            "for it under Tables."
        )
    problems = list(store_status.problems)
    number, search = request.number("page"), request.text("q")
    found = _charts(request.reader, store_status, table, search, number, problems) if table else SeriesPage((), 0, "")
    node = table.node if table else None
    project = store_status.project
    downstream = project.downstream.get(node.unique_id, ()) if project and node else ()
    outcomes = outcomes_of(request.reader, store_status, problems) if table else None
    return OneTable(
        store_status=store_status,
        table=table,
        incidents=tuple(
            incident for incident in store_status.incidents if table and table.full_name in incident.tables
        ),
        anomalies=_anomalies(store_status, table),
        charts=tuple(draw(series, _amount) for series in found.series),
        note=found.note,
        search=search,
        pagination=Page(number, PAGE, found.total),
        tests=tuple(tests_of(outcomes, project, table.full_name)) if outcomes and project and table else (),
        runs=tuple(runs_of(outcomes, table.full_name)) if outcomes and table else (),
        upstream=_neighbours(store_status, name, node.upstream if node else ()),
        downstream=_neighbours(store_status, name, downstream),
        problems=tuple(dict.fromkeys(problems)),
    )


def _charts(
    reader: Reader, store_status: StoreStatus, table: TableHealth, search: str, number: int, problems: list[str]
) -> SeriesPage:
    first = frozenset((anomaly.column, anomaly.metric) for anomaly in _anomalies(store_status, table))
    rule = store_status.verdicts.parameters if store_status.verdicts else None
    manifest = store_status.manifest

    def read() -> SeriesPage:
        results = reader.results("metrics")
        if not results:
            return SeriesPage((), 0, "The store holds no metrics yet. Run ElementaryTableMetricsOperator on it.")
        return reader.derived.get(
            ("series", results[0].key, results[0].created_at, store_status.verdicts, table.full_name, search, number),
            lambda: page_of_series(
                reader.history(results[0], table.full_name),
                search=search,
                page=number,
                first=first,
                rule=rule,
                configurations=reader.configurations(manifest) if manifest and rule else None,
            ),
        )

    return attempt(problems, reader.uri, read) or SeriesPage((), 0, "")


def _anomalies(store_status: StoreStatus, table: TableHealth | None) -> tuple[Anomaly, ...]:
    return store_status.verdicts.anomalies.get(table.full_name, ()) if store_status.verdicts and table else ()


def _neighbours(store_status: StoreStatus, beside: str, unique_ids: tuple[str, ...]) -> tuple[Neighbour, ...]:
    project = store_status.project
    if project is None:
        return ()
    nodes = [project.nodes[unique_id] for unique_id in dict.fromkeys(unique_ids) if unique_id in project.nodes]
    return tuple(Neighbour(node, store_status.table(project.table_beside(node, beside))) for node in nodes)


def _amount(metric: str, value: float | None) -> str:
    from airflow_provider_elementary.anomalies.explain import amount

    return amount(metric, value)
