"""Metrics by day: what is computed of the days that new rows touch is what computing everything gives."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import StoreError, StoreRefusedError
from airflow_provider_elementary.metrics import METRICS_SCHEMA, by_day, earlier
from airflow_provider_elementary.metrics.by_day import update_metrics
from airflow_provider_elementary.metrics.facts import DAYS_BACK
from airflow_provider_elementary.snapshots import LocalKeys
from airflow_provider_elementary.snapshots.maintenance.outdated_results import outdated_results
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.storage.layout import result_file_periods
from airflow_provider_elementary.storage.records import results as stored_results
from airflow_provider_elementary.storage.records.result_document import STATE, Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import read_files
from tests.support.metric_histories import (
    BEGINNING,
    OF_THE_PRESENT,
    ORDERS,
    MetricHistory,
    Metrics,
    day_of,
    name_of,
    table,
)
from tests.support.syncs import CountedKeys
from tests.support.table_source import TableSource

#: `make acceptance` runs more.
HISTORIES = int(os.environ.get("ELEMENTARY_METRIC_HISTORIES", "1"))
FAR_AHEAD = datetime(2100, 1, 1, tzinfo=UTC)
_STEPS: tuple[Callable[[MetricHistory], None], ...] = (
    MetricHistory.a_run,
    MetricHistory.a_run,
    MetricHistory.a_run,
    MetricHistory.a_late_run,
    MetricHistory.rows_are_written_twice,
    MetricHistory.rows_are_corrected,
)


def comparable(metrics: Metrics, history: MetricHistory) -> Metrics:
    """Return the metrics of days that are not frozen: no row that they depend on was purged."""
    first = history.purged_until
    if first.year > 1:
        first += timedelta(days=DAYS_BACK + 1)
    return {key: value for key, value in metrics.items() if day_of(key) >= first and name_of(key) not in OF_THE_PRESENT}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[MetricHistory, Result]:
    """A history of one run with its snapshot, and the metrics of it; copy it before use."""
    history = MetricHistory(tmp_path_factory.mktemp("once"), 0)
    history.a_run()
    history.snapshot()
    return history, history.update()


@pytest.fixture
def history(once: tuple[MetricHistory, Result], tmp_path: Path) -> MetricHistory:
    return once[0].copied(tmp_path)


@pytest.fixture
def first(once: tuple[MetricHistory, Result]) -> Result:
    return once[1]


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_incremental_metrics_equal_those_from_scratch(
    seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = MetricHistory(tmp_path, seed)
    caplog.set_level(logging.INFO, "airflow_provider_elementary.metrics.by_day")
    before: Metrics = {}
    for step in range(9):
        history.now += timedelta(hours=history.random.choice([1, 20, 24, 50, 24 * 4, 24 * 15]))
        history.random.choice(_STEPS)(history)
        history.a_run()
        if step == 6:
            history.old_rows_are_purged()
        history.snapshot(full_every_days=0 if step == 5 else 100_000)

        stored = history.stored(history.update())

        # What was purged stays.
        assert {key[0] for key in before if day_of(key) < history.purged_until} <= {key[0] for key in stored}
        before = stored
        if step in (4, 8):
            expected = comparable(history.from_scratch(), history)
            assert comparable(stored, history) == expected, f"step {step}"
    assert caplog.text.count("computing metrics from scratch") == 1


def test_a_table_that_is_renamed_does_not_rename_its_past(history: MetricHistory, first: Result) -> None:
    before = history.stored(first)

    history.now += timedelta(days=1)
    history.sync.change("UPDATE dbt_models SET alias = 'renamed' WHERE unique_id = 'model.orders'")
    history.a_run()
    history.snapshot(full_every_days=0)
    second = history.stored(history.update())

    runs = {key for key in before if name_of(key) == "success_rate"}
    assert runs <= set(second)
    later = {key[1] for key in second if name_of(key) == "success_rate" and day_of(key) > BEGINNING}
    assert "SHOP.CORE.RENAMED" in later
    assert ORDERS not in later


def test_a_test_of_another_quality_dimension_leaves_past_health_scores(history: MetricHistory, first: Result) -> None:
    def dimensions(stored: Metrics) -> dict[datetime, set[str]]:
        place = METRICS_SCHEMA.names.index("dimension_value")
        found: dict[datetime, set[str]] = {}
        for key in stored:
            if name_of(key) == "health_score" and key[place] is not None:
                found.setdefault(day_of(key), set()).add(key[place])
        return found

    before = dimensions(history.stored(first))

    history.now += timedelta(days=1)
    history.sync.change("UPDATE dbt_tests SET quality_dimension = 'completeness'")
    history.a_run()
    # A row of the first day that comes late has that day computed again.
    history.a_run(BEGINNING)
    history.snapshot(full_every_days=0)
    second = dimensions(history.stored(history.update()))

    day, later = sorted(second)
    # Of unit tests nothing says a dimension.
    assert before[day] == {"uniqueness", "other"}
    assert second[day] >= before[day]
    assert second[later] - {"other"} == {"completeness"}


def test_counts_of_tests_are_a_series_from_run_to_run(tmp_path: Path) -> None:
    history = MetricHistory(tmp_path, 0)
    for _ in range(3):
        history.a_run()
        history.snapshot()
        stored = history.stored(history.update())
        history.now += timedelta(days=1)

    counts = {day_of(key): value for key, value in stored.items() if name_of(key) == "test_count" and key[1] == ORDERS}
    assert list(counts.values()) == [1.0, 1.0, 1.0]


def test_metrics_start_again_when_the_source_does(history: MetricHistory, caplog: pytest.LogCaptureFixture) -> None:
    history.the_schema_is_refreshed()
    history.now += timedelta(days=1)
    history.a_run()
    history.snapshot()

    with caplog.at_level(logging.INFO):
        stored = history.stored(history.update())

    assert "computing metrics from scratch: the source began a new history" in caplog.text
    assert stored == history.from_scratch()


def lasting(result: Result) -> list[ResultFile]:
    """Return the files that later results share; those that only save reading are of each run."""
    return [file for file in result.files if file not in result.saved_files]


def test_a_run_without_new_rows_writes_no_file_of_metrics(history: MetricHistory, first: Result) -> None:
    second = history.update()

    assert lasting(second) == lasting(first)
    assert second.key != first.key


def test_a_file_goes_with_the_last_result_that_names_it(tmp_path: Path) -> None:
    history, results = MetricHistory(tmp_path, 0), []
    for _ in range(4):
        history.a_run()
        history.snapshot()
        results.append(history.update())
        history.now += timedelta(days=1)
    newest = history.sync.repository.latest()

    outdated = outdated_results(history.sync.repository, [newest.snapshot_id], newest.taken_at, FAR_AHEAD)

    assert {result.key for result in outdated.results} == {results[0].key, results[1].key}
    kept = {file.key for result in results[2:] for file in result.files}
    shared = {file.key for file in results[1].files} & kept
    assert shared
    assert not any(outdated.names(name) for name in kept)
    assert all(outdated.names(file.key) for file in results[0].files if file.key not in kept)


def test_metrics_that_no_longer_open_are_computed_from_scratch(
    history: MetricHistory, first: Result, caplog: pytest.LogCaptureFixture
) -> None:
    for file in first.files:
        history.sync.store.delete(file.key)
    history.now += timedelta(hours=1)
    history.a_run()
    history.snapshot()

    with caplog.at_level(logging.INFO):
        stored = history.stored(history.update())

    assert "computing metrics from scratch: " in caplog.text
    assert stored == history.from_scratch()


def test_what_a_first_attempt_wrote_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    history = MetricHistory(tmp_path, 0)
    history.now += timedelta(days=5)
    history.a_run()
    history.snapshot()
    first = history.update()
    for file in first.files:
        if file.category != STATE:
            history.sync.store.delete(file.key)
    # Its day comes before all that are stored: it is written before the missing files are read.
    history.a_run(BEGINNING)
    history.snapshot()

    result = history.update()

    assert history.stored(result) == history.from_scratch()
    there = {found.key for found in history.sync.store.list(result.file_prefix)}
    assert there == {file.key for file in result.files}


def test_a_store_that_fails_for_a_moment_loses_no_metrics(
    history: MetricHistory, first: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = history.stored(first)
    history.now += timedelta(days=80)
    history.a_run()
    history.snapshot()
    history.old_rows_are_purged()
    history.a_run()
    history.snapshot(full_every_days=0)

    def fails(*_: object, **__: object) -> None:
        raise StoreError("busy")

    for name in ("read_files", "earlier_results", "read_signed"):
        with monkeypatch.context() as patched:
            patched.setattr(earlier, name, fails)
            with pytest.raises(StoreError, match="busy"):
                history.update()

    after = history.stored(history.update())
    lasting = {key for key in before if name_of(key) not in OF_THE_PRESENT}
    assert lasting - set(history.from_scratch())
    assert lasting <= set(after)


def test_results_of_other_sources_do_not_interrupt_the_history(
    history: MetricHistory, caplog: pytest.LogCaptureFixture
) -> None:
    old = history.source()
    history.now += timedelta(days=1)
    history.a_run()
    history.snapshot()
    before = history.update()
    repository = history.sync.repository
    source = TableSource(
        {"data_monitoring_metrics": table("data_monitoring_metrics", [history.bucket("orders", BEGINNING)])}
    )
    update_metrics(repository, old, run_key="old", origin={"snapshot_id": old.manifest.snapshot_id})
    update_metrics(repository, source, run_key="warehouse", origin={})

    gone = outdated_results(repository, ["another"], repository.latest().taken_at, FAR_AHEAD)
    with caplog.at_level(logging.INFO):
        after = history.update()

    assert before.key not in {result.key for result in gone.results}
    assert "from scratch" not in caplog.text
    assert lasting(after) == lasting(before)


def test_rows_without_an_id_stay_on_purged_days_of_a_period_that_is_read_again() -> None:
    def rows(*buckets: tuple[int, float]) -> list[pa.RecordBatch]:
        found = [
            {
                "full_table_name": ORDERS,
                "metric_name": "row_count",
                "bucket_end": datetime(2026, 3, day, 12),
                "metric_value": value,
                "is_collected": True,
            }
            for day, value in buckets
        ]
        return pa.Table.from_pylist(found, schema=by_day._STORED).to_batches()

    old, new = rows((2, 1.0), (2, 2.0), (9, 3.0)), rows((9, 4.0), (10, 5.0))

    combined = by_day._combined(lambda: old, lambda: new, (), is_replaced=True)

    assert sorted(value for batch in combined for value in batch["metric_value"].to_pylist()) == [1.0, 2.0, 4.0, 5.0]


def test_late_rows_of_many_periods_are_written_into_few_files(tmp_path: Path) -> None:
    history = MetricHistory(tmp_path, 0)
    for _ in range(130):
        history.a_run()
        history.now += timedelta(days=1)
    history.snapshot()
    first = history.update()
    history.now += timedelta(hours=1)
    for days in range(2, 128, 9):
        history.a_run(history.now - timedelta(days=days))
    history.snapshot()
    second = history.update()

    written = set(second.files) - set(first.files)

    # Of each category newer days, days, weeks and months.
    assert len(written) <= 3 * 5
    assert len({period for file in written for period in result_file_periods(file.key)}) > len(written)
    assert comparable(history.stored(second), history) == comparable(history.from_scratch(), history)


def test_facts_of_a_period_that_is_merged_stay_though_they_were_not_loaded(tmp_path: Path) -> None:
    history = MetricHistory(tmp_path, 0, now=datetime(2022, 3, 2, 6))
    history.a_run()
    history.snapshot()
    history.update()
    history.now += timedelta(days=90)
    history.a_run()
    history.snapshot()
    before = facts(history, history.update())
    history.now += timedelta(days=1_200)
    history.a_run(datetime(2022, 3, 2, 7))
    history.snapshot()

    assert before < facts(history, history.update())


def facts(history: MetricHistory, result: Result) -> set[tuple[str, str]]:
    batches = read_files(history.sync.repository, result, result.state_files)
    rows = (row for batch in batches for row in batch.to_pylist())
    return {(row["fact"], row["key"]) for row in rows}


def test_a_result_that_cannot_be_read_keeps_those_whose_files_it_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, results = MetricHistory(tmp_path, 0), []
    history.a_run()
    history.snapshot()
    for _ in range(5):
        results.append(history.update())
    repository = history.sync.repository
    find = stored_results.find_result

    def find_or_refuse(opened: Repository, key: str) -> Result | None:
        if key == results[4].key:
            raise StoreRefusedError("archived")
        return find(opened, key)

    monkeypatch.setattr(stored_results, "find_result", find_or_refuse)
    assert not outdated_results(repository, ["another"], repository.latest().taken_at, FAR_AHEAD).results


def test_without_the_key_of_run_results_metrics_are_computed_from_scratch(tmp_path: Path) -> None:
    history = MetricHistory(tmp_path, 0)
    history.a_run()
    history.snapshot()
    master = LocalKeys.generate()
    history.sync.keys = CountedKeys(LocalKeys({name: key for name, key in master.items() if name != "run_results"}))
    repository = history.sync.repository
    source = TableSource(
        {"data_monitoring_metrics": table("data_monitoring_metrics", [history.bucket("orders", BEGINNING)])}
    )

    result = update_metrics(repository, source, run_key="run", origin={})

    assert [file.category for file in result.files] in ([Category.TABLE_METRICS], [Category.AGGREGATED_METRICS])
