"""Times, zones and markers as they should not be: each costs a row at most, and is said by name."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.snapshots import Manifest
from airflow_provider_elementary.snapshots.capture.consistency import FUTURE
from airflow_provider_elementary.snapshots.summary import problems, summary_lines
from airflow_provider_elementary.snapshots.take import summarise_snapshot
from tests.support.syncs import (
    LAST_MARKER,
    Sync,
    after,
    marker,
    run_results,
)

DATED = tuple(name for name, table in TABLES.items() if table.watermark)
HOUR = timedelta(hours=1)


def rejected(manifest: Manifest) -> list[tuple[str, str, int]]:
    return [
        (f"{entry['table']}.{entry['column']}", entry["kind"], entry.get("rows", entry.get("values", 0)))
        for entry in manifest.rejected
    ]


def invocation(run: str, ended: datetime, ahead: timedelta) -> str:
    return (
        "INSERT INTO dbt_invocations (invocation_id, created_at, generated_at) "
        f"VALUES ('{run}', TIMESTAMP '{ended + ahead}', '{ended:%Y-%m-%d %H:%M:%S}')"
    )


class TestOneRow:
    @pytest.mark.parametrize("year", [2099, 9999])
    def test_a_row_of_the_future_is_left_out_alone_and_the_rest_goes_on(self, sync: Sync, year: int) -> None:
        sync.change(run_results("odd", datetime(year, 12, 31), "a"), marker("odd", LAST_MARKER))

        first = sync.snapshot()
        sync.change(run_results("half", after(minutes=30), "a"))
        second = sync.snapshot()
        sync.change(marker("half", after(minutes=40)))
        third = sync.snapshot()

        assert rejected(first) == [("dbt_run_results.created_at", FUTURE, 1)]
        assert first.consistency is not None
        assert first.consistency.watermark == LAST_MARKER.isoformat()
        assert (second.kind, third.kind) == ("incremental", "incremental")
        assert (second.tables["dbt_run_results"].new_rows, second.tables["dbt_run_results"].waiting) == (0, 1)
        assert third.tables["dbt_run_results"].new_rows == 1

    @pytest.mark.parametrize(
        ("value", "kind"),
        [("infinity", "infinite time"), ("-infinity", "infinite time"), ("0044-03-15 (BC)", "outside the years")],
    )
    def test_a_watermark_that_is_no_time_costs_its_row(self, sync: Sync, value: str, kind: str) -> None:
        sync.change(
            "INSERT INTO dbt_run_results (model_execution_id, invocation_id, created_at) "
            f"VALUES ('odd', 'odd', TIMESTAMP '{value}')"
        )

        first, second = sync.snapshot(), sync.snapshot()

        [(column, found, count)] = rejected(first)
        assert (column, count) == ("dbt_run_results.created_at", 1)
        assert kind in found
        assert (second.kind, second.files) == ("incremental", first.files)
        assert "odd" not in sync.column("dbt_run_results", "model_execution_id")

    @pytest.mark.parametrize("year", [1, 1500, 1677, 1700, 1800, 9999])
    def test_a_marker_of_another_century_stops_no_snapshot(self, sync: Sync, year: int) -> None:
        far = f"{year:04}-12-31 23:59:59" if year == 9999 else f"{year:04}-01-01 00:00:00"
        odd = "UPDATE dbt_invocations SET {column} = '{far}' WHERE invocation_id = '{run}'"
        sync.snapshot()
        for column in ("created_at", "generated_at", "run_completed_at"):
            run = f"odd {column}"
            sync.change(marker(run, LAST_MARKER - HOUR), odd.format(column=column, far=far, run=run))
        full = sync.snapshot(full_every_days=0)
        sync.change(
            run_results("next", after(minutes=30), "a"),
            marker("next", after(minutes=31)),
            *(odd.format(column=name, far=far, run="next") for name in ("generated_at", "run_completed_at")),
        )
        increment = sync.snapshot()

        assert full.consistency is not None
        assert full.consistency.watermark == LAST_MARKER.isoformat()
        assert (full.kind, increment.kind) == ("full", "incremental")
        assert increment.tables["dbt_run_results"].new_rows == 1

    def test_another_time_that_is_none_is_null_and_its_row_stays(self, sync: Sync) -> None:
        sync.change("UPDATE data_monitoring_metrics SET bucket_end = 'infinity', bucket_start = '-infinity'")

        manifest = sync.snapshot()

        rows = manifest.tables["data_monitoring_metrics"].rows
        assert rejected(manifest) == [
            ("data_monitoring_metrics.bucket_end", "infinite time", rows),
            ("data_monitoring_metrics.bucket_start", "infinite time", rows),
        ]
        assert sync.column("data_monitoring_metrics", "bucket_end") == [None] * rows

    def test_numbers_that_are_not_finite_are_null_and_said(self, sync: Sync) -> None:
        sync.change("UPDATE data_monitoring_metrics SET metric_value = 'nan' WHERE column_name IS NULL")

        manifest = sync.snapshot()

        assert [entry[:2] for entry in rejected(manifest)] == [
            ("data_monitoring_metrics.metric_value", "number that is not finite")
        ]

    def test_rows_without_a_time_are_taken_and_stop_nothing(self, sync: Sync) -> None:
        sync.change(*(f"UPDATE {table} SET created_at = NULL" for table in DATED))

        manifest = sync.snapshot()

        assert manifest.tables["dbt_run_results"].rows == 25

    @pytest.mark.parametrize(
        ("tables", "kind"),
        [(DATED, "TIMESTAMP"), (("dbt_run_results",), "VARCHAR"), (("dbt_run_results",), "TIMESTAMPTZ")],
        ids=["every table", "text", "with a zone"],
    )
    def test_a_new_row_without_a_time_is_taken_once_in_an_increment(
        self, sync: Sync, tables: tuple[str, ...], kind: str
    ) -> None:
        keys = {table: TABLES[table].key[0] for table in tables}

        def insert(*names: str) -> list[str]:
            rows = ", ".join(f"('{name}', NULL)" for name in names)
            return [f"INSERT INTO {table} ({key}, created_at) VALUES {rows}" for table, key in keys.items()]

        sync.change(*(f"ALTER TABLE {table} ALTER created_at TYPE {kind}" for table in tables), *insert("before"))
        first = sync.snapshot()
        increments = []
        for statements in (
            insert("first"),
            [],
            insert("second", "second"),
            [marker("later", after(hours=9))],
            insert("third"),
            [],
        ):
            sync.change(*statements)
            increments.append(sync.snapshot())
        found = {table: sync.column(table, key) for table, key in keys.items()}
        full = sync.snapshot(full_every_days=0)

        assert [(each.kind, each.reason, each.epoch) for each in increments] == [("incremental", None, 1)] * 6
        for table, key in keys.items():
            is_marker = int(table == "dbt_invocations")
            assert [each.tables[table].new_rows for each in increments] == [1, 0, 2, is_marker, 1, 0], table
            rows = first.tables[table].rows + 4 + is_marker
            assert increments[-1].tables[table].rows == full.tables[table].rows == rows, table
            assert sorted(found[table]) == sorted(sync.column(table, key)), table
            # A sample that has no age is never young enough for the policy.
            assert found[table].count("second") == (0 if table == "test_result_rows" else 2), table

    def test_a_row_without_a_time_that_goes_begins_a_new_epoch_and_says_so(self, sync: Sync) -> None:
        sync.change("UPDATE dbt_run_results SET created_at = NULL WHERE status = 'success'")
        first = sync.snapshot()
        undated = first.tables["dbt_run_results"].undated_rows
        sync.change("DELETE FROM dbt_run_results WHERE created_at IS NULL")

        second = sync.snapshot()

        assert undated
        assert second.reason == f"history went back: dbt_run_results: {undated} rows without a time, found 0"
        assert (second.kind, second.epoch) == ("full", 2)

    @pytest.mark.parametrize(("gone", "come"), [("first", "second")])
    def test_a_row_without_a_time_that_was_replaced_by_two_is_noticed(self, sync: Sync, gone: str, come: str) -> None:
        insert = "INSERT INTO dbt_run_results (model_execution_id) VALUES ('{}')"
        sync.change(insert.format(gone))
        sync.snapshot()
        sync.change(f"DELETE FROM dbt_run_results WHERE model_execution_id = '{gone}'")
        sync.change(insert.format(come), insert.format(come))

        second = sync.snapshot()

        assert (second.kind, second.epoch) == ("full", 2)
        assert gone not in sync.column("dbt_run_results", "model_execution_id")

    def test_too_many_rows_without_a_time_make_a_full_sync_that_says_so(
        self, sync: Sync, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_elementary.snapshots.capture.history._UNDATED_ROWS", 30)
        sync.snapshot()
        sync.change("INSERT INTO dbt_run_results (model_execution_id) SELECT i::varchar FROM range(31) AS t(i)")

        second, third = sync.snapshot(), sync.snapshot()

        assert second.reason == "dbt_run_results: 31 rows without a time are too many to compare"
        assert (second.epoch, third.kind) == (1, "incremental")

    @pytest.mark.parametrize("value", ["infinity", "-infinity", "0044-03-15 (BC)", "2099-01-01"])
    @pytest.mark.parametrize("kind", ["TIMESTAMP", "VARCHAR"])
    def test_an_increment_counts_rejected_rows_as_a_full_one_does(self, sync: Sync, value: str, kind: str) -> None:
        sync.change(
            f"ALTER TABLE dbt_run_results ALTER created_at TYPE {kind}",
            f"INSERT INTO dbt_run_results (model_execution_id, created_at) VALUES ('odd', {kind} '{value}')",
            "UPDATE dbt_models SET generated_at = 'CANARY'",
        )
        sync.snapshot()
        sync.change(run_results("next", after(minutes=30), "a"), marker("next", after(minutes=31)))

        increment, full = sync.snapshot(), sync.snapshot(full_every_days=0)

        assert (increment.kind, increment.rejected) == ("incremental", full.rejected)
        assert len(rejected(full)) == 1

    def test_counts_of_unusable_values_name_the_rows_that_they_cover(self, sync: Sync) -> None:
        sync.change(
            "ALTER TABLE dbt_run_results ALTER execution_time TYPE DOUBLE",
            "UPDATE dbt_run_results SET execution_time = 'nan' WHERE created_at < TIMESTAMP '2026-10-29'",
        )
        column = "of dbt_run_results.execution_time"
        full = sync.snapshot()
        sync.change(
            run_results("next", after(minutes=30), "a"),
            "UPDATE dbt_run_results SET execution_time = 'inf' WHERE invocation_id = 'next'",
            marker("next", after(minutes=31)),
        )

        increment, again = sync.snapshot(), sync.snapshot(full_every_days=0)

        assert problems(full) == [f"replaced by null 10 values {column}: number that is not finite"]
        assert (increment.kind, problems(increment)) == (
            "incremental",
            [f"replaced by null 1 value {column} in the rows that this increment read: number that is not finite"],
        )
        assert problems(again) == [f"replaced by null 11 values {column}: number that is not finite"]

    @pytest.mark.parametrize("nothing", ["", " ", "null", "None"])
    def test_text_for_no_time_is_no_time_whatever_stands_next_to_it(self, sync: Sync, nothing: str) -> None:
        sync.change(
            "ALTER TABLE dbt_run_results ALTER created_at TYPE VARCHAR",
            "INSERT INTO dbt_run_results (model_execution_id, created_at) "
            f"VALUES ('empty', '{nothing}'), ('odd', 'CANARY')",
        )

        manifest = sync.snapshot()

        assert rejected(manifest) == [("dbt_run_results.created_at", "text that is no time", 1)]
        assert "empty" in sync.column("dbt_run_results", "model_execution_id")

    def test_what_could_not_be_used_is_in_log_and_xcom_without_the_value(self, sync: Sync) -> None:
        sync.change(
            "ALTER TABLE dbt_run_results ALTER created_at TYPE VARCHAR",
            "INSERT INTO dbt_run_results (model_execution_id, created_at) VALUES ('odd', 'CANARY')",
        )

        manifest = sync.snapshot()
        lines = summary_lines(manifest, datetime(2026, 1, 1), datetime(2026, 1, 2))

        sentence = "excluded 1 row of dbt_run_results.created_at: text that is no time"
        assert sentence in lines
        assert summarise_snapshot(manifest, "file:///store")["problems"] == [sentence]
        assert "CANARY" not in repr(manifest)


class TestOtherTypes:
    @pytest.mark.parametrize(
        "change",
        [
            "VARCHAR",
            "VARCHAR USING strftime(created_at, '%Y-%m-%dT%H:%M:%S.%fZ')",
            "VARCHAR USING strftime(created_at, '%Y-%m-%d %H:%M:%S UTC')",
            "VARCHAR USING to_json(created_at)::VARCHAR",
            "VARCHAR USING strftime(created_at, '%a, %d %b %Y %H:%M:%S +0000')",
            "JSON USING to_json(created_at)",
            "BIGINT USING epoch_ms(created_at)",
            "DOUBLE USING epoch(created_at)",
            "TIMESTAMPTZ USING created_at AT TIME ZONE 'UTC'",
            "TIMESTAMP_NS",
            "TIMESTAMP_S",
        ],
    )
    def test_a_watermark_of_another_type_is_synced_in_increments(self, sync: Sync, change: str) -> None:
        as_declared = sync.snapshot()
        sync.change(*(f"ALTER TABLE {table} ALTER created_at TYPE {change}" for table in DATED))

        second = sync.snapshot()
        third = sync.snapshot()

        assert (second.epoch, third.kind) == (1, "incremental")
        assert {name: entry.rows for name, entry in third.tables.items()} == {
            name: entry.rows for name, entry in as_declared.tables.items()
        }
        assert (third.excluded, third.rejected) == ({}, ())

    def test_a_watermark_that_is_a_date_is_synced(self, sync: Sync) -> None:
        sync.change(*(f"ALTER TABLE {table} ALTER created_at TYPE DATE" for table in DATED))

        first, second = sync.snapshot(), sync.snapshot()

        assert first.tables["dbt_run_results"].rows == 25
        assert (second.kind, second.rejected) == ("incremental", ())


class TestZones:
    def test_sessions_of_two_zones_force_no_full_snapshot(self, sync: Sync) -> None:
        sync.change(
            invocation("tokyo 0", after(minutes=10), 9 * HOUR),
            run_results("tokyo 0", after(minutes=10) + 9 * HOUR, "a"),
        )
        kinds = [sync.snapshot().kind]
        for day in range(1, 4):
            for name, ahead, minutes in (("tokyo", 9 * HOUR, 10), ("utc", 0 * HOUR, 40)):
                ended = after(days=day, minutes=minutes)
                sync.change(run_results(f"{name} {day}", ended + ahead, "a"), invocation(f"{name} {day}", ended, ahead))
                kinds.append(sync.snapshot().kind)

        assert kinds == ["full"] + ["incremental"] * 6
        taken = sync.column("dbt_run_results", "invocation_id")
        assert {f"{name} {day}" for name in ("tokyo", "utc") for day in (1, 2, 3)} <= {*taken}

    def test_a_run_of_a_zone_behind_waits_for_its_marker_as_any_other(self, sync: Sync) -> None:
        sync.change(invocation("tokyo", after(minutes=10), 9 * HOUR))
        sync.snapshot()
        sync.change(run_results("half", after(minutes=30), "a"))

        second = sync.snapshot()

        assert second.consistency is not None
        assert second.consistency.waiting == ("half",)
