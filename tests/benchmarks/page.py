"""The Elementary page on a large store: how long each view takes the first time, and from then on.

``python -m tests.benchmarks page [--tables 2000] [--series 100000] [--days 30]`` makes such a store and prints a table.
With ``--request-ms 30`` each request of the store takes that much longer, as over a network.
The views are asked for in processes of their own, in which Airflow's API server has been imported, through the
application and its templates, without Airflow's login. Modules are compiled before, as those of an installation are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Measurement, in_own_process, measured
from tests.support.signing import opened

_TABLE = "WAREHOUSE.SCHEMA_07.TABLE_0107"
_VIEWS = {
    "Overview": "/",
    "Tables": "/tables",
    "Tables, searched": "/tables?q=table_0107",
    "Tables, all columns": "/tables?columns=state,trend,passing,last_run,duration,rows,freshness",
    "Table": f"/table?name={_TABLE}",
    "Table, its next metrics": f"/table?name={_TABLE}&page=2",
    "Tests": "/tests",
    "Runs": "/runs",
    "One run": "/run?id=i0",
    "Freshness": "/freshness",
    "Coverage": "/coverage",
    "Lineage": "/lineage",
    "Incidents": "/incidents",
    "One incident": "/incident?id={incident}",
    "Backtests": "/backtests",
    "Snapshots": "/snapshots",
    "Compare": "/compare?before=0&after=1",
    "Access": "/access",
    "Audit": "/audit",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the store, measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks page", description=__doc__)
    parser.add_argument("--tables", type=int, default=2_000)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=30, help="days of metrics; tests and runs are of 14")
    parser.add_argument("--request-ms", type=int, default=0)
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        large, small = Path(directory) / "large", Path(directory) / "small"
        sizes = _make_stores(large, small, parsed.tables, parsed.series, parsed.days)
        print(f"\n{parsed.tables:,} tables, {parsed.series:,} series; {sizes}\n")

        def asked(how: str) -> Measurement:
            stores = ["page_benchmark_large", "page_benchmark_small"]
            given = ["--views", how, *stores, str(parsed.request_ms / 1000)]
            return in_own_process("tests.benchmarks.page", given, bytecode=Path(directory, "pyc"))

        asked("at-once")
        # In a server that runs, the views of another store were shown before.
        unprepared, at_once, running = map(asked, ("unprepared", "at-once", "running"))
    times_of = ("not prepared", "server just started", "another store was shown", "again")
    titles = [
        "view",
        *(f"{each}, s (CPU)" for each in times_of),
        "requests, again",
        "kB",
        "memory since the start, MB (private)",
    ]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for view, facts in running.facts["views"].items():
        firsts = [process.facts["views"][view]["first"] for process in (unprepared, at_once, running)]
        times = " | ".join(_seconds(taken) for taken in (*firsts, facts["again"]))
        resident, private = at_once.facts["views"][view]["resident"]
        made, later = at_once.facts["views"][view]["requests"]
        print(f"| {view} | {times} | {made}, {later} | {facts['size'] / 1000:.0f} | {resident:+.0f} ({private:+.0f}) |")
    print(
        f"\nbefore the first view, s (CPU): imports of Airflow's API server {_seconds(at_once.facts['airflow'])}, then"
    )
    print(f"preparation of the page {_seconds(at_once.facts['preparation'])}")
    print(f"\nload of the machine when it was measured: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"\nbefore the first view the process that had just started had {at_once.facts['resident']:.0f} MB")


def _seconds(taken: Sequence[float]) -> str:
    return f"{taken[0]:.3f} ({taken[1]:.3f})"


def _make_stores(large: Path, small: Path, tables: int, series: int, days: int) -> str:
    from airflow_provider_elementary.snapshots import LocalKeys
    from tests.support.connections import local_store
    from tests.support.page import fill_store

    for directory in (large, small):
        directory.mkdir()
    master_keys = LocalKeys.generate()
    for name, place in (("LARGE", large), ("SMALL", small)):
        connection = local_store(place / "store", master_keys)
        os.environ[f"AIRFLOW_CONN_PAGE_BENCHMARK_{name}"] = json.dumps(connection)
    fill_store(small, LocalKeys(master_keys), snapshots=1)
    return _fill(large, LocalKeys(master_keys), tables, series, days)


def _fill(directory: Path, keys: Any, tables: int, series: int, days: int) -> str:
    """Write what the tasks of a run do, of tables, tests and series that are all alike."""
    import duckdb

    from airflow_provider_elementary.snapshots import open_store, write_snapshot
    from airflow_provider_elementary.storage.records.results import write_result
    from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
    from airflow_provider_elementary.warehouses.source import WarehouseSource
    from tests.support.datasets import write_duckdb
    from tests.support.little_project import small_world
    from tests.support.page import add_incidents, report

    empty = {name: table.slice(0, 0) for name, table in small_world(days=1).items()}
    path = write_duckdb(empty, directory / "large.duckdb")
    with duckdb.connect(str(path)) as connection:
        for table, query in _ROWS.items():
            connection.execute(f"INSERT INTO elementary.{table} BY NAME {query}", {"tables": tables})
    repository = opened(open_store((directory / "store").as_uri()), keys)
    for run_key, change in (
        ("1", ""),
        ("2", "UPDATE elementary.dbt_models SET description = 'Changed.' WHERE alias LIKE '%7'"),
    ):
        with duckdb.connect(str(path)) as connection:
            connection.execute(change)
        with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
            manifest = write_snapshot(source, repository, run_key=run_key, access=report(("schema-readable", "pass")))
    engine, origin = duckdb.connect(), {"snapshot_id": manifest.snapshot_id}
    sizes = [f"{manifest.rows:,} rows in the snapshot"]
    for kind, query, of_days in (
        ("metrics", _METRICS, days),
        ("verdicts", _VERDICTS, 2),
        ("backtests", _VERDICTS, days),
    ):
        rows = engine.sql(query, params={"tables": tables, "series": series, "days": of_days}).to_arrow_reader(100_000)
        how = {"method": "elementary", "days": of_days}
        result = write_result(repository, kind, rows, run_key="1", origin=origin, parameters=how)  # type: ignore[arg-type]
        sizes.append(f"{result.rows:,} {kind}")
    without, whole = (
        _taken(partial(add_incidents, repository, "1", with_summary=with_summary)) for with_summary in (False, True)
    )
    print(f"\nupdating incidents: {_seconds(without)} s (CPU), with the summary {_seconds(whole)}")
    return ", ".join(sizes)


def _ask_for_views(how: str, large: str, small: str, seconds: str) -> None:
    """Ask for each view twice; the part that is measured.

    :param how: ``unprepared``: as if nothing had been done when the server started; ``at-once``: after what it does
        before it answers; ``running``: after the views of another store.
    :param seconds: which each request of a store takes longer.
    """
    requests = _count_requests(float(seconds))
    os.environ["AIRFLOW__ELEMENTARY__STORES"] = f"{large}, {small}"
    before = {"airflow": _taken(_import_api_server)}
    from fastapi.testclient import TestClient

    from airflow_provider_elementary.plugins import elementary as plugin

    # Airflow's login needs its database and has times of its own.
    plugin.authorization = lambda: (lambda: None, lambda: None)
    served = plugin.LazyPage()
    client = TestClient(served)
    start = _resident()
    if how != "unprepared":
        before["preparation"] = _taken(served.prepare)
    if how == "running":
        for address in ("/", "/table?name=SHOP.CORE.ORDERS"):
            client.get(address, params={"store": small, **({"name": "SHOP.CORE.ORDERS"} if "?" in address else {})})

    def work() -> Mapping[str, Any]:
        views = {}
        for view, address in _VIEWS.items():
            if "{incident}" in address:
                # One about the series of a table, which shows a chart.
                listed = [entry["incident"] for entry in client.get("/api/incidents").json()["entries"]]
                shown = next(each for each in listed if each["conditions"][0]["kind"] == "anomaly")
                address = address.format(incident=shown["incident_id"])
            views[view] = _times(client, address, requests)
            views[view]["resident"] = [now - then for now, then in zip(_resident(), start, strict=True)]
        return {**before, "resident": start[0], "views": views}

    measured(work)


def _count_requests(seconds: float) -> list[str]:
    """Let each read of a store take longer, and return the list of those that were made."""
    from airflow_provider_elementary.storage.object_store.local import LocalStore

    made: list[str] = []

    def longer(read: Callable[..., Any], store: LocalStore, key: str, *arguments: Any) -> Any:
        made.append(key)
        time.sleep(seconds)
        return read(store, key, *arguments)

    def listed(read: Callable[..., Any], *arguments: Any) -> Any:
        # As of S3, names come when they are read.
        yield from longer(read, *arguments)

    for name, slow in (("get_capped", longer), ("get_range", longer), ("list", listed)):
        setattr(LocalStore, name, partialmethod(partial(slow, getattr(LocalStore, name))))
    return made


def _import_api_server() -> None:
    import airflow.api_fastapi.app
    import airflow.api_fastapi.core_api.app
    import airflow.api_fastapi.core_api.security  # noqa: F401


def _times(client: Any, address: str, requests: list[str]) -> dict[str, Any]:
    """Return how long a view takes, and how many requests of the store it makes, the first and the second time."""
    answers: list[Any] = []
    before = len(requests)
    first = _taken(lambda: answers.append(client.get(address)))
    between = len(requests)
    again = _taken(lambda: answers.append(client.get(address)))
    made = [between - before, len(requests) - between]
    for response in answers:
        if response.status_code != 200 or 'role="alert"' in response.text:
            raise RuntimeError(f"{address} answered {response.status_code}: {response.text[-2000:]}")
    return {"first": first, "again": again, "requests": made, "size": len(answers[-1].content)}


def _resident() -> tuple[float, float]:
    """Return the resident memory of this process, and what of it is its own, in MB."""
    sizes = dict(line.split()[:2] for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return int(sizes["Rss:"]) / 1024, (int(sizes["Private_Clean:"]) + int(sizes["Private_Dirty:"])) / 1024


def _taken(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long something takes, on the clock and of the processor, in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


# A table in a hundred is anomalous in the newest bucket, and one test in fifty fails.
_NAMES = """
    'WAREHOUSE' AS database_name, 'SCHEMA_' || lpad((n % 20)::VARCHAR, 2, '0') AS schema_name,
    'TABLE_' || lpad(n::VARCHAR, 4, '0') AS alias
"""
_ROWS = {
    "dbt_models": f"""
        SELECT 'model.big.' || n AS unique_id, {_NAMES}, alias AS name, 'table' AS materialization,
            'big' AS package_name, '["team-' || (n % 30) || '@example.com"]' AS owner, '["core"]' AS tags,
            'h' || n AS metadata_hash,
            CASE WHEN n >= 100 THEN '["model.big.' || (n - 100) || '"]' ELSE '[]' END AS depends_on_nodes,
            '2026-11-22 00:00:00' AS generated_at, 'A table of the benchmark.' AS description
        FROM range($tables) AS numbers(n)""",
    "dbt_tests": """
        SELECT 'test.big.' || n || '.' || t AS unique_id, 'not_null_' || n || '_' || t AS name,
            'not_null' AS short_name, 'column_' || t AS test_column_name, 'ERROR' AS severity,
            'model.big.' || n AS parent_model_unique_id,
            'h' AS metadata_hash, '2026-11-22 00:00:00' AS generated_at
        FROM range($tables) AS numbers(n), range(5) AS tests(t)""",
    "elementary_test_results": f"""
        SELECT unique_id || '.' || d AS id, id AS test_execution_id, unique_id AS test_unique_id,
            'i' || d AS invocation_id, 'model.big.' || n AS model_unique_id, created_at AS detected_at,
            * EXCLUDE (n, d, unique_id)
        FROM (
            SELECT n, d, 'test.big.' || n || '.' || t AS unique_id, {_NAMES.replace("alias", "table_name")},
                TIMESTAMP '2026-11-22 06:00:00' - to_days(d::INTEGER) AS created_at, 'column_' || t AS column_name,
                'dbt_test' AS test_type, 'generic' AS test_sub_type, 'not_null_' || n AS test_name,
                CASE WHEN (n * 5 + t) % 50 = 0 AND d = 0 THEN 'fail' ELSE 'pass' END AS status, 'ERROR' AS severity
            FROM range($tables) AS numbers(n), range(5) AS tests(t), range(14) AS days(d)
        )""",
    "dbt_run_results": """
        SELECT 'r' || n || '.' || d AS model_execution_id, 'model.big.' || n AS unique_id, 'i' || d AS invocation_id,
            TIMESTAMP '2026-11-22 05:00:00' - to_days(d::INTEGER) AS created_at, 'success' AS status,
            'model' AS resource_type, 1.5 AS execution_time, 1000 AS rows_affected, false AS full_refresh
        FROM range($tables) AS numbers(n), range(14) AS days(d)""",
    "dbt_invocations": """
        SELECT 'i' || d AS invocation_id, TIMESTAMP '2026-11-22 07:00:00' - to_days(d::INTEGER) AS created_at,
            'build' AS command, 'big' AS project_name
        FROM range(14) AS days(d) WHERE $tables > 0""",
}
_SERIES = """
    SELECT s, d, 'WAREHOUSE.SCHEMA_' || lpad((n % 20)::VARCHAR, 2, '0') || '.TABLE_' || lpad(n::VARCHAR, 4, '0')
            AS full_table_name,
        CASE WHEN s < $tables THEN NULL ELSE 'column_' || (s // $tables) END AS column_name,
        CASE WHEN s < $tables THEN 'row_count' ELSE 'null_percent' END AS metric_name,
        NULL::VARCHAR AS dimension, NULL::VARCHAR AS dimension_value,
        '{"time_bucket": {"count": 1, "period": "day"}}' AS metric_properties,
        TIMESTAMP '2026-11-22' - to_days(d::INTEGER + 1) AS bucket_start, bucket_start + INTERVAL 1 DAY AS bucket_end,
        1000 + hash(s, d) % 100 + CASE WHEN n % 100 = 7 AND s < $tables AND d = 0 THEN 5000 ELSE 0 END AS metric_value
    FROM (SELECT s, s % $tables AS n, d FROM range($series) AS series(s), range($days) AS days(d) ORDER BY d DESC)
"""
_METRICS = f"""
SELECT md5(s::VARCHAR || d) AS id, full_table_name, column_name, metric_name, metric_name AS metric_type, dimension,
    dimension_value, metric_properties, bucket_start, bucket_end, 24 AS bucket_duration_hours,
    metric_value::DOUBLE AS metric_value, bucket_end AS updated_at
FROM ({_SERIES})
"""
_VERDICTS = f"""
SELECT md5(s::VARCHAR || d) AS id, full_table_name, column_name, metric_name, dimension, dimension_value,
    metric_properties, bucket_start, bucket_end, metric_value::DOUBLE AS metric_value,
    CASE WHEN metric_value > 5000 THEN 3.4 ELSE 0.5 END AS score, 1050.0 AS expected_value, 1000.0 AS expected_min,
    1100.0 AS expected_max, metric_value > 5000 AS is_anomalous,
    CASE WHEN metric_value > 5000 THEN 'spike' END AS kind,
    CASE WHEN metric_value > 5000 THEN full_table_name || ': row_count ' || metric_value || '; expected 1,000 to 1,100'
        ELSE 'as expected' END AS reason,
    14 AS training_size
FROM ({_SERIES})
"""

if __name__ == "__main__":
    _ask_for_views(*sys.argv[2:])
