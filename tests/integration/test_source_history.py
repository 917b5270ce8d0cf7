"""A source that lost or changed rows is read whole, and the snapshot says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
)
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Policy, Store, open_store, write_snapshot
from airflow_provider_elementary.times import utc_now
from tests.support.connections import open_postgres
from tests.support.datasets import write_postgres
from tests.support.history_oracle import EVENTS
from tests.support.little_project import small_world
from tests.support.signing import opened
from tests.support.syncs import EVERYTHING, Sync, after, marker, run_results

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer


def purges(snapshot: Manifest) -> list[str]:
    """Return the statements that delete everything before the window of the next snapshot."""
    assert snapshot.consistency is not None
    begin = snapshot.consistency.window_from
    return [f"DELETE FROM elementary.{table} WHERE created_at < TIMESTAMP '{begin}'" for table in EVENTS]


def _take(server: PostgresServer, database: str, store: Store, keys: LocalKeys) -> Manifest:
    with open_postgres(server, database) as source:
        return write_snapshot(source, opened(store, keys))


FRESHNESS = "dbt_source_freshness_results"
#: What is done to a source of which some tables keep only their window: a purge beside other losses.
LOST: dict[str, Callable[[dict[str, str]], list[str]]] = {
    "a table beside a purged one": lambda purge: [purge[FRESHNESS], "DELETE FROM dbt_run_results"],
    "all tables but a purged one": lambda purge: [
        purge[FRESHNESS],
        *(f"DELETE FROM {table}" for table in purge if table != FRESHNESS),
    ],
    "rows that were made again": lambda purge: [
        *purge.values(),
        "UPDATE dbt_run_results SET created_at = created_at + INTERVAL 1 SECOND",
    ],
    "the last run but its marker": lambda purge: [
        statement.replace("<", ">=") for table, statement in purge.items() if table != "dbt_invocations"
    ],
}


@dataclass(frozen=True)
class Otherwise:
    """What makes a snapshot take the rows of a purged source otherwise than the one before, and the epoch of it."""

    statement: str = "SELECT 1"
    before: Policy = EVERYTHING
    after: Policy = EVERYTHING
    reason: str = "the policy changed"
    epoch: int = 1


#: Nothing is left that identifies a row of these tables before and after.
_IDS = tuple(f"{table}.{TABLES[table].key[0]}" for table in EVENTS)
OTHERWISE = {
    "another limit": Otherwise(after=replace(EVERYTHING, failed_rows_days=99_999)),
    "a column masked": Otherwise(after=replace(EVERYTHING, masked_columns=("dbt_run_results.message",))),
    "a category left out": Otherwise(before=EVERYTHING, after=Policy(failed_rows_days=EVERYTHING.failed_rows_days)),
    "a column less": Otherwise(
        "ALTER TABLE dbt_run_results DROP COLUMN adapter_response", reason="dbt_run_results has other columns"
    ),
    "ids hashed": Otherwise(after=replace(EVERYTHING, hashed_columns=_IDS), epoch=2),
}


@pytest.mark.parametrize("full_every_days", [100, 0], ids=["increment", "full"])
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST.keys())
def test_what_is_lost_of_a_window_begins_a_new_epoch(
    sync: Sync, lost: Callable[[dict[str, str]], list[str]], full_every_days: int
) -> None:
    first = purges(sync.snapshot())
    purge = dict(zip(EVENTS, first, strict=True))
    sync.change(*lost({**purge, FRESHNESS: first[0].replace(EVENTS[0], FRESHNESS)}))

    found = sync.snapshot(full_every_days=full_every_days)

    assert (found.kind, found.epoch) == ("full", 2)


@pytest.mark.parametrize(("change", "epoch"), [("SELECT 1", 1), ("DELETE FROM dbt_invocations", 2)])
def test_nothing_is_lost_of_a_window_that_the_store_lost(sync: Sync, change: str, epoch: int) -> None:
    first = sync.snapshot()
    sync.change(run_results("next", after(minutes=10), "a"), marker("next", after(minutes=11)))
    lost = [file for file in sync.snapshot().new_files if file.table == "dbt_run_results"]
    for file in lost:
        sync.store.delete(file.key)
    sync.change(change)

    found = sync.snapshot(full_every_days=0)

    assert lost
    assert (found.kind, first.epoch, found.epoch) == ("full", 1, epoch)


class TestReadingEverything:
    def test_erased_history_begins_a_new_epoch_that_says_why(self, sync: Sync) -> None:
        first = sync.snapshot()
        sync.change("DELETE FROM dbt_run_results", "DELETE FROM dbt_invocations")

        second = sync.snapshot()

        assert (second.kind, second.epoch) == ("full", 2)
        assert second.reason is not None
        assert second.reason.startswith(
            "history went back: dbt_invocations: 4 rows before 2026-10-31T05:02:01, found 0"
        )
        assert sync.column("dbt_run_results", "status") == []
        assert len(sync.column("dbt_run_results", "status", first.snapshot_id)) == 25

    def test_rows_that_vanish_from_the_window_begin_a_new_epoch(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change(f"DELETE FROM dbt_source_freshness_results WHERE created_at > TIMESTAMP '{after(hours=-1)}'")

        second = sync.snapshot()

        assert second.epoch == 2
        assert second.reason is not None
        assert "history went back: dbt_source_freshness_results: 1 of the rows" in second.reason
        assert len(sync.column("dbt_source_freshness_results", "status")) == 4

    @pytest.mark.parametrize(
        ("change", "arguments", "reason"),
        [
            ("SELECT 1", {"policy": Policy()}, "the policy changed"),
            ("SELECT 1", {"full_every_days": 0}, "the last full snapshot is of"),
            ("ALTER TABLE dbt_models DROP COLUMN meta", {}, "dbt_models has other columns: new none, gone meta"),
            ("DROP TABLE dbt_groups", {}, "dbt_groups is gone, or hidden from this connection"),
            (
                "ALTER TABLE dbt_run_results RENAME created_at TO written_at",
                {},
                "dbt_run_results is no longer usable: it lacks created_at",
            ),
        ],
    )
    def test_what_an_increment_cannot_say_has_everything_read_again(
        self, sync: Sync, change: str, arguments: dict[str, Any], reason: str
    ) -> None:
        sync.snapshot()
        sync.change(change)

        second = sync.snapshot(**arguments)

        assert (second.kind, second.epoch) == ("full", 1)
        assert second.reason is not None
        assert reason in second.reason

    def test_a_snapshot_taken_by_a_clock_of_next_year_does_not_postpone_the_next_full(
        self, sync: Sync, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as wrong:
            wrong.setattr("airflow_provider_elementary.snapshots.capture.utc_now", lambda: utc_now() + timedelta(365))
            sync.snapshot()

        second, third = sync.snapshot(), sync.snapshot()

        assert second.reason is not None
        assert "which has not come yet by this machine's clock" in second.reason
        assert (second.epoch, third.kind) == (1, "incremental")

    def test_a_damaged_file_is_not_built_upon(self, sync: Sync, tmp_path: Path) -> None:
        first = sync.snapshot()
        damaged = next(file for file in first.files if file.table == "dbt_run_results")
        path = tmp_path / "store" / damaged.key
        path.write_bytes(path.read_bytes()[: damaged.size // 2])
        # Where the window has other rows, its files are read back.
        sync.change(run_results("new", after(minutes=20), "a"), marker("new", after(minutes=21)))

        second = sync.snapshot()

        assert second.reason is not None
        assert "the snapshot before cannot be read" in second.reason
        assert len(sync.column("dbt_run_results", "status")) == 26

    @pytest.mark.parametrize("arguments", [{"full_every_days": -1}, {"overlap": timedelta(seconds=-1)}])
    def test_negative_times_are_refused(self, sync: Sync, arguments: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="0 or more"):
            sync.snapshot(**arguments)


class TestRowsThatChangedAtTheSource:
    def test_a_source_that_removes_its_oldest_rows_goes_on_and_the_snapshot_keeps_them(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change(
            *(f"DELETE FROM {table} WHERE created_at < TIMESTAMP '{after(days=-3, hours=3)}'" for table in EVENTS),
            run_results("new", after(minutes=30), "a"),
            marker("new", after(minutes=31)),
        )

        second, third = sync.snapshot(), sync.snapshot()

        assert [(one.kind, one.epoch) for one in (second, third)] == [("incremental", 1)] * 2
        assert len(sync.column("dbt_run_results", "status")) == 26
        assert (second.tables["dbt_run_results"].rows, second.tables["dbt_run_results"].new_rows) == (16, 1)
        full = sync.snapshot(full_every_days=0)
        assert (full.epoch, full.rows) == (1, third.rows)
        assert full.reason is not None
        assert "history" not in full.reason

    @pytest.mark.parametrize("full_every_days", [100, 0])
    def test_a_source_that_keeps_only_its_window_goes_on(self, sync: Sync, full_every_days: int) -> None:
        first = sync.snapshot()
        sync.change(*purges(first), run_results("new", after(minutes=30), "a"), marker("new", after(minutes=31)))

        second = sync.snapshot(full_every_days=full_every_days)

        assert (second.kind, second.epoch) == ("incremental" if full_every_days else "full", 1)
        assert len(sync.column("dbt_run_results", "status")) == (26 if full_every_days else 6)
        assert second.tables["dbt_run_results"].rows == 6
        third = sync.snapshot()
        assert (third.kind, third.epoch, third.rows) == ("incremental", 1, second.rows)

    @pytest.mark.parametrize("change", OTHERWISE.values(), ids=OTHERWISE.keys())
    def test_a_purged_source_that_is_taken_otherwise_goes_on(self, sync: Sync, change: Otherwise) -> None:
        first = sync.snapshot(change.before)
        sync.change(*purges(first), change.statement)

        second = sync.snapshot(change.after)

        assert (second.kind, second.epoch) == ("full", change.epoch)
        assert second.reason is not None
        assert change.reason in second.reason

    @pytest.mark.parametrize("change", OTHERWISE.values(), ids=OTHERWISE.keys())
    def test_tables_made_again_and_taken_otherwise_begin_a_new_epoch(self, sync: Sync, change: Otherwise) -> None:
        first = sync.snapshot(change.before)
        again = [f"UPDATE {table} SET created_at = created_at + INTERVAL 1 SECOND" for table in EVENTS]
        sync.change(*purges(first), *again, change.statement)

        assert sync.snapshot(change.after).epoch == 2

    @pytest.mark.parametrize(
        ("left", "epoch"), [("created_at >= TIMESTAMP '{begin}'", 1), ("created_at >= TIMESTAMP '{newest}'", 2)]
    )
    def test_postgresql_that_keeps_only_its_window_goes_on(
        self, left: str, epoch: int, postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
    ) -> None:
        write_postgres(small_world(days=3), postgres_server, postgres_database)
        store, keys = open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate())
        first = _take(postgres_server, postgres_database, store, keys)
        assert first.consistency is not None
        where = left.format(begin=first.consistency.window_from, newest=first.consistency.watermark)
        for name in EVENTS:
            postgres_server.execute(f"DELETE FROM elementary.{name} WHERE NOT {where}", database=postgres_database)
        new = f"{run_results('new', after(minutes=30), 'a')}; {marker('new', after(minutes=31))}"
        postgres_server.execute(f"SET search_path = elementary; {new}", database=postgres_database)

        second = _take(postgres_server, postgres_database, store, keys)

        assert (second.kind, second.epoch) == ("incremental" if epoch == 1 else "full", epoch)

    @pytest.mark.parametrize("full_every_days", [100, 0])
    def test_tables_made_again_in_the_hour_of_the_window_begin_a_new_epoch(
        self, sync: Sync, full_every_days: int
    ) -> None:
        first = sync.snapshot()
        again = [f"UPDATE {table} SET created_at = created_at + INTERVAL 1 MINUTE" for table in EVENTS]
        sync.change(*purges(first), *again)

        second = sync.snapshot(full_every_days=full_every_days)

        assert (second.kind, second.epoch) == ("full", 2)

    def test_a_day_missing_in_the_middle_begins_a_new_epoch_and_is_named(self, sync: Sync) -> None:
        sync.snapshot()
        gone = after(days=-2)
        sync.change(f"DELETE FROM dbt_run_results WHERE created_at::DATE = DATE '{gone:%Y-%m-%d}'")

        second = sync.snapshot()

        assert (second.kind, second.epoch) == ("full", 2)
        assert second.reason is not None
        assert f"found 15; rows of {gone:%Y-%m-%d} are gone" in second.reason

    def test_erased_history_is_reported_whatever_else_asked_for_a_full_snapshot(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change("DELETE FROM dbt_run_results", run_results("new", after(hours=2), "a"))

        second = sync.snapshot(Policy(categories=tuple(Category), failed_rows_days=99_999))

        assert second.epoch == 2
        assert second.reason is not None
        assert second.reason.startswith("the policy changed; history went back: dbt_run_results: rows of 2026-10-")

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE dbt_run_results SET message = 'removed on request' WHERE created_at::DATE = DATE '{day}'",
            "CREATE TEMP TABLE one AS SELECT * FROM dbt_run_results WHERE created_at::DATE = DATE '{day}' LIMIT 1; "
            "DELETE FROM dbt_run_results WHERE model_execution_id IN (SELECT model_execution_id FROM one); "
            "INSERT INTO dbt_run_results SELECT * REPLACE ('another' AS model_execution_id) FROM one",
        ],
    )
    def test_rows_replaced_in_place_are_found_by_an_audit_and_by_each_full_snapshot(
        self, sync: Sync, change: str
    ) -> None:
        sync.snapshot()
        changed = f"{after(days=-2):%Y-%m-%d}"
        sync.change(change.format(day=changed))

        unseen, audited = sync.snapshot(), sync.snapshot(audit_days=9)

        assert (unseen.kind, audited.kind, audited.epoch) == ("incremental", "full", 1)
        assert audited.reason is not None
        assert audited.reason.startswith(f"dbt_run_results: rows of {changed} were changed or replaced in place")
        sync.change(change.format(day=changed).replace("removed", "masked").replace("another", "third"))
        full = sync.snapshot(full_every_days=0)
        assert full.reason is not None
        assert f"; rows of dbt_run_results of {changed} were changed or replaced in place" in full.reason
        assert sync.snapshot(audit_days=9).kind == "incremental"
