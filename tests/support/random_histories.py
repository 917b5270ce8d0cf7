"""Random histories of an Elementary schema, with snapshots in between, and what these must hold.

Times of rows are the warehouse's and are set by the histories; the client's clock is the real one, months off.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import hypothesis.strategies as st

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import (
    LocalKeys,
    Manifest,
    Policy,
    Store,
    open_snapshot,
    open_store,
    write_snapshot,
)
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.object_store.local import LocalStore
from tests.support.history_databases import COLUMNS, Batch, Database, Row, Statement
from tests.support.history_oracle import COMMIT_TIMEOUT, EVENTS, consistent_state
from tests.support.signing import opened

OVERLAP = timedelta(hours=1)
SAMPLES_PER_TEST = 2
POLICY = Policy(categories=tuple(Category), failed_rows_per_test=SAMPLES_PER_TEST, failed_rows_days=100_000)

#: A column of a package that this version does not know.
UNKNOWN = "from_the_future"


def bag(rows: Sequence[Row], columns: Sequence[str]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[column] for column in columns) for row in rows)


def held_of(rows: Sequence[Row], held: Sequence[Row]) -> list[Row]:
    """Return those of the rows that were held, each at most as often."""
    left, found = list(held), []
    for row in rows:
        if row in left:
            left.remove(row)
            found.append(row)
    return found


#: Why a snapshot may be full, and the words that say so.
REASONS = {
    "first": "the first snapshot",
    "empty": "no consistency point to continue from",
    "history went back": "history went back",
    "late": "older than the overlap",
    "columns": "other columns",
    "scheduled": "the last full snapshot",
    "keys": "other master keys",
}


@dataclass
class Statistics:
    """What the histories of one test came to."""

    histories: int = 0
    full: Counter[str] = field(default_factory=Counter)
    incremental: int = 0

    def count(self, manifest: Manifest) -> None:
        self.incremental += manifest.reason is None
        if manifest.reason:
            self.full[next(name for name, words in REASONS.items() if words in manifest.reason)] += 1


class Interrupted(Exception):
    """The end of a writer in the middle of its work."""


class BreakingStore(LocalStore):
    """A local store that fails for good when a number of encrypted files is in it."""

    def __init__(self, root: Path, files: int) -> None:
        super().__init__(root)
        self._files = files

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        if key.startswith("data/"):
            self._files -= 1
        if self._files < 0:
            raise Interrupted
        with super().create(key) as file:
            yield file


class History:
    """What dbt, Elementary and those who run them may do to the schema, in any order, and snapshots in between.

    :param draw: makes the choices.
    """

    def __init__(
        self, database: Database, draw: Callable[[st.SearchStrategy[Any]], Any], statistics: Statistics
    ) -> None:
        self.database, self.draw, self.statistics = database, draw, statistics
        self.directory = Path(tempfile.mkdtemp(prefix="histories-"))
        self.store, self.master_keys = open_store((self.directory / "store").as_uri()), LocalKeys.generate()
        self.now = datetime(2026, 3, 1, 6)
        self.number = 0
        self.unfinished: list[Batch] = []
        self.late: list[Any] = []
        self.taken: list[tuple[str, LocalKeys, dict[str, list[Row]]]] = []
        #: Rows that were taken while no markers came, and that no later snapshot has to wait for.
        self.unawaited: dict[str, list[Row]] = {}
        #: Rows that the source removed, and that snapshots keep until the next full one.
        self.removed: dict[str, list[Row]] = {}
        self.interrupted: list[tuple[str, float]] = []
        self.columns = {table: [one.split()[0] for one in columns.split(", ")] for table, columns in COLUMNS.items()}
        database.execute(*((f"CREATE TABLE elementary.{name} ({columns})", []) for name, columns in COLUMNS.items()))
        database.execute(("INSERT INTO elementary.metadata VALUES ('0.25.1')", []))

    def time_passes(self) -> None:
        self.now += timedelta(minutes=self.draw(st.sampled_from([1, 20, 59, 61, 150, 359, 361, 1500, 3000])))

    def the_warehouse_clock_is_set_back(self) -> None:
        self.now -= timedelta(hours=1)

    def a_run_finishes(self) -> None:
        self.write(self.run())

    def a_run_is_half_finished(self) -> None:
        rows = self.run()
        written = self.draw(st.integers(0, len(rows) - 1))
        self.write(rows[:written])
        self.unfinished.append(rows[written:])

    def a_half_finished_run_goes_on_or_is_killed(self) -> None:
        if self.unfinished:
            rest = self.unfinished.pop(self.draw(st.integers(0, len(self.unfinished) - 1)))
            if self.draw(st.booleans()):
                self.write([(table, {**row, "created_at": self.now}) for table, row in rest])

    def a_transaction_of_a_run_stays_open(self) -> None:
        rows = self.run()
        hidden = self.draw(st.integers(1, len(rows)))
        self.late.append(self.database.execute_late(*(self.insertion(*row) for row in rows[-hidden:])))
        self.write(rows[:-hidden])

    def an_open_transaction_commits(self) -> None:
        if self.late:
            self.database.commit_late(self.late.pop(self.draw(st.integers(0, len(self.late) - 1))))

    def a_row_is_written_twice(self) -> None:
        table = self.draw(st.sampled_from(EVENTS))
        if rows := sorted(self.database.rows(table), key=repr):
            row = rows[self.draw(st.integers(0, len(rows) - 1))]
            if table != "test_result_rows" and self.draw(st.booleans()):
                row["created_at"] = self.now
            self.write([(table, row)])

    def a_row_of_an_old_package_turns_up(self) -> None:
        # created_at is a column that the package added one day.
        self.write([("dbt_run_results", {"model_execution_id": "old", "invocation_id": "old", "status": "pass"})])

    def a_model_is_changed_or_removed(self) -> None:
        model, version = self.draw(st.sampled_from("abc")), self.draw(st.integers(0, 2))
        self.database.execute(("DELETE FROM elementary.dbt_models WHERE unique_id = ?", [model]))
        if version:
            row = {"unique_id": model, "metadata_hash": f"{model}{version}", "meta": f'{{"v": {version}}}'}
            self.write([("dbt_models", {**row, "generated_at": "2026-03-01 00:00:00"})])

    def elementary_is_fully_refreshed(self) -> None:
        self.database.execute(*((f"DELETE FROM elementary.{table}", []) for table in EVENTS))

    def old_rows_are_deleted_at_the_source(self) -> None:
        before = self.now - timedelta(hours=self.draw(st.sampled_from([0, 2, 24, 48])))
        tables = self.draw(st.sets(st.sampled_from(EVENTS), min_size=1))
        for table in tables:
            old = [row for row in self.database.rows(table) if row["created_at"] and row["created_at"] < before]
            self.removed[table] = [*self.removed.get(table, ()), *old]
        self.database.execute(
            *((f"DELETE FROM elementary.{table} WHERE created_at < ?", [before]) for table in sorted(tables))
        )

    def the_package_gains_or_loses_a_column(self) -> None:
        # A session that still writes would block the change.
        if not self.late:
            table = self.draw(st.sampled_from([name for name in COLUMNS if name != "metadata"]))
            name, kind = COLUMNS[table].split(", ")[-1].split(" ", 1)
            if name in self.columns[table]:
                self.columns[table].remove(name)
                self.database.execute((f"ALTER TABLE elementary.{table} DROP COLUMN {name}", []))
            else:
                self.columns[table].append(name)
                self.database.execute((f"ALTER TABLE elementary.{table} ADD COLUMN {name} {kind}", []))

    def the_package_gains_a_column_that_nobody_knows(self) -> None:
        table = self.draw(st.sampled_from(list(COLUMNS)))
        if not self.late and UNKNOWN not in self.columns[table]:
            self.columns[table].append(UNKNOWN)
            self.database.execute((f"ALTER TABLE elementary.{table} ADD COLUMN {UNKNOWN} text DEFAULT 'secret'", []))

    def a_master_key_is_replaced(self) -> None:
        category = self.draw(st.sampled_from(Category)).value
        self.master_keys = {**self.master_keys, category: LocalKeys.generate()[category]}

    def a_snapshot_is_taken(self) -> None:
        expected = consistent_state(self.database)
        held = {table: self.database.rows(table) for table in COLUMNS}
        keys = LocalKeys(self.master_keys)
        again = self.interrupted and self.draw(st.sampled_from([True, True, True, False]))
        run_key, full_every_days = self.interrupted.pop() if again else self.new_run()

        manifest = self.write_snapshot(self.store, keys, run_key, full_every_days)

        self.statistics.count(manifest)
        if manifest.kind == "full":
            self.unawaited, self.removed = {}, {}
        last = self.taken[-1][2] if self.taken else {}
        kept = {table: held_of(rows, last.get(table, ())) for table, rows in self.removed.items()}
        expected = {
            table: [*rows, *(row for row in self.unawaited.get(table, ()) if row in held[table] and row not in rows)]
            for table, rows in expected.items()
        }
        expected = {table: [*rows, *kept.get(table, ())] for table, rows in expected.items()}
        problem = manifest.consistency.marker_problem if manifest.consistency else None
        if problem and "without waiting" in problem.lower():
            self.unawaited = expected
        self.taken.append((manifest.snapshot_id, keys, expected))
        self.check(manifest.snapshot_id, keys, expected)

    def a_snapshot_is_interrupted(self) -> None:
        run_key, full_every_days = self.interrupted.pop() if self.interrupted else self.new_run()
        breaking = BreakingStore(self.directory / "store", self.draw(st.integers(0, 13)))
        with suppress(Interrupted):
            self.write_snapshot(breaking, LocalKeys(self.master_keys), run_key, full_every_days)
            # Where nothing is new, there is nothing to break at.
            return
        self.interrupted.append((run_key, full_every_days))

    def new_run(self) -> tuple[str, float]:
        return uuid.uuid4().hex, self.draw(st.sampled_from([7, 7, 7, 7, 7, 7, 0]))

    def write_snapshot(self, store: Store, keys: LocalKeys, run_key: str, full_every_days: float) -> Manifest:
        with self.database.source() as source:
            return write_snapshot(
                source,
                opened(store, keys),
                policy=POLICY,
                run_key=run_key,
                full_every_days=full_every_days,
                overlap=OVERLAP,
                commit_timeout=COMMIT_TIMEOUT,
            )

    def what_happens(self) -> tuple[str, ...]:
        return EVENTS_OF_A_HISTORY

    def go_on(self, steps: int) -> None:
        """Let things happen, with a snapshot after about every second of them, and look at all snapshots at the end."""
        if self.draw(st.booleans()):
            self.a_run_finishes()
        for _ in range(steps):
            getattr(self, self.draw(st.sampled_from(self.what_happens())))()
            if self.draw(st.booleans()):
                self.a_snapshot_is_taken()
        for snapshot_id, keys, expected in self.taken:
            self.check(snapshot_id, keys, expected)

    def end(self) -> None:
        self.database.close()
        shutil.rmtree(self.directory)

    def check(self, snapshot_id: str, keys: LocalKeys, expected: Mapping[str, list[Row]]) -> None:
        """Compare a snapshot with the state of the source at its cut, as the policy lets it out."""
        snapshot = open_snapshot(opened(self.store, keys), snapshot_id)
        assert set(snapshot.tables()) == set(COLUMNS)
        for table, rows in expected.items():
            found = read_all(snapshot, table)
            assert UNKNOWN not in found.column_names
            if rows:
                known = {name for name in rows[0] if name != UNKNOWN}
                assert known == set(found.column_names)
            out = [{**row, "vars": "***"} if row.get("vars") is not None else row for row in rows]
            self.compare(
                table, bag(found.to_pylist(), found.column_names), bag(out, found.column_names), found.column_names
            )

    def compare(
        self, table: str, found: Counter[tuple[Any, ...]], expected: Counter[tuple[Any, ...]], columns: list[str]
    ) -> None:
        if table != "test_result_rows":
            assert found == expected, table
            return
        assert found <= expected
        kind, execution = columns.index("test_type"), columns.index("elementary_test_results_id")
        held, limited = Counter[tuple[Any, Any]](), Counter[tuple[Any, Any]]()
        for row, count in expected.items():
            limited[row[execution], row[kind]] += count
        for row, count in found.items():
            held[row[execution], row[kind]] += count
        assert held == {
            key: min(count, SAMPLES_PER_TEST) if key[1] == "dbt_test" else count for key, count in limited.items()
        }

    def run(self) -> Batch:
        """Return the rows of one dbt run in the order in which Elementary's hook writes them."""
        tests = self.draw(st.integers(0, 3))
        self.number += 1
        run = f"run-{self.number}"
        rows: Batch = []
        for test in range(tests):
            result = f"{run}.test-{test}"
            rows += [
                (
                    "data_monitoring_metrics",
                    {"id": f"m{test}", "metric_value": self.number + 0.1, "updated_at": self.now},
                )
            ]
            rows.append(("elementary_test_results", {"id": result, "invocation_id": run, "status": "fail"}))
            kind = "anomaly_detection" if test == 2 else "dbt_test"
            rows += [
                ("test_result_rows", {"elementary_test_results_id": result, "row_index": i, "test_type": kind})
                for i in range(3)
            ]
        rows.append(("schema_columns_snapshot", {"column_state_id": f"c{self.number}", "data_type": "text"}))
        rows.append(("data_monitoring_metrics", {"id": "late", "column_name": "email", "metric_value": 1.0}))
        rows += [
            (
                "dbt_run_results",
                {"model_execution_id": f"{run}.m{i}", "invocation_id": run, "compiled_code": "select 1"},
            )
            for i in range(2)
        ]
        # Rows of nobody: an older package wrote some without the run.
        if self.number % 5 == 0:
            rows.append(("dbt_run_results", {"model_execution_id": f"{run}.x", "invocation_id": None}))
        rows.append(("dbt_invocations", {"invocation_id": run, "command": "build", "vars": '{"token": "x"}'}))
        return [(table, {**row, "created_at": self.now}) for table, row in rows]

    def write(self, rows: Batch) -> None:
        self.database.execute(*(self.insertion(table, row) for table, row in rows))

    def insertion(self, table: str, row: Row) -> Statement:
        given = {name: value for name, value in row.items() if value is not None and name in self.columns[table]}
        names = ", ".join(given)
        marks = ", ".join("?" * len(given))
        return f"INSERT INTO elementary.{table} ({names}) VALUES ({marks})", list(given.values())


EVENTS_OF_A_HISTORY = (
    *(History.time_passes.__name__,) * 3,
    *(History.a_run_finishes.__name__,) * 4,
    *(History.a_run_is_half_finished.__name__,) * 2,
    *(History.a_half_finished_run_goes_on_or_is_killed.__name__,) * 2,
    *(History.a_transaction_of_a_run_stays_open.__name__,) * 2,
    *(History.an_open_transaction_commits.__name__,) * 2,
    *(History.a_row_is_written_twice.__name__,) * 2,
    *(History.a_model_is_changed_or_removed.__name__,) * 2,
    History.the_warehouse_clock_is_set_back.__name__,
    History.a_row_of_an_old_package_turns_up.__name__,
    History.elementary_is_fully_refreshed.__name__,
    History.old_rows_are_deleted_at_the_source.__name__,
    History.the_package_gains_or_loses_a_column.__name__,
    History.the_package_gains_a_column_that_nobody_knows.__name__,
    History.a_master_key_is_replaced.__name__,
    *(History.a_snapshot_is_interrupted.__name__,) * 3,
)
