"""Shows one table: metrics, anomalies, tests, runs, lineage, owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.charts import Chart, draw
from airflow_provider_elementary.page.outside import Outside, outside_of
from airflow_provider_elementary.page.series import PAGE, Series, SeriesPage, newest_by_column, page_of_series
from airflow_provider_elementary.page.store_reader import StoreReader
from airflow_provider_elementary.page.store_status import StoreStatus, attempt, load_store_status
from airflow_provider_elementary.page.verdicts import Anomaly
from airflow_provider_elementary.page.views.base import ListPage, NotHereError, Request, outcomes_of, usage_of_history
from airflow_provider_elementary.project.facts import Node, NodeRun, Test
from airflow_provider_elementary.project.health import TableHealth
from airflow_provider_elementary.project.outcomes import runs_of, tests_of
from airflow_provider_elementary.project.project import Project, reached
from airflow_provider_elementary.times import before

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.project.columns import TableColumn
    from airflow_provider_elementary.project.usage import NodeUsage, ProjectUsage


#: Days of a chart that can be chosen; without a choice all buckets are drawn that are kept.
RANGES = (7, 30, 90)
#: How far the lineage can be followed.
STEPS = (1, 2, 3, 5)


@dataclass(frozen=True)
class Neighbour:
    """A node upstream or downstream, with the state of its table where it has one.

    :param steps: how far away it is.
    """

    node: Node
    table: TableHealth | None
    steps: int


@dataclass(frozen=True)
class OneTable:
    """What the template ``table.html`` shows.

    :param note: why there are no charts or no expected ranges.
    :param outside: where dbt's docs and the code of the table are.
    :param days: that the charts show, up to the newest bucket; 0 for all.
    :param usage: of the query history; None where it is not taken.
    :param used: that of this table; None where the history has no query of it.
    :param steps: how far the lineage is followed.
    """

    store_status: StoreStatus
    table: TableHealth | None
    incidents: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]
    charts: tuple[Chart, ...]
    note: str
    search: str
    days: int
    steps: int
    pagination: ListPage
    tests: tuple[Test, ...]
    runs: tuple[NodeRun, ...]
    usage: ProjectUsage | None
    used: NodeUsage | None
    columns: tuple[TableColumn, ...]
    outside: Outside
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
    found = charts_of(request.reader, store_status, table, search, number, problems) if table else SeriesPage((), 0, "")
    node = table.node if table else None
    project = store_status.project
    days, steps = request.number("days", 0), request.number("steps")
    days, steps = days if days in RANGES else 0, steps if steps in STEPS else 1
    outcomes = outcomes_of(request.reader, store_status, problems) if table else None
    usage = usage_of_history(request.reader, problems) if table else None
    tests = tuple(tests_of(outcomes, project, table.full_name)) if outcomes and project and table else ()
    return OneTable(
        store_status=store_status,
        table=table,
        incidents=tuple(
            incident for incident in store_status.incidents if table and table.full_name in incident.tables
        ),
        anomalies=_anomalies(store_status, table),
        charts=tuple(draw(_newest_days(series, days), amount_of) for series in found.series),
        note=found.note,
        search=search,
        days=days,
        steps=steps,
        pagination=ListPage(number, PAGE, found.total),
        tests=tests,
        runs=tuple(runs_of(outcomes, table.full_name)) if outcomes and table else (),
        usage=usage,
        used=usage.nodes.get(node.unique_id) if usage and node else None,
        columns=_columns(request.reader, store_status, table, tests, problems) if table else (),
        outside=outside_of(node),
        upstream=_neighbours(store_status, name, node, steps, _upstream_of(project)),
        downstream=_neighbours(store_status, name, node, steps, project.downstream if project else {}),
        problems=tuple(dict.fromkeys(problems)),
    )


def charts_of(
    reader: StoreReader, store_status: StoreStatus, table: TableHealth, search: str, number: int, problems: list[str]
) -> SeriesPage:
    """Return one page of the series of a table whose metric or column contains a text."""
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


def _columns(
    reader: StoreReader, store_status: StoreStatus, table: TableHealth, tests: Sequence[Test], problems: list[str]
) -> tuple[TableColumn, ...]:
    manifest = store_status.manifest
    found = attempt(problems, reader.uri, lambda: reader.columns(manifest)) if manifest and reader.has_keys else None
    if found is None:
        return ()
    from airflow_provider_elementary.project.columns import columns_of

    problems.extend(found.missing)
    rates = attempt(problems, reader.uri, lambda: _null_rates(reader, table.full_name)) or {}
    return tuple(columns_of(found, table.full_name, table.node.unique_id if table.node else None, tests, rates))


def _null_rates(reader: StoreReader, full_name: str) -> Mapping[str, float | None]:
    """Return the newest null rate of each column with metrics, in percent; None where it was not measured."""
    results = reader.results("metrics")
    history = reader.history(results[0], full_name) if results else None
    return newest_by_column(history, "null_percent") if history is not None and len(history) else {}


def _anomalies(store_status: StoreStatus, table: TableHealth | None) -> tuple[Anomaly, ...]:
    return store_status.verdicts.anomalies.get(table.full_name, ()) if store_status.verdicts and table else ()


def _newest_days(series: Series, days: int) -> Series:
    """Return the buckets of the days up to the newest one."""
    if not days or not series.points:
        return series
    first = before(max(point.end for point in series.points), timedelta(days=days))
    return replace(series, points=tuple(point for point in series.points if point.end > first))


def _upstream_of(project: Project | None) -> Mapping[str, tuple[str, ...]]:
    return {unique_id: node.upstream for unique_id, node in project.nodes.items()} if project else {}


def _neighbours(
    store_status: StoreStatus, beside: str, node: Node | None, steps: int, next_to: Mapping[str, tuple[str, ...]]
) -> tuple[Neighbour, ...]:
    """Return the nodes up to some steps away, the nearest first.

    :param next_to: the ids that are one step away from each id.
    """
    project = store_status.project
    if project is None or node is None:
        return ()
    return tuple(
        Neighbour(project.nodes[name], store_status.table(project.table_beside(project.nodes[name], beside)), step)
        for name, step in reached([node.unique_id], steps, next_to).items()
        if step and name in project.nodes
    )


def amount_of(metric: str, value: float | None) -> str:
    """Write a value of a metric in its unit."""
    from airflow_provider_elementary.anomalies.explain import written_amount

    return written_amount(metric, value)
