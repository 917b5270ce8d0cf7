"""A large table of metrics in PostgreSQL, and how many of its pages a sync touches."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import adbc_driver_postgresql.dbapi as adbc
import psycopg

from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Policy, open_store, write_snapshot
from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

TABLE = "data_monitoring_metrics"
END = datetime(2026, 11, 1)
POLICY = Policy(failed_rows_days=100_000)
#: Its rows name a dbt run each, which has no marker until the increment.
RUN_RESULTS = "dbt_run_results"
TEST_RESULTS = "elementary_test_results"
INDEXES: Mapping[str, str] = {
    "none": "SELECT 1",
    "brin": "CREATE INDEX ON elementary.{} USING brin (created_at) WITH (pages_per_range = 32)",
    "btree": "CREATE INDEX ON elementary.{} (created_at)",
}
#: The columns of each table, all texts, before its time.
_COLUMNS: Mapping[str, tuple[str, str, str]] = {
    TABLE: ("id", "full_table_name", "metric_name"),
    RUN_RESULTS: ("model_execution_id", "unique_id", "invocation_id"),
    TEST_RESULTS: ("id", "model_unique_id", "invocation_id"),
}


class RecordingWarehouse(PostgresWarehouse):
    """A session that records the queries over a table."""

    table: str
    queries: list[str]

    def batches(self, query: Any) -> Any:
        if query.tables == (self.table,):
            self.queries.append(query.sql)
        return super().batches(query)


@dataclass
class Increment:
    """What an increment did at the warehouse.

    :param pages: the pages that each query over the table touched, by the server's own count.
    :param cpu: seconds of processor time of the client.
    """

    manifest: Manifest
    pages: Counter[str] = field(default_factory=Counter)
    cpu: float = 0.0


class MetricsTable:
    """A schema with one large table, a minute between its rows, and the store that its snapshots go to.

    :ivar watched: the table whose queries are recorded.
    """

    def __init__(
        self, server: PostgresServer, database: str, directory: Path, rows: int, index: str, name: str = TABLE
    ) -> None:
        self._name = self.watched = name
        self._uri, self._database = server.uri(database=database), database
        self._store, self._keys = open_store((directory / "store").as_uri()), LocalKeys(LocalKeys.generate())
        self._now, start = END, END - timedelta(minutes=rows)
        self.execute(
            "DROP SCHEMA IF EXISTS elementary CASCADE",
            "CREATE SCHEMA elementary",
            "CREATE TABLE elementary.dbt_invocations (invocation_id text, created_at timestamp)",
            f"CREATE TABLE elementary.{name} ({' text, '.join(_COLUMNS[name])} text, created_at timestamp)",
            f"INSERT INTO elementary.{name} SELECT 'm' || n, repeat('t', 200), 'first', "
            f"TIMESTAMP '{start}' + n * INTERVAL '1 minute' FROM generate_series(1, {rows}) AS n",
            f"INSERT INTO elementary.dbt_invocations VALUES ('first', TIMESTAMP '{self._now}')",
            INDEXES[index].format(name),
            f"VACUUM ANALYZE elementary.{name}",
        )
        self.take([])

    @property
    def pages(self) -> int:
        """How many pages the watched table has."""
        size = f"SELECT pg_relation_size('elementary.{self.watched}') / 8192"
        with psycopg.connect(self._uri) as connection:
            found = connection.execute(size.encode()).fetchone()
        assert found is not None
        return int(found[0])

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
            # Sessions report their counts when they end, or some seconds later.
            connection.execute("SELECT pg_stat_force_next_flush()")

    def take(self, queries: list[str], **options: Any) -> Manifest:
        transport = TransportFacts(encrypted=True, version="TLSv1.3", certificate_verified=True, detail="test")
        warehouse = RecordingWarehouse(adbc.connect(self._uri), "elementary", self._database, transport)
        warehouse.table, warehouse.queries = self.watched, queries
        with WarehouseSource(warehouse) as source:
            return write_snapshot(source, opened(self._store, self._keys), policy=POLICY, **options)

    def run_and_take(self) -> Increment:
        """Write the rows of one dbt run, take an increment, and ask the server which pages its queries touch."""
        new = self._now + timedelta(minutes=30)
        self.execute(
            f"INSERT INTO elementary.{self._name} VALUES ('new', 't', 'second', TIMESTAMP '{new}')",
            f"INSERT INTO elementary.dbt_invocations VALUES ('second', TIMESTAMP '{new}')",
        )
        queries: list[str] = []
        began = time.process_time()
        increment = Increment(self.take(queries), cpu=time.process_time() - began)
        with psycopg.connect(self._uri) as connection:
            for query in queries:
                answer = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}".encode()).fetchone()
                assert answer is not None
                plan = (json.loads(answer[0]) if isinstance(answer[0], str) else answer[0])[0]["Plan"]
                increment.pages[query] += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return increment
