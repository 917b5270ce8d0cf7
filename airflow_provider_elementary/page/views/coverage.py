"""Shows what is tested, described and owned, and health by dimension."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_elementary.elementary_schema.statuses import meaning_of
from airflow_provider_elementary.page.store_status import StoreStatus, load_store_status
from airflow_provider_elementary.page.views.base import ListPage, Request, every_test, outcomes_of, page_of
from airflow_provider_elementary.project.facts import Test
from airflow_provider_elementary.project.health import TableHealth

_PAGE = 25
#: The dimensions of data quality that Elementary's score knows.
DIMENSIONS = ("completeness", "uniqueness", "freshness", "validity", "accuracy", "consistency")
#: The dimension of tests whose project names none, by dbt's own and Elementary's short names.
_OF_TESTS = {
    "not_null": "completeness",
    "unique": "uniqueness",
    "accepted_values": "validity",
    "relationships": "consistency",
    "freshness_anomalies": "freshness",
    "event_freshness_anomalies": "freshness",
    "volume_anomalies": "completeness",
    "dimension_anomalies": "consistency",
    "column_anomalies": "accuracy",
    "all_columns_anomalies": "accuracy",
    "schema_changes": "validity",
}


@dataclass(frozen=True)
class DimensionHealth:
    """The tests of one dimension.

    :param passing: number of tests whose newest result is good.
    :param share: percent of the tests with a result that pass; None where none has one.
    """

    dimension: str
    tests: int
    passing: int
    share: int | None


@dataclass(frozen=True)
class SchemaCoverage:
    """How many tables of a schema are watched, and how."""

    schema: str
    tables: int
    tested: int
    watched: int
    owned: int
    described: int


@dataclass(frozen=True)
class Coverage:
    """What the template ``coverage.html`` shows.

    :param whole: the counts of all schemas.
    """

    store_status: StoreStatus
    dimensions: tuple[DimensionHealth, ...]
    whole: SchemaCoverage
    schemas: tuple[SchemaCoverage, ...]
    pagination: ListPage
    problems: tuple[str, ...]


def build(request: Request) -> Coverage:
    """Return the coverage by schema and the health by dimension."""
    store_status = load_store_status(request.reader)
    problems = list(store_status.problems)
    outcomes = outcomes_of(request.reader, store_status, problems)
    schemas = coverage_by_schema(store_status.tables)
    shown, page = page_of(schemas, request.number("page"), _PAGE)
    return Coverage(
        store_status=store_status,
        dimensions=health_by_dimension(every_test(request.reader, outcomes)),
        whole=coverage_of_all(store_status.tables),
        schemas=tuple(shown),
        pagination=page,
        problems=tuple(dict.fromkeys(problems)),
    )


def coverage_by_schema(tables: Iterable[TableHealth]) -> list[SchemaCoverage]:
    """Return the coverage of each schema, the one with most tables that nothing watches first."""
    found: dict[str, list[TableHealth]] = defaultdict(list)
    for table in tables:
        if table.schema:
            found[table.schema].append(table)
    counted = [_counted(schema, held) for schema, held in found.items()]
    return sorted(counted, key=lambda schema: (schema.watched - schema.tables, schema.schema))


def coverage_of_all(tables: Iterable[TableHealth]) -> SchemaCoverage:
    """Return the coverage of all schemas."""
    return _counted("all schemas", [table for table in tables if table.schema])


def health_by_dimension(tests: Iterable[Test]) -> tuple[DimensionHealth, ...]:
    """Return the tests of each dimension: that of the project, else the one that the kind of test has."""
    total: Counter[str] = Counter()
    passing: Counter[str] = Counter()
    ran: Counter[str] = Counter()
    for test in tests:
        dimension = (test.dimension or _OF_TESTS.get(test.kind, "")).strip().lower() or "none named"
        total[dimension] += 1
        ran[dimension] += test.status is not None
        passing[dimension] += test.status is not None and meaning_of(test.status).level == "good"
    names = [*DIMENSIONS, *sorted(total.keys() - set(DIMENSIONS))]
    return tuple(
        DimensionHealth(name, total[name], passing[name], int(100 * passing[name] / ran[name]) if ran[name] else None)
        for name in names
    )


def _counted(schema: str, tables: Sequence[TableHealth]) -> SchemaCoverage:
    return SchemaCoverage(
        schema=schema,
        tables=len(tables),
        tested=sum(bool(table.tests) for table in tables),
        watched=sum(table.state != "unwatched" for table in tables),
        owned=sum(bool(table.node and table.node.owners) for table in tables),
        described=sum(bool(table.node and table.node.description) for table in tables),
    )
