"""Metrics since an earlier run: the verdicts are those of reading all, and unchanged files stay closed."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.detect import Method
from airflow_provider_elementary.anomalies.detect_recent import Scored, score_recent
from airflow_provider_elementary.anomalies.robust import replay
from airflow_provider_elementary.anomalies.robust.state import MODEL_VERSION
from airflow_provider_elementary.anomalies.stored_metrics import MetricRows, StoredMetrics
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.incidents.evaluate import (
    Evaluation,
    EvaluationOptions,
    evaluate_and_store,
    open_metrics,
)
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from airflow_provider_elementary.metrics.deduplicate import days_of
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.storage.encrypted_parquet import open_encrypted
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.records.result_document import Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import ResultNames, write_rows
from airflow_provider_elementary.storage.records.results import commit_result
from tests.support.stores import Rest, local_rest

FIRST = datetime(2026, 3, 2)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TABLES = ("ORDERS", "ITEMS", "CLICKS", "EVENTS")
Row = dict[str, Any]


class History:
    """Metrics that grow and change, stored as the task that computes them stores them: files of days and of weeks."""

    def __init__(self, path: Path, seed: int = 0) -> None:
        self.rest: Rest = local_rest(path)
        self.random = random.Random(seed)  # noqa: S311 - repeatable
        self.rows: list[Row] = []
        self.files: dict[tuple[date, date], tuple[list[Row], list[ResultFile]]] = {}
        self.keys = {one: self.rest.repository.keys.new_data_key(one, Purpose.RESULT) for one in Category}
        self.now, self.runs = FIRST, 0

    def grow(self, time: timedelta) -> None:
        """Add the buckets that end within some time."""
        until = self.now + time
        for table in TABLES:
            length = 12 * HOUR if table == "CLICKS" else DAY
            end = FIRST + length * ((self.now - FIRST) // length + 1)
            while end <= until:
                self.add(table, end - length, end)
                end += length
        self.now = until

    def add(self, table: str, start: datetime, end: datetime) -> None:
        value = self.random.choice([1, 1, 1, 1, 1, 4]) * round(self.random.gauss(1000, 20))
        column = "email" if table == "EVENTS" else None
        self.rows.append(
            {
                "id": f"{len(self.rows)}",
                "full_table_name": f"SHOP.CORE.{table}",
                "column_name": column,
                "metric_name": "null_count" if column else "row_count",
                "bucket_start": start,
                "bucket_end": end,
                "metric_value": float(value),
                "updated_at": end + self.random.random() * HOUR,
            }
        )

    def correct(self) -> None:
        """Change a value of any day."""
        self.random.choice(self.rows)["metric_value"] = 7.0

    def repeat(self) -> None:
        """Give a bucket a second row, at times with the same time of its update."""
        row = self.random.choice(self.rows)
        later = self.random.choice([timedelta(0), HOUR])
        self.rows.append(
            {**row, "id": f"{len(self.rows)}", "metric_value": 900.0, "updated_at": row["updated_at"] + later}
        )

    def begin(self) -> None:
        """Begin a series whose first buckets come late."""
        for number in range(3):
            self.add(f"NEW{len(self.rows)}", self.now - DAY * (number + 5), self.now - DAY * (number + 4))

    def lose(self) -> None:
        """Lose a bucket in the middle."""
        self.rows.remove(self.random.choice(self.rows))

    def purge(self) -> None:
        """Lose the oldest days."""
        oldest = min(row["bucket_end"] for row in self.rows) + 3 * DAY
        self.rows = [row for row in self.rows if row["bucket_end"] >= oldest]

    def stop(self) -> None:
        """Lose a table."""
        self.rows = [row for row in self.rows if row["full_table_name"] != "SHOP.CORE.ITEMS"]

    def store(self) -> Result:
        """Store the metrics; files of days in which nothing changed are those of the result before."""
        self.runs += 1
        names = ResultNames("metrics", "", f"run {self.runs}")
        table = pa.Table.from_pylist(self.rows, schema=METRICS_SCHEMA)
        by_period: dict[tuple[date, date], list[Row]] = {}
        for row, day in zip(self.rows, days_of(table).to_pylist(), strict=True):
            is_old = (self.now.date() - day).days > 10
            monday = day - timedelta(days=day.weekday())
            period = (monday, monday + 6 * DAY) if is_old else (day, day)
            by_period.setdefault(period, []).append(dict(row))
        files = {}
        for period, rows in by_period.items():
            if period in self.files and self.files[period][0] == rows:
                files[period] = self.files[period]
                continue
            batches = pa.Table.from_pylist(rows, schema=METRICS_SCHEMA).to_batches()
            label = f"{period[0]:%Y%m%d}-{period[1]:%Y%m%d}"
            repository = self.rest.repository
            files[period] = rows, write_rows(repository, names, batches, METRICS_SCHEMA, self.keys, period=label)
        self.files = files
        named = [file for _, of_period in files.values() for file in of_period]
        return commit_result(self.rest.repository, names, named, self.keys, origin={}, parameters={})

    def evaluate(self, result: Result, run: str = "") -> Evaluation:
        return evaluate_and_store(
            self.rest.repository,
            StoredMetrics.of(self.rest.repository, result),
            Lineage(),
            EvaluationOptions(method="robust"),
            series="dag/task",
            run_key=run or f"run {self.runs}",
            origin={"metrics": result.key},
        )

    def by_the_rule(self, result: Result) -> Scored:
        metrics, *_ = open_metrics(self.rest.repository, result.key, EvaluationOptions(method="elementary"))
        return score_recent(metrics, method="elementary", days=2, parameters={})

    def from_scratch(self, method: Method = "robust") -> Scored:
        rows = pa.Table.from_pylist(self.rows, schema=METRICS_SCHEMA)
        return score_recent(rows.to_reader(), method=method, days=2, parameters={})


def said(verdicts: pa.Table) -> list[Row]:
    names = [*METRICS_SCHEMA.names, "score", "expected_min", "expected_max", "kind", "reason", "training_size"]
    rows = verdicts.select([name for name in names if name in verdicts.column_names]).to_pylist()
    return sorted(rows, key=lambda row: (row["full_table_name"], row["bucket_end"], row["id"]))


def said_in_12_digits(verdicts: pa.Table) -> list[Row]:
    """Return what verdicts say where rows are summed in another order, which moves the last of 16 digits."""
    return [
        {name: f"{value:.12g}" if isinstance(value, float) else value for name, value in row.items()}
        for row in said(verdicts)
    ]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces so small that a few series fill several of them."""
    monkeypatch.setattr(replay, "SERIES_AT_A_TIME", 3)


@pytest.fixture
def opened_days(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The days of the files of metrics that are opened."""
    found: list[str] = []
    monkeypatch.setattr(
        "airflow_provider_elementary.storage.encrypted_parquet.open_encrypted",
        _noting(found),
    )
    return found


def _noting(found: list[str]) -> Callable[..., Any]:
    def noted(fetch: Any, key: bytes, name: str, *arguments: Any, **given: Any) -> Any:
        if "/metrics/" in name:
            found.append(name.rsplit(".", 2)[1])
        return open_encrypted(fetch, key, name, *arguments, **given)

    return noted


@pytest.mark.parametrize("seed", range(2))
def test_verdicts_since_the_run_before_are_those_of_all_metrics(seed: int, tmp_path: Path) -> None:
    history = History(tmp_path, seed)
    history.grow(24 * DAY)
    changes = [history.correct, history.repeat, history.begin, history.lose, history.purge, history.stop]
    history.random.shuffle(changes)
    resumed = 0
    for number, change in enumerate((lambda: None, lambda: None, *changes)):
        history.grow(history.random.choice([timedelta(0), HOUR, DAY, 4 * DAY]))
        change()
        found = history.evaluate(history.store())

        resumed += found.scored.resumed
        if number > 2:
            assert said(found.verdicts) == said(history.from_scratch().verdicts)
    assert resumed > 10


@pytest.mark.parametrize("seed", range(2))
def test_the_rule_on_random_histories_says_what_it_says_of_all_metrics(seed: int, tmp_path: Path) -> None:
    history = History(tmp_path, seed)
    history.grow(24 * DAY)
    changes = [history.correct, history.repeat, history.begin, history.lose, history.purge, history.stop]
    history.random.shuffle(changes)
    for change in changes:
        history.grow(history.random.choice([timedelta(0), HOUR, DAY, 4 * DAY]))
        change()

        found = history.by_the_rule(history.store())

        assert said_in_12_digits(found.verdicts) == said_in_12_digits(history.from_scratch("elementary").verdicts)


def test_files_in_which_nothing_changed_stay_closed(tmp_path: Path, opened_days: list[str]) -> None:
    history = History(tmp_path)
    history.grow(24 * DAY)
    history.evaluate(history.store())
    history.grow(DAY)
    stored = history.store()
    opened_days.clear()

    found = history.evaluate(stored)

    # The two days that are scored, the day learned since, the new one; and the day that became a week.
    assert set(opened_days) == {"20260316-20260322", *days_from("20260316", 1), *days_from("20260323", 4)}
    assert (found.scored.resumed, found.scored.replayed) == (4, 0)


def days_from(first: str, days: int) -> list[str]:
    begin = datetime.strptime(first, "%Y%m%d")
    return [f"{begin + DAY * number:%Y%m%d}-{begin + DAY * number:%Y%m%d}" for number in range(days)]


@pytest.mark.parametrize("ahead", [timedelta(0), 30 * DAY])
def test_the_rule_of_the_package_reads_the_days_of_its_windows(
    ahead: timedelta, tmp_path: Path, opened_days: list[str]
) -> None:
    history = History(tmp_path)
    history.grow(90 * DAY)
    # The bucket of a month that has just begun is not the newest.
    history.rows[-1] |= {"bucket_end": history.now + ahead, "updated_at": history.now}
    stored = history.store()
    opened_days.clear()

    found = history.by_the_rule(stored)

    assert said_in_12_digits(found.verdicts) == said_in_12_digits(history.from_scratch("elementary").verdicts)
    # Two days are scored; 14 are trained on, two detected in, and a window begins with a day.
    assert min(days[9:] for days in opened_days) >= f"{history.now - 20 * DAY:%Y%m%d}"


@pytest.mark.parametrize(("model", "counts"), [(MODEL_VERSION, (4, 0)), (MODEL_VERSION + 1, (0, 4))])
def test_another_release_replays_only_where_its_model_is_another(
    model: int, counts: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path)
    history.grow(24 * DAY)
    history.evaluate(history.store())
    history.grow(DAY)
    ours = [name for name in sys.modules if name.startswith("airflow_provider_elementary")]
    for name in ours:
        if hasattr(sys.modules[name], "__version__"):
            monkeypatch.setattr(f"{name}.__version__", "9.8.7")
    monkeypatch.setattr("importlib.metadata.version", lambda package: "9.8.7")
    monkeypatch.setattr("airflow_provider_elementary.snapshots.manifest.version", lambda package: "9.8.7")
    monkeypatch.setattr("airflow_provider_elementary.anomalies.robust.state_store.MODEL_VERSION", model)

    found = history.evaluate(history.store())

    assert (found.scored.resumed, found.scored.replayed) == counts
    assert said(found.verdicts) == said(history.from_scratch().verdicts)


def test_a_replayed_series_reads_what_the_others_need_not(tmp_path: Path, opened_days: list[str]) -> None:
    history = History(tmp_path)
    history.grow(24 * DAY)
    history.evaluate(history.store())
    history.rows[5]["metric_value"] = 7.0
    stored = history.store()
    opened_days.clear()

    found = history.evaluate(stored)

    assert {period for period, _ in history.files} <= {day_of(text) for text in opened_days}
    assert (found.scored.resumed, found.scored.replayed) == (3, 1)


def day_of(label: str) -> date:
    return datetime.strptime(label[:8], "%Y%m%d").date()


def test_without_the_metrics_of_the_run_before_all_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = History(tmp_path)
    history.grow(24 * DAY)
    first = history.store()
    history.evaluate(first)
    gone = history.files[(day := (FIRST + 23 * DAY).date(), day)][1]
    history.rows[-1]["metric_value"] = 7.0
    history.grow(DAY)
    second = history.store()
    for file in gone:
        history.rest.path(file.key).unlink()

    with caplog.at_level(logging.INFO):
        found = history.evaluate(second)
    history.rest.path(second.key).unlink()
    again = history.evaluate(history.store())

    assert "reading all metrics: those of the run before cannot be read" in caplog.text
    assert said(found.verdicts) == said(again.verdicts) == said(history.from_scratch().verdicts)
    assert (again.scored.resumed, again.scored.replayed) == (4, 0)


def test_where_most_files_are_new_all_are_read_once(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.grow(24 * DAY)
    first = history.store()
    history.files.clear()
    second = history.store()
    place = StoredMetrics.of(history.rest.repository, first).place

    assert StoredMetrics.of(history.rest.repository, second).since(place, 0) is None


def test_arrays_that_cannot_be_read_are_those_of_no_state(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = History(tmp_path)
    history.grow(24 * DAY)
    history.evaluate(history.store())
    for entry in history.rest.store.list("results/memories/"):
        if entry.key.endswith("table_metrics.arrays.parquet"):
            history.rest.path(entry.key).write_bytes(b"something else")
    history.grow(DAY)

    found = history.evaluate(history.store())

    assert "it cannot be read" in caplog.text
    assert (found.scored.resumed, found.scored.replayed) == (0, 4)
    assert said(found.verdicts) == said(history.from_scratch().verdicts)


def test_metrics_that_can_be_read_one_time_are_not_read_again(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([], schema=METRICS_SCHEMA).to_reader()
    metrics = MetricRows.once(rows)
    metrics.whole()

    with pytest.raises(ElementaryError, match="have to be read again"):
        metrics.whole()
