"""Table: one table with its metrics as charts, anomalies, tests, runs, lineage and owners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.charts import Chart, draw
from airflow_provider_elementary.page.series import PAGE, SeriesPage, page_of_series
from airflow_provider_elementary.page.store_reader import Reader
from airflow_provider_elementary.page.store_status import Current, attempt, current
from airflow_provider_elementary.page.views.base import NotHereError, Page, Request
from airflow_provider_elementary.project.facts import Anomaly, Node, Run, Test
from airflow_provider_elementary.project.health import TableHealth
from airflow_provider_elementary.project.outcomes import Outcomes, runs_of, tests_of

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.tracking import Incident


@dataclass(frozen=True)
class Neighbour:
    """A node one step up or down: how its table is, or None for one that is no table or not known."""

    node: Node
    table: TableHealth | None


@dataclass(frozen=True)
class OneTable:
    """What the template ``table.html`` shows.

    :param note: why there are no charts, or no expected range in them.
    """

    now: Current
    table: TableHealth | None
    incidents: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]
    charts: tuple[Chart, ...]
    note: str
    search: str
    page: Page
    tests: tuple[Test, ...]
    runs: tuple[Run, ...]
    upstream: tuple[Neighbour, ...]
    downstream: tuple[Neighbour, ...]
    problems: tuple[str, ...]


def build(request: Request) -> OneTable:
    """Return one table.

    :raises NotHereError: neither dbt nor the metrics know the table.
    """
    now = current(request.reader)
    name = request.text("name")
    table = now.table(name)
    if table is None and (now.tables or not now.notice) and not now.problems:
        raise NotHereError(
            f"Expected a table that the newest snapshot or verdicts know, found {name!r}. It may have been renamed or "
            "removed; look for it under Tables."
        )
    problems = list(now.problems)
    number, search = request.number("page"), request.text("q")
    found = _charts(request.reader, now, table, search, number, problems) if table else SeriesPage((), 0, "")
    node = table.node if table else None
    project = now.project
    outcomes = _outcomes(request.reader, now, problems) if table else None
    return OneTable(
        now=now,
        table=table,
        incidents=tuple(incident for incident in now.incidents if table and table.full_name in incident.tables),
        anomalies=_anomalies(now, table),
        charts=tuple(draw(series, _amount) for series in found.series),
        note=found.note,
        search=search,
        page=Page(number, PAGE, found.total),
        tests=tuple(tests_of(outcomes, project, table.full_name)) if outcomes and project and table else (),
        runs=tuple(runs_of(outcomes, table.full_name)) if outcomes and table else (),
        upstream=_neighbours(now, name, node.upstream) if project and node else (),
        downstream=_neighbours(now, name, project.downstream.get(node.unique_id, ())) if project and node else (),
        problems=tuple(dict.fromkeys(problems)),
    )


def _outcomes(reader: Reader, now: Current, problems: list[str]) -> Outcomes | None:
    manifest = now.manifest
    if manifest is None or now.project is None:
        return None
    found = attempt(problems, reader.uri, lambda: reader.outcomes(manifest))
    problems.extend(found.missing if found else ())
    return found


def _charts(
    reader: Reader, now: Current, table: TableHealth, search: str, number: int, problems: list[str]
) -> SeriesPage:
    first = frozenset((anomaly.column, anomaly.metric) for anomaly in _anomalies(now, table))
    rule = now.verdicts.parameters if now.verdicts else None

    def read() -> SeriesPage:
        results = reader.results("metrics")
        if not results:
            return SeriesPage((), 0, "No metrics are in the store yet. Run ElementaryTableMetricsOperator on it.")
        return reader.derived.get(
            ("series", results[0].key, results[0].created_at, now.verdicts, table.full_name, search, number),
            lambda: page_of_series(
                reader.history(results[0], table.full_name), search=search, page=number, first=first, rule=rule
            ),
        )

    return attempt(problems, reader.uri, read) or SeriesPage((), 0, "")


def _anomalies(now: Current, table: TableHealth | None) -> tuple[Anomaly, ...]:
    return now.verdicts.anomalies.get(table.full_name, ()) if now.verdicts and table else ()


def _neighbours(now: Current, beside: str, unique_ids: tuple[str, ...]) -> tuple[Neighbour, ...]:
    project = now.project
    if project is None:
        return ()
    nodes = [project.nodes[unique_id] for unique_id in dict.fromkeys(unique_ids) if unique_id in project.nodes]
    return tuple(Neighbour(node, now.table(project.table_beside(node, beside))) for node in nodes)


def _amount(metric: str, value: float | None) -> str:
    from airflow_provider_elementary.anomalies.explain import amount

    return amount(metric, value)
