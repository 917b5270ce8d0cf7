"""The robust method's model state between runs: the verdicts are always those of one full replay."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.anomalies.detect_recent import Scored, score_recent
from airflow_provider_elementary.anomalies.feedback import Feedback
from airflow_provider_elementary.anomalies.metric_stream import shard_of
from airflow_provider_elementary.anomalies.robust import ModelState, replay
from airflow_provider_elementary.anomalies.robust import series_spool as spool
from airflow_provider_elementary.anomalies.robust.state_store import ModelStateStore, scoring_settings
from airflow_provider_elementary.anomalies.stored_metrics import MetricChanges, MetricRows
from airflow_provider_elementary.anomalies.summary import recent
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from tests.support.stores import Rest, local_rest

FIRST = datetime(2026, 8, 1)
DAY = timedelta(days=1)


def series(table: str, buckets: int, *, metric: str = "row_count", length: timedelta = DAY, **row: Any) -> pa.Table:
    """Return a noisy series with an incident every fortnight, a bucket after the other from :data:`FIRST`."""
    noise = np.random.default_rng(len(table)).normal(1000, 20, buckets).round()
    rows = [
        {
            "id": f"{table}-{metric}-{number}",
            "full_table_name": f"SHOP.CORE.{table}",
            "metric_name": metric,
            "bucket_start": FIRST + length * number,
            "bucket_end": FIRST + length * (number + 1),
            "metric_value": noise[number] * (3 if number % 14 == 13 else 1),
            "updated_at": FIRST + length * (number + 1),
            **row,
        }
        for number in range(buckets)
    ]
    return pa.Table.from_pylist(rows, schema=METRICS_SCHEMA)


def changed(metrics: pa.Table, table: str, day: int, **columns: Any) -> pa.Table:
    """Return metrics in which one bucket of a table is another."""
    rows = [{**row, **columns} if row["id"] == f"{table}-row_count-{day}" else row for row in metrics.to_pylist()]
    return pa.Table.from_pylist(rows, schema=METRICS_SCHEMA)


def days(metrics: pa.Table, until: int) -> pa.Table:
    return metrics.filter(pc.less_equal(metrics["bucket_end"], pa.scalar(FIRST + DAY * until, pa.timestamp("us"))))


SHOP = pa.concat_tables(
    [
        series("ORDERS", 60),
        series("ITEMS", 60, metric="failed_rows"),
        series("RUNS", 60, bucket_start=None),
        series("CUSTOMERS", 60, column_name="email", metric="null_percent", dimension="channel", dimension_value="web"),
    ]
)


_SHARES = series("SIGNUPS", 60, column_name="email", metric="null_percent")
_PLACE = _SHARES.column_names.index("metric_value")
_SHARES = _SHARES.set_column(_PLACE, "metric_value", pc.divide(_SHARES["metric_value"], 100))
#: A table with its row count and a share of about 10 % of these rows, and another table.
SIGNUPS = pa.concat_tables([series("SIGNUPS", 60), _SHARES, series("ORDERS", 60)])
CLICKS = series("CLICKS", 24 * 10, length=timedelta(hours=1))


@dataclass(frozen=True)
class Run(Scored):
    state: ModelState | None = None


def scored(metrics: pa.Table, state: ModelState | None = None, **arguments: Any) -> Run:
    shuffled = metrics.take(np.random.default_rng(len(metrics)).permutation(len(metrics)))
    pieces: list[pa.Table] = []
    given = {"method": "robust", "days": 2, "parameters": {}, "load_state": lambda: state, "keep_state": pieces.extend}
    found = score_recent(arguments.pop("rows", shuffled.to_reader(500)), **{**given, **arguments})
    kept = ModelState.of(pieces, found.learned_until) if pieces and found.learned_until is not None else None
    return Run(found.verdicts, found.tables, found.learned_until, found.resumed, found.replayed, kept)


@dataclass(frozen=True)
class KnownChanges(MetricRows):
    """Metrics of which it is known what changed since the state."""

    changes: MetricChanges

    def since(self, place: Mapping[str, str] | None, until: int) -> MetricChanges:
        return self.changes


def scored_since(metrics: pa.Table, state: ModelState, rest: pa.Table, **arguments: Any) -> Run:
    """Score metrics whose rows of days that the state learned from are read only where a series is replayed."""
    recent_rows, rest_rows = (partial(each.to_reader, 500) for each in (metrics, rest))
    changes = MetricChanges(added=None, removed=None, recent=recent_rows, rest=rest_rows)
    return scored(metrics, state, rows=KnownChanges(recent_rows, changes), **arguments)


def said(verdicts: pa.Table) -> list[dict[str, Any]]:
    return verdicts.sort_by([("full_table_name", "ascending"), ("bucket_end", "ascending")]).to_pylist()


def by_id(verdicts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in verdicts}


def known(state: ModelState) -> list[dict[str, Any]]:
    return whole(state).sort_by("full_table_name").to_pylist()


def whole(state: ModelState) -> pa.Table:
    arrays = pa.chunked_array([batch["arrays"] for batch in state.arrays()])
    return state.series.append_column("arrays", arrays)


def of_one_replay(metrics: pa.Table) -> list[dict[str, Any]]:
    verdicts = recent(detect(metrics, method="robust"), 2)
    return said(verdicts.select([name for name in verdicts.column_names if name not in _NOT_KEYS]))


_NOT_KEYS = ("metric_type", "bucket_duration_hours")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces so small that a few series fill several of them."""
    monkeypatch.setattr(replay, "SERIES_AT_A_TIME", 2)
    monkeypatch.setattr(spool, "SLICE_ROWS", 100)


def test_each_run_says_what_one_replay_of_everything_says() -> None:
    shop = pa.concat_tables([SHOP, CLICKS])
    state = None
    runs = []
    for until in (9, 10, 10, 40):
        run = scored(days(shop, until), state)
        runs.append((said(run.verdicts) == of_one_replay(days(shop, until)), run.resumed, run.replayed))
        state = run.state

    assert runs == [(True, 0, 5), *[(True, 5, 0)] * 3]


@pytest.mark.parametrize(
    ("what", "metrics"),
    [
        ("a value that was corrected", changed(days(SHOP, 51), "ORDERS", 30, metric_value=5.0)),
        ("a value that was taken back", changed(days(SHOP, 51), "ORDERS", 30, metric_value=None)),
        ("a bucket that moved", changed(days(SHOP, 51), "ORDERS", 30, bucket_start=FIRST, bucket_end=FIRST + DAY)),
        ("a bucket that is gone", days(SHOP, 51).filter(pc.not_equal(days(SHOP, 51)["id"], "ORDERS-row_count-30"))),
    ],
)
def test_only_the_series_whose_past_changed_is_replayed(what: str, metrics: pa.Table) -> None:
    state = scored(days(SHOP, 50)).state

    run = scored(metrics, state)

    assert (run.resumed, run.replayed) == (3, 1), what
    assert said(run.verdicts) == of_one_replay(metrics), what


def test_a_bucket_that_comes_late_is_taken_into_account() -> None:
    late = pc.equal(SHOP["id"], "ORDERS-row_count-30")
    state = scored(days(SHOP.filter(pc.invert(late)), 50)).state

    run = scored(days(SHOP, 51), state)

    assert (run.resumed, run.replayed) == (3, 1)
    assert said(run.verdicts) == of_one_replay(days(SHOP, 51))


def test_a_scored_bucket_may_change_without_a_replay() -> None:
    state = scored(changed(days(SHOP, 50), "ORDERS", 49, metric_value=7.0)).state

    run = scored(days(SHOP, 50), state)

    assert (run.resumed, run.replayed) == (4, 0)
    assert said(run.verdicts) == of_one_replay(days(SHOP, 50))


def test_series_come_and_go() -> None:
    state = scored(days(series("GONE", 50), 50)).state
    both = pa.concat_tables([days(SHOP, 51), series("NEW", 51)])

    run = scored(both, state)

    assert (run.resumed, run.replayed) == (0, 5)
    assert "SHOP.CORE.GONE" not in run.state.series["full_table_name"].to_pylist()
    assert said(run.verdicts) == of_one_replay(both)


def test_a_state_of_later_buckets_is_not_used_for_an_older_snapshot() -> None:
    state = scored(days(SHOP, 60)).state

    run = scored(days(SHOP, 50), state)

    assert (run.resumed, run.replayed) == (0, 4)
    assert said(run.verdicts) == of_one_replay(days(SHOP, 50))


QUIET = pa.concat_tables([SHOP, series("QUIET", 40)])
ABOUT_QUIET = [Feedback("sensitivity", full_table_name="SHOP.CORE.QUIET", sensitivity=2.0)]


@pytest.mark.parametrize("shards", [1, 2])
def test_a_series_without_new_buckets_is_replayed_from_all_its_buckets(shards: int) -> None:
    of_shard = {"shard": shard_of("SHOP.CORE.QUIET", shards), "shards": shards}
    state = scored(QUIET, **of_shard).state
    assert state is not None

    found = scored_since(QUIET, state, QUIET, feedback=ABOUT_QUIET, **of_shard)

    expected = scored(QUIET, feedback=ABOUT_QUIET, **of_shard)
    assert found.replayed == 1
    assert found.state is not None
    assert expected.state is not None
    assert known(found.state) == known(expected.state)
    assert said(found.verdicts) == said(expected.verdicts)


def test_a_state_that_lacks_a_series_of_unchanged_files_is_not_resumed() -> None:
    state = scored(QUIET).state
    assert state is not None
    more = pa.concat_tables([QUIET, series("UNKNOWN", 40)])

    found = scored_since(more, state, more, feedback=ABOUT_QUIET)

    expected = scored(more, feedback=ABOUT_QUIET)
    assert found.state is not None
    assert expected.state is not None
    assert known(found.state) == known(expected.state)


def test_a_percentage_is_replayed_with_the_row_count_that_it_is_of() -> None:
    state = scored(SIGNUPS).state
    corrected = changed(SIGNUPS, "SIGNUPS", 20, metric_value=25.0)

    found = scored(corrected, state)

    assert (found.resumed, found.replayed) == (1, 2)
    assert by_id(said(found.verdicts)) == by_id(of_one_replay(corrected))
    assert by_id(said(found.verdicts)) != by_id(of_one_replay(SIGNUPS))


def test_a_replayed_percentage_reads_the_row_counts_of_a_series_that_resumes() -> None:
    state = scored(SIGNUPS).state
    assert state is not None
    percent = [Feedback("sensitivity", metric_name="null_percent", sensitivity=2.0)]

    found = scored_since(SIGNUPS, state, SIGNUPS, feedback=percent)

    expected = scored(SIGNUPS, feedback=percent)
    assert (found.resumed, found.replayed) == (2, 1)
    assert by_id(said(found.verdicts)) == by_id(said(expected.verdicts))


def test_a_series_whose_rows_have_no_end_does_not_make_a_state_unusable() -> None:
    state = scored(QUIET).state
    assert state is not None
    rest = pa.concat_tables([QUIET, series("ENDLESS", 3, bucket_end=None)])

    # A second call fails.
    load_once = iter([state]).__next__
    found = scored_since(QUIET, state, rest, feedback=ABOUT_QUIET, load_state=load_once)

    assert (found.resumed, found.replayed) == (4, 1)


def test_first_buckets_that_were_replaced_since_do_not_decide_the_frequency() -> None:
    hourly = series("NEW", 3, length=timedelta(hours=1))
    late = [
        {**row, "bucket_start": row["bucket_start"] + 58 * DAY, "bucket_end": row["bucket_end"] + 58 * DAY}
        for row in hourly.to_pylist()
    ]
    state = scored(pa.concat_tables([SHOP, pa.Table.from_pylist(late, schema=METRICS_SCHEMA)])).state
    assert state is not None
    daily = [{**row, "bucket_start": row["bucket_end"] - DAY} for row in late[2:]]
    metrics = pa.concat_tables([SHOP, pa.Table.from_pylist(daily, schema=METRICS_SCHEMA)])

    found = scored_since(metrics, state, metrics)

    expected = scored(metrics)
    assert found.state is not None
    assert expected.state is not None
    assert known(found.state) == known(expected.state)
    assert said(found.verdicts) == said(expected.verdicts)


def test_a_week_that_has_just_begun_does_not_hide_the_days() -> None:
    week = series("WEEKS", 1, length=7 * DAY, updated_at=FIRST)

    assert len(scored(pa.concat_tables([week, days(SHOP, 5)])).verdicts) == 2 * 4 + 1


class TestModelStateStore:
    """Stored model states: encrypted, two per task, and ignored where they do not fit."""

    @pytest.fixture
    def rest(self, tmp_path: Path) -> Rest:
        return local_rest(tmp_path)

    @staticmethod
    def states(rest: Rest, run: str, **way: Any) -> ModelStateStore:
        fits = scoring_settings(way.pop("parameters", {}), **{"days": 2, "shard": 0, "shards": 1, **way})
        return ModelStateStore(rest.repository, "dag/task/0", run, fits)

    def run(self, rest: Rest, number: int, **way: Any) -> Run:
        states = self.states(rest, f"run {number}", **way)
        found = scored(days(SHOP, 40 + number), states.load())
        states.keep(iter([whole(found.state)]))
        states.save(found.learned_until, {})
        return found

    def test_a_run_resumes_from_the_state_of_the_run_before(self, rest: Rest) -> None:
        runs = [self.run(rest, number) for number in range(3)]

        assert [(run.resumed, run.replayed) for run in runs] == [(0, 4), (4, 0), (4, 0)]
        assert said(runs[-1].verdicts) == of_one_replay(days(SHOP, 42))

    def test_two_states_are_kept(self, rest: Rest) -> None:
        for number in range(4):
            self.run(rest, number)

        kept = [entry.key for entry in rest.store.list("results/memories/")]
        assert len([key for key in kept if not key.endswith(".parquet")]) == 2
        assert len([key for key in kept if key.endswith(".parquet")]) == 8

    def test_a_second_attempt_resumes_from_where_the_first_did(self, rest: Rest) -> None:
        first = self.run(rest, 0)
        self.run(rest, 1)

        found = self.states(rest, "run 1").load()

        assert (found.until, known(found)) == (first.state.until, known(first.state))

    @pytest.mark.parametrize(
        "way",
        [{"parameters": {"alarm": 3.5}}, {"days": 3}, {"shard": 1, "shards": 2}],
        ids=["parameters", "days", "shard"],
    )
    def test_a_state_of_other_settings_does_not_fit(
        self, rest: Rest, way: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        self.run(rest, 0)

        with caplog.at_level(logging.INFO):
            found = self.states(rest, "run 1", **way).load()

        assert found is None
        assert "parameters changed" in caplog.text

    def test_a_state_of_another_format_does_not_fit(self, rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run(rest, 0)
        monkeypatch.setattr("airflow_provider_elementary.anomalies.robust.state_store.FORMAT", b"0")

        assert self.states(rest, "run 1").load() is None

    def test_a_state_that_cannot_be_read_is_ignored_for_the_one_before(
        self, rest: Rest, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = self.run(rest, 0)
        before = {entry.key for entry in rest.store.list("results/memories/")}
        self.run(rest, 1)
        for entry in rest.store.list("results/memories/"):
            if entry.key.endswith(".parquet") and entry.key not in before:
                rest.path(entry.key).write_bytes(b"something else")

        found = self.states(rest, "run 2").load()

        assert (found.until, known(found)) == (first.state.until, known(first.state))
        assert "it cannot be read" in caplog.text

    def test_without_a_state_everything_is_replayed_and_the_log_says_so(
        self, rest: Rest, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            found = self.states(rest, "run 0").load()

        assert found is None
        assert "no saved state; replaying all series from the beginning" in caplog.text

    def test_a_parameter_that_is_unknown_is_refused_before_anything_is_read(self) -> None:
        with pytest.raises(ConfigurationError, match="sensibility"):
            scoring_settings({"sensibility": 3}, days=2, shard=0, shards=1)
