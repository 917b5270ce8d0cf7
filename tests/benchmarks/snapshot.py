"""Full snapshots: world A from each warehouse, memory as data_monitoring_metrics grows, and an increment of nothing.

``python -m tests.benchmarks snapshot [--rows 200000 2000000]`` prints the tables. Each measurement is a process of its
own that reads a warehouse and writes encrypted files into a local store; the servers run beside it on the same machine.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.measure import Measurement, in_own_process, measured
from tests.support.signing import opened

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Manifest, Store

_SHARED = Path(__file__).parents[2] / ".." / "shared"
_CONNECTION, _RUN = "benchmark", "the run"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks snapshot", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[200_000, 2_000_000], help="sizes of the large table")
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        if (_SHARED / "world").is_dir():
            _world_a(Path(directory))
        else:
            print("World A is left out: the shared inputs are not here.", file=sys.stderr)
        _large_tables(Path(directory), parsed.rows)


def _world_a(directory: Path) -> None:
    from tests.support.datasets import world_a, write_duckdb, write_postgres, write_snowflake

    world = world_a(_SHARED.resolve())
    print("\nWorld A, all 17 tables, one full snapshot into a local encrypted store\n")
    _print_head()
    _print_row("DuckDB", _snapshot(directory, _duckdb(write_duckdb(world, directory / "world.duckdb"))))
    with _postgres() as (server, database, connection):
        write_postgres(world, server, database)
        _print_row("PostgreSQL", _snapshot(directory, connection()))
    with _snowflake() as (server, database, connection):
        write_snowflake(world, server, database)
        _print_row("fakesnow's server", _snapshot(directory, connection()))


def _large_tables(directory: Path, sizes: Sequence[int]) -> None:
    from tests.support.datasets import copy_postgres, create_table, many_metrics

    print("\ndata_monitoring_metrics alone, by its number of rows\n")
    _print_head()
    for rows in sizes:
        path = directory / f"metrics_{rows}.duckdb"
        _write_metrics_file(path, rows)
        _print_row(f"DuckDB, {rows:,} rows", _snapshot(directory, _duckdb(path)))
        path.unlink()
        with _postgres() as (server, database, connection):
            server.execute('CREATE SCHEMA "elementary"', database=database)
            server.execute(create_table("postgres", _METRICS, f"elementary.{_METRICS}"), database=database)
            copy_postgres(many_metrics(rows), server, database, "elementary", _METRICS)
            reader = connection()
            _print_row(f"PostgreSQL, {rows:,} rows", _snapshot(directory, reader))
            _print_increment(directory, reader, rows)


def _print_increment(directory: Path, connection: dict[str, Any], rows: int) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as store:
        in_own_process(__name__, ["--one", Path(store).as_uri()])
        os.environ["BENCHMARK_RUN"] = "the next run"
        found = in_own_process(__name__, ["--one", Path(store).as_uri()])
        _print_row(f"PostgreSQL, {rows:,} rows, an increment of nothing", found)
    os.environ["BENCHMARK_RUN"] = _RUN


_METRICS = "data_monitoring_metrics"


def _write_metrics_file(path: Path, rows: int) -> None:
    import duckdb

    from tests.support.datasets import create_table, many_metrics

    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA elementary")
        connection.execute(create_table("duckdb", _METRICS, f"elementary.{_METRICS}"))
        connection.register("incoming", many_metrics(rows))
        connection.execute(f"INSERT INTO elementary.{_METRICS} BY NAME SELECT * FROM incoming")


def _snapshot(directory: Path, connection: dict[str, Any]) -> Measurement:
    os.environ[f"AIRFLOW_CONN_{_CONNECTION.upper()}"] = json.dumps(connection)
    with tempfile.TemporaryDirectory(dir=directory) as store:
        return in_own_process("tests.benchmarks.snapshot", ["--one", Path(store).as_uri()])


def _take_one(store: Store, **options: Any) -> Manifest:
    """Take one snapshot of the connection in the environment; the part that is measured."""
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from airflow_provider_elementary.snapshots import LocalKeys, write_snapshot

    # The same keys in each process.
    keys = LocalKeys(dict.fromkeys(LocalKeys.generate(), base64.b64encode(bytes(32)).decode()))
    with ElementaryHook(_CONNECTION).source() as source:
        return write_snapshot(source, opened(store, keys), run_key=os.environ.get("BENCHMARK_RUN", _RUN), **options)


def _measure_one(store: Store) -> None:
    def work() -> dict[str, Any]:
        manifest = _take_one(store)
        return {"rows": manifest.rows, "bytes": manifest.size}

    measured(work)


def _duckdb(path: Path) -> dict[str, Any]:
    return {"conn_type": "duckdb", "host": str(path)}


@contextmanager
def _postgres() -> Iterator[tuple[Any, str, Any]]:
    from tests.servers.certificates import issue_certificates
    from tests.servers.postgres import find_programs, postgres_cluster
    from tests.support.connections import postgres_reader

    programs = find_programs()
    if programs is None:
        raise SystemExit("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory() as directory:
        with postgres_cluster(programs, issue_certificates(Path(directory))) as server:
            server.create_database("benchmark")
            yield server, "benchmark", lambda: postgres_reader(server, "benchmark")


@contextmanager
def _snowflake() -> Iterator[tuple[Any, str, Any]]:
    from tests.servers.certificates import issue_certificates
    from tests.servers.snowflake import fakesnow_server
    from tests.support.connections import snowflake_reader

    with tempfile.TemporaryDirectory() as directory:
        certificates = issue_certificates(Path(directory))
        os.environ["REQUESTS_CA_BUNDLE"] = str(certificates.bundle)
        with fakesnow_server(certificates) as server:
            server.create_schema("BENCHMARK", "ELEMENTARY")
            yield server, "BENCHMARK", lambda: snowflake_reader(server, "BENCHMARK")


def _print_head() -> None:
    print(
        "| source | rows | seconds | CPU seconds | rows/s | MB encrypted | bytes/row | peak MB | MB before the work |"
    )
    print("|---|---|---|---|---|---|---|---|---|")


def _print_row(name: str, found: Measurement) -> None:
    rows, size = found.facts["rows"], found.facts["bytes"]
    print(
        f"| {name} | {rows:,} | {found.wall:.1f} | {found.cpu:.1f} | {rows / found.wall:,.0f} | {size / 1e6:.1f} "
        f"| {size / rows:.1f} | {found.peak_mb:.0f} | {found.base_mb:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    from airflow_provider_elementary.snapshots import open_store

    _measure_one(open_store(sys.argv[2]))
