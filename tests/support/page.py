"""Stores for the tests of the Elementary page, and Airflow's API server with the page in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa

from airflow_provider_elementary.access.check.report import CHECKS
from airflow_provider_elementary.anomalies import backtest, detect
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
from airflow_provider_elementary.incidents.current import read_conditions_of
from airflow_provider_elementary.incidents.evaluate import dbt_conditions_of, lineage_of, read_verdicts
from airflow_provider_elementary.incidents.store import TrackedIncidents, incidents_table, update_incidents
from airflow_provider_elementary.incidents.store_summary import write_summary
from airflow_provider_elementary.incidents.tracking import track_incidents
from airflow_provider_elementary.metrics import compute_metrics, scored_metrics
from airflow_provider_elementary.plugins.elementary import LazyPage, warmed
from airflow_provider_elementary.project.lineage import read_lineage
from airflow_provider_elementary.query_history import update_query_history
from airflow_provider_elementary.query_history.stored_usage import update_usage
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.snapshots import LocalKeys, open_snapshot, open_store, write_snapshot
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import arrow_schema
from airflow_provider_elementary.storage.records.results import latest_result, read_result, write_result
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.little_project import SMALL_WORLD_END, World, small_world
from tests.support.query_histories import ListingSession, query
from tests.support.signing import opened

#: A name that breaks out of every place where it is not encoded; in Arabic and CJK too.
HOSTILE = """</title><script>alert(1)</script>"><img src=x onerror=alert(2)>' "q" {{ 7*7 }} جدول 表"""
DAYS = 60
#: When the sample is synced, right after its newest run: later, dbt would be silent.
SAMPLE_TAKEN_AT = datetime(2026, 11, 22, 12)


def report(*statuses: tuple[str, str]) -> dict[str, Any]:
    """Return an access report with these checks and statuses."""
    findings = [
        {"name": name, "status": status, "evidence": f"{name} was inspected", "remediation": "", "excess": []}
        for name, status in statuses
    ]
    facts: dict[str, Any] = {
        "dialect": "duckdb",
        "database": "shop",
        "schema": "elementary",
        "user": "elementary_reader",
    }
    return {**facts, "roles": ["READER"], "checked_at": "2026-10-31T06:00:00+00:00", "findings": findings}


def hostile_world() -> World:
    """Return a small world in which a model is named as an attacker would, with owner, tag and description alike."""
    world = dict(small_world(days=3))
    rows = world["dbt_models"].to_pylist()
    rows[0] |= {"alias": HOSTILE, "name": HOSTILE, "description": HOSTILE, "owner": json.dumps([HOSTILE])}
    rows[0] |= {"tags": json.dumps([HOSTILE]), "path": HOSTILE, "schema_name": HOSTILE}
    schema = arrow_schema(TABLES["dbt_models"], [column.name for column in TABLES["dbt_models"].columns])
    return {**world, "dbt_models": pa.Table.from_pylist(rows, schema=schema)}


def fill_store(
    directory: Path, keys: LocalKeys, *, world: World | None = None, snapshots: int = 2, with_results: bool = True
) -> str:
    """Write snapshots of a world into a store, metrics and verdicts of the newest, and return the store's URI."""
    path = write_duckdb(world or small_world(days=28), directory / "shop.duckdb")
    taken_at = SMALL_WORLD_END + timedelta(hours=1)
    reports = [None, *[report(("schema-readable", "pass"), ("tls-version", "unknown"))] * (snapshots - 1)]
    return _fill(directory, keys, path, reports, taken_at, with_results=with_results)


def fill_sample_store(directory: Path, keys: LocalKeys) -> str:
    """Write snapshots of the package's sample into a store, with metrics, verdicts and incidents; return its URI."""
    path = build_sample(directory / "sample.duckdb")
    passing = report(*((name, "pass") for name in CHECKS))
    drifted = report(*((name, "unknown" if name == "client-address" else "pass") for name in CHECKS))
    reports = [passing, passing, passing, drifted]
    uri = _fill(directory, keys, path, reports, SAMPLE_TAKEN_AT, with_results=True)
    store = open_store(uri)
    snapshot = open_snapshot(opened(store, keys))
    newest = latest_result(opened(store, keys), "verdicts")
    assert newest is not None
    with read_result(opened(store, keys), newest.key) as rows:
        anomalies = anomaly_conditions(rows.read_all(), read_lineage(snapshot))
    conditions = [*read_conditions_of(snapshot).conditions, *anomalies]
    incidents = incidents_table(track_incidents(conditions, read_lineage(snapshot))).to_reader()
    origin = {"snapshot_id": snapshot.manifest.snapshot_id}
    write_result(opened(store, keys), "incidents", incidents, run_key="incidents", origin=origin, parameters={})
    add_backtest(uri, keys, {"anomaly_sensitivity": 2})
    _add_usage(opened(store, keys))
    return uri


def _fill(
    directory: Path,
    keys: LocalKeys,
    path: Path,
    reports: Sequence[Mapping[str, Any] | None],
    taken_at: datetime,
    *,
    with_results: bool,
) -> str:
    store = open_store((directory / "store").as_uri())
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        for number, access in enumerate(reports):
            now = taken_at + timedelta(seconds=number)
            with patch("airflow_provider_elementary.snapshots.capture.utc_now", return_value=now):
                write_snapshot(source, opened(store, keys), policy=Policy(), run_key=str(number), access=access)
    if with_results:
        add_results(store.uri, keys)
        add_backtest(store.uri, keys, {"anomaly_sensitivity": 3})
    return store.uri


def _add_usage(repository: Repository) -> None:
    """Write the history of a warehouse that names its costs, and its sums."""
    now = datetime.now(UTC).replace(tzinfo=None)
    node = '/* {"node_id": "model.jaffle_ops.fct_orders"} */'
    build = f"{node} CREATE TABLE core.fct_orders AS SELECT * FROM staging.stg_orders"
    cost = {"queue_ms": 250, "bytes": 7_500_000_000, "cost": 0.25, "cost_unit": "credits"}
    queries = [
        query(1, now - timedelta(hours=1), query_text=build, **cost),
        query(2, now - timedelta(hours=1), query_text="SELECT 1 FROM core.fct_orders"),
        query(3, now - timedelta(hours=1), query_text="SELECT 2 FROM core.fct_orders", user_name="bob"),
    ]
    found = update_query_history(repository, ListingSession(queries), connection="history", run_key="queries", now=now)
    update_usage(repository, found.result, run_key="usage")


def add_results(uri: str, keys: LocalKeys) -> None:
    """Compute and evaluate the metrics of a store's newest snapshot, by Elementary's rule."""
    store = open_store(uri)
    with compute_metrics(open_snapshot(opened(store, keys))) as rows:
        metrics = rows.read_all()
    write_result(opened(store, keys), "metrics", metrics.to_reader(), run_key="metrics", origin={}, parameters={})
    verdicts = detect(scored_metrics(metrics), method="elementary")
    how = {"method": "elementary", "days": DAYS}
    write_result(opened(store, keys), "verdicts", verdicts.to_reader(), run_key="verdicts", origin={}, parameters=how)


def add_incidents(repository: Repository, run_key: str = "incidents", *, with_summary: bool = True) -> TrackedIncidents:
    """Do what the task does that updates incidents with the newest verdicts and snapshot of a store."""
    newest, origin = latest_result(repository, "verdicts"), {"snapshot_id": repository.latest().snapshot_id}
    assert newest is not None
    verdicts = read_verdicts(repository, [newest.key])
    lineage, of_dbt = lineage_of(repository, origin), dbt_conditions_of(repository, origin, series="", run_key=run_key)
    tracked = update_incidents(repository, verdicts, lineage, of_dbt, series="", run_key=run_key, origin=origin)
    if with_summary:
        write_summary(repository, tracked, verdicts, [newest], run_key=run_key, origin=origin)
    return tracked


def add_backtest(uri: str, keys: LocalKeys, parameters: Mapping[str, Any]) -> None:
    """Backtest a configuration of Elementary's rule on a store's newest snapshot, and write the result."""
    store = open_store(uri)
    with compute_metrics(open_snapshot(opened(store, keys))) as metrics:
        found = backtest(metrics, "elementary", parameters, DAYS)
    how = {"method": "elementary", "days": DAYS, **parameters}
    run = f"elementary_backtest/manual/elementary/{json.dumps(parameters)}"
    write_result(opened(store, keys), "backtests", found.verdicts.to_reader(), run_key=run, origin={}, parameters=how)


@contextmanager
def api_server() -> Iterator[Any]:
    """Make Airflow's API server with the plugin mounted by hand, so that the package need not be installed."""
    from airflow.api_fastapi.app import create_app, purge_cached_app

    purge_cached_app()
    app = create_app()
    # A page that warms up beside the tests would read the stores of one while the next has begun.
    app.user_middleware = [made for made in app.user_middleware if made.cls is not warmed]
    app.router.routes = [route for route in app.router.routes if getattr(route, "path", "") != "/elementary"]
    app.mount("/elementary", LazyPage())
    # Ahead of the route that answers every path with the UI.
    app.router.routes.insert(0, app.router.routes.pop())
    yield app
    purge_cached_app()


def token(api: Any, role: str) -> str:
    """Return what Airflow's login gives a user of that role."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    made: str = api.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username=role, role=role))
    return made
