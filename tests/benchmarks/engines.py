"""Reading each engine that runs here, beside its driver's own stream of Arrow.

``python -m tests.benchmarks engines [--rows 5000000]`` prints rows per second of CPU and peak memory, of world A where
the shared inputs are here and of data_monitoring_metrics with that number of rows. Each measurement is a process of its
own that keeps no batch, and begins when the session is open: imports are not counted. DuckDB and ClickHouse (chdb) run
in that process, the others run beside it and are not counted. Drivers without a stream of Arrow give rows of Python.
Named by ``--engines`` alone are Spark (pyspark, PyHive and a JDK), and Snowflake, Trino, Athena and Databricks: their
own drivers over stand-ins, servers of their protocols over DuckDB, which say nothing about these warehouses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.benchmarks.measure import Measurement, in_own_process, measured
from tests.benchmarks.snapshot import _METRICS, _SHARED, _postgres
from tests.benchmarks.snapshot import _snowflake as _fakesnow

_CONNECTION = "benchmark"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks engines", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of data_monitoring_metrics")
    parser.add_argument("--engines", nargs="*", default=["duckdb", "postgres", "clickhouse"], choices=list(_ENGINES))
    parser.add_argument("--repeat", type=int, default=2, help="number of measurements, of which the least counts")
    parsed = parser.parse_args(arguments)
    print("| engine | tables | rows | rows per CPU second | driver's own | share | peak MB | driver's own | more |")
    print("|---|---|---|---|---|---|---|---|---|")
    for engine in parsed.engines:
        for rows in [0, parsed.rows] if (_SHARED / "world").is_dir() else [parsed.rows]:
            with tempfile.TemporaryDirectory() as directory, _ENGINES[engine](Path(directory), rows) as connection:
                os.environ[f"AIRFLOW_CONN_{_CONNECTION.upper()}"] = json.dumps(connection)
                _print_row(engine, rows, *(_least([how, engine, str(rows)], parsed.repeat) for how in ("ours", "own")))


def _tables(rows: int) -> Mapping[str, pa.RecordBatchReader]:
    """Return what is read: that number of rows of one table, or world A for none."""
    from tests.support.datasets import many_metrics, world_a

    if rows:
        return {_METRICS: many_metrics(rows)}
    return {name: table.to_reader() for name, table in world_a(_SHARED.resolve()).items()}


def _least(arguments: list[str], repeat: int) -> Measurement:
    found = [in_own_process("tests.benchmarks.engines", arguments) for _ in range(repeat)]
    return min(found, key=lambda measurement: measurement.cpu)


def _print_row(engine: str, wanted: int, ours: Measurement, own: Measurement) -> None:
    if ours.facts != own.facts:
        raise SystemExit(f"{engine}: {ours.facts} rows were read, the driver gives {own.facts}")
    rows = int(ours.facts["rows"])
    print(
        f"| {engine} | {_METRICS if wanted else 'world A'} | {rows:,} | {rows / ours.cpu:,.0f} | {rows / own.cpu:,.0f} "
        f"| {own.cpu / ours.cpu:.0%} | {ours.peak_mb:.0f} | {own.peak_mb:.0f} | {ours.peak_mb - own.peak_mb:+.0f} |",
        flush=True,
    )


@contextmanager
def _duckdb(directory: Path, rows: int) -> Iterator[dict[str, Any]]:
    import duckdb

    from tests.support.datasets import create_table

    path = directory / "world.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA elementary")
        for name, reader in _tables(rows).items():
            connection.execute(create_table("duckdb", name, f"elementary.{name}"))
            connection.register("incoming", reader)
            connection.execute(f"INSERT INTO elementary.{name} BY NAME SELECT * FROM incoming")
    yield {"conn_type": "duckdb", "host": str(path)}


@contextmanager
def _postgresql(directory: Path, rows: int) -> Iterator[dict[str, Any]]:
    from tests.support.datasets import copy_postgres, create_table

    with _postgres() as (server, database, connection):
        server.execute("CREATE SCHEMA elementary", database=database)
        for name, reader in _tables(rows).items():
            server.execute(create_table("postgres", name, f"elementary.{name}"), database=database)
            copy_postgres(reader, server, database, "elementary", name)
        yield connection()


@contextmanager
def _clickhouse(directory: Path, rows: int) -> Iterator[dict[str, Any]]:
    # A process has one directory of this engine for as long as it lives: another one writes.
    extra = {"client_kwargs": {"interface": "chdb", "path": str(directory)}}
    connection = {"conn_type": "elementary_clickhouse", "host": "localhost", "extra": extra}
    os.environ[f"AIRFLOW_CONN_{_CONNECTION.upper()}"] = json.dumps(connection)
    subprocess.run([sys.executable, "-m", "tests.benchmarks.engines", "load", "clickhouse", str(rows)], check=True)
    yield connection


@contextmanager
def _spark(directory: Path, rows: int) -> Iterator[dict[str, Any]]:
    from tests.servers import HOST
    from tests.servers.spark import create_tables, thrift_server

    with thrift_server(directory) as port:
        create_tables(port, _tables(rows), directory)
        yield {"conn_type": "elementary_spark", "host": HOST, "port": port, "login": "elementary_sync"}


@contextmanager
def _snowflake(directory: Path, rows: int) -> Iterator[dict[str, Any]]:
    from tests.support.datasets import write_snowflake

    with _fakesnow() as (server, database, connection):
        write_snowflake({name: reader.read_all() for name, reader in _tables(rows).items()}, server, database)
        yield connection()


@contextmanager
def _stand_in(key: str, directory: Path, rows: int) -> Iterator[dict[str, Any]]:
    from tests.support.wires import WIRES

    [wire] = [wire for wire in WIRES if wire.key == key]
    with _duckdb(directory, rows) as file, wire.serve(Path(file["host"])) as (_, port):
        yield {"conn_type": f"elementary_{key}", **wire.connection(port)}


_ENGINES: Mapping[str, Callable[[Path, int], AbstractContextManager[dict[str, Any]]]] = {
    "duckdb": _duckdb,
    "postgres": _postgresql,
    "clickhouse": _clickhouse,
    "spark": _spark,
    "snowflake": _snowflake,
    **{key: partial(_stand_in, key) for key in ("trino", "athena", "databricks")},
}


def _load_clickhouse(rows: int) -> None:
    from tests.support.datasets import create_table

    client = _clickhouse_client()
    client.command("CREATE DATABASE elementary")
    for name, reader in _tables(rows).items():
        statement = create_table("clickhouse", name, f"elementary.`{name}`")
        client.command(f"{statement} ENGINE = MergeTree ORDER BY tuple()")
        for batch in reader:
            client.insert_arrow(name, pa.Table.from_batches([batch]), database="elementary")
    client.close()


def _measure(how: str, engine: str, rows: int) -> None:
    names = _names(rows)
    if how == "own":
        stream = _STREAMS[engine]
        next(iter(stream(["SELECT 1 AS one"])))
        batches = stream([f"SELECT * FROM elementary.{name}" for name in names])
        measured(lambda: {"rows": sum(batch.num_rows for batch in batches)})
        return
    from airflow_provider_elementary.hooks.elementary import ElementaryHook

    with ElementaryHook(_CONNECTION).source() as source:
        # The parsers of SQL are imported by the first query.
        source.guarded(f"SELECT 1 AS one FROM {names[0]}")
        measured(lambda: {"rows": sum(batch.num_rows for name in names for batch in source.read(name))})


def _names(rows: int) -> list[str]:
    from airflow_provider_elementary.elementary_schema import TABLES

    return [_METRICS] if rows else list(TABLES)


def _connection() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(os.environ[f"AIRFLOW_CONN_{_CONNECTION.upper()}"])
    return found


def _stream_duckdb(selects: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import duckdb

    with duckdb.connect(_connection()["host"], read_only=True) as connection:
        for select in selects:
            yield from connection.sql(select).to_arrow_reader(65_536)


def _stream_postgres(selects: Sequence[str]) -> Iterable[pa.RecordBatch]:
    from urllib.parse import quote, urlencode

    from adbc_driver_postgresql import dbapi

    found = _connection()
    login = f"{quote(found['login'])}:{quote(found['password'])}"
    uri = f"postgresql://{login}@{found['host']}:{found['port']}/{found['schema']}?{urlencode(found['extra'])}"
    with dbapi.connect(uri) as connection, connection.cursor() as cursor:
        for select in selects:
            cursor.execute(select)
            yield from cursor.fetch_record_batch()


def _clickhouse_client() -> Any:
    import clickhouse_connect

    return clickhouse_connect.get_client(**_connection()["extra"]["client_kwargs"])


def _stream_clickhouse(selects: Sequence[str]) -> Iterator[pa.RecordBatch]:
    client = _clickhouse_client()
    for select in selects:
        with client.query_arrow_stream(select, use_strings=True) as stream:
            yield from stream
    client.close()


@dataclass(frozen=True)
class _Rows:
    num_rows: int


def _fetched(cursor: Any, selects: Sequence[str], count: int) -> Iterator[_Rows]:
    for select in selects:
        cursor.execute(select)
        while fetched := cursor.fetchmany(count):
            yield _Rows(len(fetched))


def _stream_spark(selects: Sequence[str]) -> Iterator[_Rows]:
    from pyhive import hive

    from airflow_provider_elementary.warehouses.registry import WAREHOUSES

    found = _connection()
    with hive.connect(found["host"], found["port"], username=found["login"], auth="NONE") as connection:
        cursor = connection.cursor(arraysize=10_000)
        for statement in WAREHOUSES["spark"].driver.opening:
            cursor.execute(statement)
        yield from _fetched(cursor, selects, 10_000)


def _stream_snowflake(selects: Sequence[str]) -> Iterator[_Rows]:
    from snowflake import connector

    found = _connection()
    with connector.connect(
        user=found["login"], password=found["password"], schema=found["schema"], **found["extra"]
    ) as connection:
        cursor = connection.cursor()
        for select in selects:
            cursor.execute(select)
            yield from (_Rows(chunk.num_rows) for chunk in cursor.fetch_arrow_batches())


def _stream_trino(selects: Sequence[str]) -> Iterator[_Rows]:
    from trino import dbapi

    found = _connection()
    place = {"host": found["host"], "port": found["port"], "user": found["login"], **found["extra"]}
    with dbapi.connect(**place) as connection:
        yield from _fetched(connection.cursor(), selects, 10_000)


def _stream_athena(selects: Sequence[str]) -> Iterator[_Rows]:
    import pyathena

    found = _connection()
    names = ("endpoint_url", "region_name", "work_group")
    place = {name: found["extra"][name] for name in names}
    keys = {"aws_access_key_id": found["login"], "aws_secret_access_key": found["password"]}
    with pyathena.connect(**place, **keys) as connection:
        yield from _fetched(connection.cursor(), selects, 1_000)


def _stream_databricks(selects: Sequence[str]) -> Iterator[pa.RecordBatch]:
    from databricks import sql

    found = _connection()
    with sql.connect(found["host"], access_token=found["password"], **found["extra"]) as connection:
        cursor = connection.cursor()
        for select in selects:
            cursor.execute(select)
            while (table := cursor.fetchmany_arrow(50_000)).num_rows:
                yield from table.to_batches()


_STREAMS: Mapping[str, Callable[[Sequence[str]], Iterable[pa.RecordBatch | _Rows]]] = {
    "duckdb": _stream_duckdb,
    "postgres": _stream_postgres,
    "clickhouse": _stream_clickhouse,
    "spark": _stream_spark,
    "snowflake": _stream_snowflake,
    "trino": _stream_trino,
    "athena": _stream_athena,
    "databricks": _stream_databricks,
}


if __name__ == "__main__":
    _, _how, _engine, _rows = sys.argv
    if _how == "load":
        _load_clickhouse(int(_rows))
    else:
        _measure(_how, _engine, int(_rows))
