"""A dbt project in PostgreSQL that runs every hour, changes, and removes what is old."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql

from airflow_provider_elementary.elementary_schema import TABLES
from tests.support.datasets import create_table

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Row = dict[str, Any]

MODELS = 8
_TESTS = ("not_null", "unique", "volume_anomalies")
#: Tables whose rows have a time, and which a purge empties from the old end.
EVENTS = tuple(name for name, table in TABLES.items() if table.watermark == "created_at")
#: What an upgrade of the package adds.
_OF_THE_UPGRADE = ("dbt_run_results", "group_name")
_DROPPED = "dbt_source_freshness_results"


@dataclass
class Project:
    """The project, as it is at some hour.

    :param days: how many days of rows the source keeps.
    :param corrected: keys of results that were changed in place, and when.
    """

    server: PostgresServer
    database: str
    random: random.Random
    days: float
    corrected: dict[str, datetime] = field(default_factory=dict)
    written: int = 0
    _models: list[str] = field(default_factory=list)
    _made: int = 0
    _runs: int = 0
    _unfinished: list[tuple[str, Row]] = field(default_factory=list)
    _without: set[str] = field(default_factory=set)

    def create(self, now: datetime) -> None:
        """Create the schema, with rows of the days before."""
        self._connection = self.server.connect(database=self.database)
        self._run("CREATE SCHEMA elementary")
        for name in TABLES:
            self._run(create_table("postgres", name, f'elementary."{name}"'))
        table, column = _OF_THE_UPGRADE
        self._run(f"ALTER TABLE elementary.{table} DROP COLUMN {column}")
        self._without.add(f"{table}.{column}")
        self._insert([("metadata", {"dbt_pkg_version": "0.25.1"})])
        for _ in range(MODELS):
            self.add_model(now)
        for hour in range(int(self.days * 24), 0, -1):
            self._insert(self._rows(now - timedelta(hours=hour)))
        self._flush()

    def hour(self, now: datetime, *, leaves_unfinished: bool) -> None:
        """Run dbt once; the run may still write while the next sync reads."""
        self.finish()
        rows = self._rows(now)
        if leaves_unfinished:
            half = len(rows) // 2
            rows, self._unfinished = rows[:half], rows[half:]
        self._insert(rows)
        self._flush()

    def finish(self) -> None:
        """Write the rest of a run."""
        self._insert(self._unfinished)
        self._unfinished = []
        self._flush()

    def add_model(self, now: datetime) -> None:
        """Add a model with its columns and tests."""
        name = f"model_{self._made}"
        self._made += 1
        self._models.append(name)
        unique_id, stamp = f"model.shop.{name}", {"generated_at": f"{now:%Y-%m-%d %H:%M:%S}", "package_name": "shop"}
        place = {"database_name": "shop", "schema_name": "core"}
        model = {"unique_id": unique_id, "name": name, "alias": name, "materialization": "table", "owner": '["a@b.c"]'}
        rows = [("dbt_models", {**model, "metadata_hash": f"hash-{name}", "depends_on_nodes": "[]", **place, **stamp})]
        rows += [self._column(name, column, now) for column in ("id", "amount")]
        for test in _TESTS:
            facts = {"unique_id": f"test.shop.{test}_{name}", "name": f"{test}_{name}", "short_name": test}
            facts |= {"parent_model_unique_id": unique_id, "severity": "ERROR", "test_column_name": "id"}
            rows.append(("dbt_tests", {**facts, "metadata_hash": f"hash-{test}-{name}", **place, **stamp}))
        self._insert(rows)

    def replace_model(self, now: datetime) -> None:
        """Remove the oldest model, and add another."""
        name = self._models.pop(0)
        for table, column in (
            ("dbt_models", "unique_id"),
            ("dbt_columns", "parent_unique_id"),
            ("dbt_tests", "parent_model_unique_id"),
        ):
            self._run(f"DELETE FROM elementary.{table} WHERE {column} = 'model.shop.{name}'")
        self.add_model(now)

    def add_column(self, now: datetime) -> None:
        """Add a column to a model."""
        self._insert([self._column(self.random.choice(self._models), f"added_{now:%m%d%H}", now)])

    def upgrade(self) -> None:
        """Upgrade the package: a column that is known, one that nobody knows, another version."""
        table, column = _OF_THE_UPGRADE
        self._run(f"ALTER TABLE elementary.{table} ADD COLUMN {column} text")
        self._without.discard(f"{table}.{column}")
        self._run("ALTER TABLE elementary.dbt_models ADD COLUMN from_the_future text DEFAULT 'unknown'")
        self._run("UPDATE elementary.metadata SET dbt_pkg_version = '0.26.0'")

    def drop_table(self) -> None:
        """Drop a table, as who cleans up by hand does."""
        self._run(f"DROP TABLE elementary.{_DROPPED}")
        self._without.add(_DROPPED)

    def create_table_again(self) -> None:
        """Create the dropped table, empty, as the package's next run does."""
        self._run(create_table("postgres", _DROPPED, f"elementary.{_DROPPED}"))
        self._without.discard(_DROPPED)

    def refresh_fully(self) -> None:
        """Erase the history, as dbt run --full-refresh of the package does."""
        for table in self.tables():
            if table in EVENTS:
                self._run(f"TRUNCATE elementary.{table}")

    def late_row(self, now: datetime, hours: float) -> None:
        """Write a row that is dated back."""
        then = now - timedelta(hours=hours)
        row = {"id": f"late.{now:%Y%m%d%H}", "test_unique_id": "test.shop.late", "detected_at": then, "status": "pass"}
        self._insert([("elementary_test_results", {**row, "created_at": then})])

    def corrected_metric(self, now: datetime) -> None:
        """Write yesterday's value of a metric again: the newest row of an id counts."""
        row = self._metric(self._models[0], now - timedelta(days=1), now, value=1.0)
        self._insert([("data_monitoring_metrics", row)])

    def corrected_result(self, now: datetime) -> None:
        """Change a result of an earlier day in place, which no rule of the package does."""
        found = self._rows_of(
            "UPDATE elementary.elementary_test_results SET status = 'corrected' WHERE id = (SELECT id FROM "
            f"elementary.elementary_test_results WHERE created_at < '{now - timedelta(hours=20)}' "
            "ORDER BY created_at DESC LIMIT 1) RETURNING id"
        )
        self.corrected |= {str(name): now for (name,) in found}

    def purge(self, now: datetime) -> None:
        """Remove the rows that are older than the source keeps."""
        for table in self.tables():
            if table in EVENTS:
                self._run(f"DELETE FROM elementary.{table} WHERE created_at < '{now - timedelta(days=self.days)}'")

    def tables(self) -> list[str]:
        """Return the tables that there are."""
        return [name for name in TABLES if name not in self._without]

    def close(self) -> None:
        """Close the session."""
        self._connection.close()

    def _rows(self, now: datetime) -> list[tuple[str, Row]]:
        self._runs += 1
        run, text = f"run-{self._runs:06d}", f"{now:%Y-%m-%d %H:%M:%S}"
        rows: list[tuple[str, Row]] = []
        for number, model in enumerate(self._models):
            rows.append(("data_monitoring_metrics", self._metric(model, now, now)))
            for test in _TESTS:
                failed = test == "unique" and number == self._runs % MODELS
                result = f"{run}.{test}_{model}"
                facts = {"id": result, "test_execution_id": result, "test_unique_id": f"test.shop.{test}_{model}"}
                facts |= {"model_unique_id": f"model.shop.{model}", "invocation_id": run, "table_name": model}
                facts |= {"database_name": "shop", "schema_name": "core", "test_type": "dbt_test", "test_name": test}
                facts |= {"status": "fail" if failed else "pass", "severity": "ERROR", "failures": int(failed)}
                rows.append(("elementary_test_results", {**facts, "detected_at": now}))
                rows.append(("dbt_run_results", self._result(run, f"test.shop.{test}_{model}", text, number)))
                if failed:
                    sample = {"elementary_test_results_id": result, "row_index": 1, "detected_at": now}
                    sample |= {"result_row": json.dumps({"id": self._runs}), "test_type": "dbt_test"}
                    rows.append(("test_result_rows", sample))
            rows.append(("dbt_run_results", self._result(run, f"model.shop.{model}", text, number)))
        source = {"unique_id": "source.shop.raw.orders", "status": "pass", "generated_at": text, "invocation_id": run}
        rows.append((_DROPPED, {"source_freshness_execution_id": f"{run}.raw", **source, "snapshotted_at": text}))
        facts = {"invocation_id": run, "command": "build", "vars": '{"day": 1}', "run_started_at": text}
        facts |= {
            "generated_at": text,
            "dbt_version": "1.11.16",
            "elementary_version": "0.25.1",
            "project_name": "shop",
        }
        rows.append(("dbt_invocations", {**facts, "run_completed_at": text}))
        return [
            (table, {**row, "created_at": now + timedelta(seconds=place)}) for place, (table, row) in enumerate(rows)
        ]

    def _result(self, run: str, node: str, text: str, number: int) -> Row:
        is_test = node.startswith("test.")
        facts = {"model_execution_id": f"{run}.{node}", "unique_id": node, "invocation_id": run, "generated_at": text}
        facts |= {"name": node.rpartition(".")[2], "status": "pass" if is_test else "success"}
        facts |= {"resource_type": "test" if is_test else "model", "execution_time": 1.0 + number}
        return {**facts, "rows_affected": 1_000 + number, "compiled_code": f"select {number}", "query_id": f"{run}-q"}

    def _metric(self, model: str, bucket: datetime, now: datetime, value: float | None = None) -> Row:
        end = bucket.replace(minute=0, second=0)
        facts = {"id": f"{model}.row_count.{end:%Y%m%d%H}", "full_table_name": f"SHOP.CORE.{model.upper()}"}
        facts |= {"metric_name": "row_count", "metric_type": "row_count", "bucket_duration_hours": 1}
        facts |= {"bucket_start": end - timedelta(hours=1), "bucket_end": end}
        given = 1_000.0 + self.random.randrange(40) if value is None else value
        return {**facts, "metric_value": given, "updated_at": now, "created_at": now}

    def _column(self, model: str, column: str, now: datetime) -> tuple[str, Row]:
        parent = f"model.shop.{model}"
        facts = {"unique_id": f"column.{parent}.{column}", "parent_unique_id": parent, "name": column}
        facts |= {"data_type": "bigint", "table_name": model, "resource_type": "model", "database_name": "shop"}
        stamp = {"schema_name": "core", "generated_at": f"{now:%Y-%m-%d %H:%M:%S}"}
        return "dbt_columns", {**facts, **stamp, "metadata_hash": f"hash-{model}-{column}"}

    def _insert(self, rows: Iterable[tuple[str, Row]]) -> None:
        by_table: dict[tuple[str, tuple[str, ...]], list[Mapping[str, Any]]] = {}
        for table, row in rows:
            if table not in self._without:
                by_table.setdefault((table, tuple(row)), []).append(row)
        for (table, columns), found in by_table.items():
            target = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier("elementary", table), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with self._connection.cursor().copy(target) as copy:
                for row in found:
                    copy.write_row(tuple(row.values()))
            self.written += len(found)

    def _run(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def _rows_of(self, statement: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement.encode()).fetchall()

    def _flush(self) -> None:
        # Sessions report their counts when they end, or some seconds later.
        self._run("SELECT pg_stat_force_next_flush()")
