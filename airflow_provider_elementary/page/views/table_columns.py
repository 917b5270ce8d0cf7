"""Defines the columns that the list of tables may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from airflow_provider_elementary.elementary_schema.statuses import meaning_of
from airflow_provider_elementary.page.health_days import Trends, trends_of
from airflow_provider_elementary.page.rendering import moment
from airflow_provider_elementary.page.store_status import StoreStatus, attempt, known_days
from airflow_provider_elementary.page.views.base import Request, newest_of_tables
from airflow_provider_elementary.project.facts import FreshnessCheck, NodeRun
from airflow_provider_elementary.project.health import TableHealth


@dataclass(frozen=True)
class TableRow:
    """What the columns of the list show of one table.

    :param run: its newest dbt run.
    :param check: the newest freshness check of a source table.
    :param trend: of each of the last days, the oldest first: ``good`` or the worst severity of an open condition.
    """

    table: TableHealth = field(repr=False)
    name: str
    run: NodeRun | None
    check: FreshnessCheck | None
    trend: tuple[str, ...]

    @property
    def passing(self) -> int | None:
        """Percent of the tests with a result that pass; None without one."""
        total = sum(self.table.tests.values())
        good = sum(count for status, count in self.table.tests.items() if meaning_of(status).level == "good")
        return int(100 * good / total) if total else None


@dataclass(frozen=True)
class ListColumn:
    """A column of the list.

    :param title: its heading.
    :param text: what it says of a table, in a file; empty for nothing.
    :param is_number: whether it is aligned to the right.
    """

    title: str
    text: Callable[[TableRow], str]
    is_number: bool = False


def table_kind(table: TableHealth) -> str:
    """Return what a table is, in words."""
    if table.is_test:
        return "test"
    return table.node.kind if table.node else "not in dbt" if table.schema else "dbt project"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:g}"


def _freshness(row: TableRow) -> str:
    return "" if row.check is None else _seconds(row.check.age) or row.check.status


#: Every column by its name in the address and in a file.
COLUMNS: Mapping[str, ListColumn] = {
    "state": ListColumn("State", lambda row: row.table.state),
    "why": ListColumn("Why", lambda row: row.table.why),
    "tests": ListColumn("Tests", lambda row: str(sum(row.table.tests.values())), is_number=True),
    "passing": ListColumn(
        "Tests that pass, %", lambda row: "" if row.passing is None else str(row.passing), is_number=True
    ),
    "trend": ListColumn("Last 14 days", lambda row: " ".join(row.trend)),
    "incidents": ListColumn("Open incidents", lambda row: str(row.table.incidents), is_number=True),
    "last_run": ListColumn(
        "Last run", lambda row: f"{moment(row.run.at)} UTC" if row.run is not None and row.run.at else ""
    ),
    "run_status": ListColumn("Status of the run", lambda row: row.run.status if row.run else ""),
    "duration": ListColumn("Duration", lambda row: _seconds(row.run.seconds if row.run else None), is_number=True),
    "rows": ListColumn(
        "Rows of the run", lambda row: "" if row.run is None or row.run.rows is None else str(row.run.rows), True
    ),
    "freshness": ListColumn("Age of the source", _freshness, is_number=True),
    "kind": ListColumn("Kind", lambda row: table_kind(row.table)),
    "owners": ListColumn("Owners", lambda row: ", ".join(row.table.node.owners) if row.table.node else ""),
    "tags": ListColumn("Tags", lambda row: ", ".join(row.table.node.tags) if row.table.node else ""),
}
#: The columns without a choice.
DEFAULT = ("state", "why", "tests", "kind", "owners")
#: What is known of the store's conditions, runs and checks is read for these columns only.
_OF_OUTCOMES = frozenset({"last_run", "run_status", "duration", "rows", "freshness"})


def chosen_columns(request: Request) -> tuple[str, ...]:
    """Return the columns that the address names, in their own order; the default ones where it names none."""
    named = set(request.text("columns").split(","))
    return tuple(name for name in COLUMNS if name in named) or DEFAULT


def row_maker(
    request: Request, store_status: StoreStatus, columns: tuple[str, ...], problems: list[str]
) -> Callable[[TableHealth], TableRow]:
    """Return what makes the row of a table; only what the columns show is read.

    :param problems: receives what cannot be read, in sentences.
    """
    runs: Mapping[str, NodeRun] = {}
    checks: Mapping[str, FreshnessCheck] = {}
    trends: Trends | None = None
    if _OF_OUTCOMES & set(columns):
        runs, checks = newest_of_tables(request.reader, store_status, problems)
    if "trend" in columns:
        known = attempt(problems, request.reader.uri, lambda: known_days(request.reader, store_status))
        trends = trends_of(store_status.incidents, *known) if known else None

    def row(table: TableHealth) -> TableRow:
        is_known = trends is not None and table.state != "unwatched"
        return TableRow(
            table,
            table.full_name,
            runs.get(table.full_name),
            checks.get(table.full_name),
            trends.of(table.full_name) if trends is not None and is_known else (),
        )

    return row
