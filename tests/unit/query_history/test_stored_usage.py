"""Usage is stored by dbt node: no query, no user, and no table that dbt does not know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import KeyUnavailableError, SnapshotCorruptError
from airflow_provider_elementary.project.usage import NodeUsage, ProjectUsage, read_usage
from airflow_provider_elementary.query_history import read_query_history
from airflow_provider_elementary.query_history.stored_usage import update_usage
from airflow_provider_elementary.snapshots import LocalKeys, Policy, open_store, write_snapshot
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import newest_result, read_result
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.query_histories import NOW, ListingSession, query, updated
from tests.support.signing import opened
from tests.support.stores import Rest, local_rest

HOUR = timedelta(hours=1)
ORDERS, SOURCE = "model.shop.orders", "source.shop.raw.orders"
NODE = f'/* {{"node_id": "{ORDERS}"}} */'
CREDITS = {"cost": 1.5, "cost_unit": "credits"}
QUERIES = [
    query(1, NOW - HOUR, query_text=f"{NODE} CREATE TABLE x.y AS SELECT 1 FROM raw.orders", queue_ms=500, **CREDITS),
    query(2, NOW - HOUR, query_text=f"{NODE} INSERT INTO x.y SELECT 1 FROM raw.orders", **CREDITS),
    query(3, NOW - HOUR, query_text="SELECT * FROM shop.raw.orders JOIN raw.orders b ON true", user_name="bob"),
    query(4, NOW - HOUR, query_text="SELECT secret FROM hr.salaries", user_name="mallory"),
    query(5, NOW - HOUR, query_text='/* {"node_id": "model.hr.salaries"} */ SELECT 1 FROM hr.salaries'),
]  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_duckdb(small_world(days=2), tmp_path_factory.mktemp("shop") / "shop.duckdb")


@pytest.fixture
def masters() -> dict[str, str]:
    return LocalKeys.generate()


@pytest.fixture
def rest(tmp_path: Path, warehouse: Path, masters: dict[str, str]) -> Rest:
    folder = tmp_path / "store"
    rest = Rest(open_store(folder.as_uri()), LocalKeys(masters), folder)
    with WarehouseSource(DuckDBWarehouse(warehouse, "elementary")) as source:
        write_snapshot(source, rest.repository, policy=Policy(), run_key="snapshot")
    return rest


def update(rest: Rest, *queries: dict[str, Any], run: str = "run", now: datetime = NOW) -> Result | None:
    history = updated(rest, ListingSession(list(queries)), run, now).result
    return update_usage(rest.repository, history, run_key=run, now=now.replace(tzinfo=UTC))


def usage(rest: Rest, *queries: dict[str, Any]) -> ProjectUsage:
    result = update(rest, *queries)
    assert result is not None
    return read_usage(rest.repository, result)


def test_a_node_has_what_its_own_queries_took_and_who_reads_its_table(rest: Rest) -> None:
    found = usage(rest, *QUERIES)

    assert found.nodes.keys() == {ORDERS, SOURCE}
    assert found.nodes[ORDERS] == NodeUsage(
        ORDERS, 2, 4.0, 0.5, 2_048, 3.0, "credits", NOW - HOUR, reads=0, readers=0, last_read_at=None
    )
    assert found.nodes[SOURCE] == NodeUsage(
        SOURCE, 0, None, None, None, None, None, None, reads=3, readers=2, last_read_at=NOW - HOUR
    )
    assert (found.since, found.longest[0].unique_id) == (NOW.date(), ORDERS)


def test_costs_of_two_units_have_no_sum(rest: Rest) -> None:
    found = usage(rest, QUERIES[0], {**QUERIES[1], "cost_unit": "bytes billed"})

    assert (found.nodes[ORDERS].cost, found.nodes[ORDERS].cost_unit) == (None, None)


def test_it_opens_without_the_key_of_query_logs(rest: Rest, masters: dict[str, str]) -> None:
    result = update(rest, *QUERIES)
    assert result is not None

    reader = opened(rest.store, LocalKeys({"table_metrics": masters["table_metrics"]}))

    assert read_usage(reader, result).nodes[ORDERS].runs == 2
    with pytest.raises(KeyUnavailableError):
        read_query_history(reader).read_all()


def test_it_names_no_user_no_query_and_no_foreign_table(rest: Rest) -> None:
    result = update(rest, *QUERIES)
    assert result is not None

    with read_result(rest.repository, result.key) as rows:
        text = str(rows.read_all().to_pylist()).lower()
    assert not [word for word in ("salaries", "mallory", "user-", "select", "q1") if word in text]


def test_it_is_computed_once_a_day_or_at_once_where_it_was_empty(rest: Rest) -> None:
    assert update(rest, run="empty") is not None
    first = update(rest, query(1, NOW + HOUR, query_text="SELECT 1 FROM raw.orders"), run="first", now=NOW + 2 * HOUR)
    assert first is not None
    assert first.rows == 1

    history = newest_result(rest.repository, "queries", "history")
    assert history is not None
    soon, tomorrow = datetime.now(UTC) + 3 * HOUR, datetime.now(UTC) + 21 * HOUR
    assert update_usage(rest.repository, history, run_key="soon", now=soon) is None
    assert update_usage(rest.repository, history, run_key="tomorrow", now=tomorrow) is not None


def test_without_a_snapshot_nothing_is_counted(tmp_path: Path) -> None:
    assert usage(local_rest(tmp_path), *QUERIES).nodes == {}


@pytest.mark.parametrize(
    "forged", [{}, {"days": "many"}, {"days": 30, "since": 1}, {"days": 30, "since": "soon"}, {"days": [30]}]
)
def test_parameters_that_are_no_days_are_refused(rest: Rest, forged: dict[str, Any]) -> None:
    result = update(rest, *QUERIES)
    assert result is not None

    with pytest.raises(SnapshotCorruptError):
        read_usage(rest.repository, replace(result, parameters=forged))
