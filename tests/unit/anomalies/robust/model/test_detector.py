"""method="robust": what it flags and what it leaves alone, and that a verdict depends on nothing but the past."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import detect, robust
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.exceptions import ConfigurationError
from tests.support.metric_series import daily, hourly

WEEK = (1000, 1010, 990, 1005, 995, 300, 280)
ZIGZAG = (1000.0, 1060.0, 950.0, 1030.0, 960.0, 1010.0, 1045.0, 970.0, 1020.0, 940.0)


def noisy(buckets: int, level: float = 1000, noise: float = 20, seed: int = 1) -> list[float | None]:
    """Return whole numbers around a level."""
    return list(np.round(np.random.default_rng(seed).normal(level, noise, buckets)))


def weekly(days: int, seed: int = 1) -> list[float | None]:
    """Return days of a week with quiet weekends."""
    wobble = np.random.default_rng(seed).normal(1, 0.02, days)
    return [float(round(WEEK[day % 7] * wobble[day])) for day in range(days)]


def wild(buckets: int, seed: int = 1) -> list[float | None]:
    """Return heavy-tailed values, a tenth of them missing."""
    generator = np.random.default_rng(seed)
    values = 100 + 10 * generator.standard_t(2, buckets)
    return [None if generator.random() < 0.1 else float(value) for value in values]


def tables(*values: list[float | None], make=daily) -> pa.Table:
    """Return one series per list, their buckets in turn."""
    joined = pa.concat_tables(
        [make(series, full_table_name=f"SHOP.CORE.T{number}") for number, series in enumerate(values)]
    )
    return joined.sort_by([("bucket_start", "ascending"), ("full_table_name", "descending")])


def kinds(verdicts: pa.Table) -> list[str | None]:
    return verdicts["kind"].to_pylist()


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ([2000], "spike"),
        ([400], "drop"),
        ([0], "drop"),
        ([None], "missing bucket"),
        ([0, 0], "run of zeros"),
        ([1500, 1500 + 7, 1500 - 4], "level shift"),
    ],
)
def test_an_incident_is_named(last: list[float | None], kind: str) -> None:
    verdicts = robust.score(daily(noisy(60) + last))

    assert kinds(verdicts)[-1] == kind
    assert verdicts["is_anomalous"].to_pylist()[-1]


def test_values_that_stand_still_are_frozen() -> None:
    averages = [value / 7 for value in noisy(60)]

    verdicts = robust.score(daily([*averages, *[averages[-1]] * 4], metric_name="average"))

    assert "frozen" in kinds(verdicts)[-3:]


@pytest.mark.parametrize(("make", "past", "accepted"), [(daily, 60, 28), (hourly, 400, 168)])
def test_values_that_stand_still_for_long_are_as_expected(make, past: int, accepted: int) -> None:
    values = noisy(past)

    verdicts = robust.score(make([*values, *[values[-1]] * (accepted + 60)]))

    tail = verdicts.slice(past).to_pylist()
    assert [row["reason"] for row in tail[accepted:]] == ["as expected"] * 60
    assert all(
        row["score"] <= 1 and row["expected_min"] <= row["metric_value"] <= row["expected_max"]
        for row in tail[accepted:]
    )
    assert tail[accepted - 1]["reason"] == "continues as flagged before"


def test_only_a_late_table_is_anomalously_fresh() -> None:
    ages = noisy(60, level=20_000, noise=500)

    verdicts = robust.score(
        tables([*ages, 90_000.0], [*ages, 100.0]).set_column(2, "metric_name", [["freshness"] * 122])
    )

    assert kinds(verdicts)[-2:] == [None, "late"]


def test_a_quiet_weekend_is_no_incident() -> None:
    verdicts = robust.score(daily(weekly(120)))

    assert not any(verdicts["is_anomalous"].to_pylist())


def test_without_a_second_model_a_working_day_is_an_incident_on_a_sunday() -> None:
    values = weekly(119)
    values[-1] = 1000.0

    assert kinds(robust.score(daily(values), agreement=0))[-1] == "spike"
    # The second model looks at the level of all days too.
    assert kinds(robust.score(daily(values)))[-1] is None


def test_a_past_incident_hides_nothing() -> None:
    values = noisy(90)
    values[60], values[80] = 5000.0, 1400.0

    verdicts = robust.score(daily(values))

    assert [kinds(verdicts)[60], kinds(verdicts)[80]] == ["spike", "spike"]


def test_a_new_level_is_flagged_and_then_accepted() -> None:
    verdicts = robust.score(daily(noisy(60) + noisy(30, level=3000, noise=60)))

    assert kinds(verdicts)[60:63] == ["spike", "spike", "level shift"]
    assert not any(verdicts["is_anomalous"].to_pylist()[63:])


def test_a_level_that_creeps_away_has_drifted() -> None:
    creeping = [value * 1.03**day for day, value in enumerate(ZIGZAG + ZIGZAG[:4])]

    # The second model follows the last value, so that it never agrees to a drift.
    verdicts = robust.score(daily([*ZIGZAG * 9, *creeping]), agreement=0)

    assert "drift" in kinds(verdicts)[90:]
    assert not any(verdicts["is_anomalous"].to_pylist()[:90])


def test_a_steady_growth_is_no_drift() -> None:
    growing = [value * 1.01**day for day, value in enumerate(noisy(200))]

    verdicts = robust.score(daily(growing))

    assert "drift" not in kinds(verdicts)


def test_a_table_that_comes_ever_earlier_has_not_drifted() -> None:
    ages = [value * 0.97**day for day, value in enumerate(noisy(20, level=20_000, noise=200))]

    verdicts = robust.score(daily(noisy(90, level=20_000, noise=200) + ages, metric_name="freshness"))

    assert not any(verdicts["is_anomalous"].to_pylist()[90:])


def test_a_long_run_of_zeros_in_a_sparse_series_is_flagged() -> None:
    sparse = list(np.where(np.random.default_rng(4).random(150) < 0.5, 0.0, 500.0 + np.arange(150) % 7))

    verdicts = robust.score(daily([*sparse, *[0.0] * 20]))

    assert "run of zeros" in kinds(verdicts)[150:]


def test_values_where_zero_is_the_rule_become_a_habit() -> None:
    loads = [40.0 if day % 16 == 15 else 0.0 for day in range(208)]

    flagged = [kind is not None for kind in kinds(detect(daily([50.0, *loads]), method="robust"))]

    assert sum(flagged[:105]) <= 3
    assert not any(flagged[105:])


@pytest.mark.parametrize(
    ("last", "least", "kind"), [(115.0, 0.25, None), (115.0, 0.0, "spike"), (140.0, 0.25, "spike")]
)
def test_a_sum_that_is_off_by_less_than_a_quarter_is_no_anomaly(last: float, least: float, kind: str | None) -> None:
    sums = daily([*noisy(60, level=100.5, noise=1), last], metric_name="sum")

    found = detect(sums, method="robust", least_change_of_sum=least).to_pylist()[-1]

    assert found["kind"] == kind
    assert (found["expected_min"] <= last <= found["expected_max"]) == (kind is None)


def test_a_wild_series_raises_its_own_bar() -> None:
    calm, heavy = [value for value in noisy(400, level=100, noise=10)], wild(400)

    verdicts = robust.score(tables([*calm, None, 180.0], [*heavy, None, 180.0]))

    assert kinds(verdicts)[-2:] == [None, "spike"]


def test_without_enough_history_it_abstains_and_says_so() -> None:
    verdicts = robust.score(daily([*noisy(20), 1500.0]))

    assert verdicts["score"].null_count == 21
    assert not any(verdicts["is_anomalous"].to_pylist())
    assert verdicts["reason"].to_pylist()[-1] == ("not enough history: 21 buckets are needed before the first verdict")


def test_a_reason_gives_value_expectation_and_history() -> None:
    verdicts = robust.score(daily([*[1000.0, 1010.0, 990.0] * 20, 2000.0]))

    assert (
        verdicts["reason"]
        .to_pylist()[-1]
        .startswith("orders: row count 2,000 rows on Mon 30 Nov 2026 is a spike; expected ")
    )
    assert ", from 56 earlier buckets; no alarm as high came in 39 days among" in verdicts["reason"].to_pylist()[-1]


def test_an_expected_bucket_lies_in_its_range() -> None:
    verdicts = robust.score(daily(noisy(60))).slice(30)

    value, low, high = (verdicts[name].to_numpy() for name in ("metric_value", "expected_min", "expected_max"))
    assert ((low <= value) & (value <= high)).all()


def diverse() -> list[list[float | None]]:
    return [wild(400, seed) for seed in range(5)] + [noisy(400, level=3, noise=2), weekly(400)]


@cache
def verdicts_of_all(make) -> pa.Table:
    return robust.score(tables(*diverse(), make=make))


@pytest.mark.parametrize("make", [daily, hourly])
@pytest.mark.parametrize("kept", [25, 100, 211, 399])
def test_no_verdict_depends_on_a_later_bucket(make, kept: int) -> None:
    part = robust.score(tables(*[values[:kept] for values in diverse()], make=make))

    assert part.equals(verdicts_of_all(make).slice(0, part.num_rows))


@pytest.mark.parametrize("make", [daily, hourly])
def test_a_run_that_continues_from_saved_state_agrees_with_one_replay(make) -> None:
    metrics = tables(*diverse(), make=make)
    whole, state, verdicts = verdicts_of_all(make), None, []

    for first, last in ((0, 7 * 250), (7 * 250, 7 * 253), (7 * 253, 7 * 400)):
        with bounded_connection() as connection:
            replay = robust.Replay(connection, state)
            numbers = replay.add(metrics.slice(0, last).combine_chunks())
            before = metrics["bucket_end"][first - 1].as_py() if first else datetime(1970, 1, 1)
            until = int(before.replace(tzinfo=UTC).timestamp())
            pieces: list[pa.Table] = []
            rows = metrics.slice(first, last - first).combine_chunks()
            run = replay.score(rows, numbers[first:], until, {}, pieces.extend)
        assert run.resumed == (7 if first else 0)
        verdicts.append(run.verdicts)
        state = robust.ModelState.of(pieces, until)

    assert pa.concat_tables(verdicts).combine_chunks().equals(whole.combine_chunks())


def test_a_shard_has_the_verdicts_of_the_whole() -> None:
    metrics = tables(wild(200, 1), weekly(200), wild(200, 2))
    mine = pa.compute.equal(metrics["full_table_name"], "SHOP.CORE.T1")

    shard = robust.score(metrics.filter(mine))

    assert shard.equals(robust.score(metrics).filter(mine).combine_chunks())


def test_rows_keep_their_places_whatever_their_order() -> None:
    metrics = tables(wild(100), weekly(100))
    shuffled = np.random.default_rng(0).permutation(metrics.num_rows)

    verdicts = robust.score(metrics.take(shuffled))

    assert verdicts.equals(robust.score(metrics).take(shuffled))


def test_of_two_rows_for_a_bucket_the_newer_counts() -> None:
    updates = [datetime(2027, 1, 1)] * 61
    old = daily([*noisy(60), 9000.0], updated_at=updates)
    new = daily([1000.0], first=datetime(2026, 11, 30), updated_at=[datetime(2027, 1, 2)])

    verdicts = robust.score(pa.concat_tables([new, old]))

    assert verdicts["reason"].to_pylist()[-1] == "another row of this bucket is newer"
    assert not any(verdicts["is_anomalous"].to_pylist())


def test_points_without_a_bucket_start_are_scored_in_their_order() -> None:
    metrics = daily([*noisy(60), 5000.0])
    metrics = metrics.set_column(
        metrics.column_names.index("bucket_start"), "bucket_start", pa.nulls(61, pa.timestamp("us"))
    )

    verdicts = robust.score(metrics)

    assert kinds(verdicts)[-1] == "spike"


def test_a_weekly_habit_outlasts_fifty_days_without_a_bucket() -> None:
    without_fifty_days = daily(weekly(200)).take([*range(100), *range(150, 200)])

    verdicts = robust.score(without_fifty_days)

    assert not any(verdicts["is_anomalous"].to_pylist())


def test_a_new_weekly_habit_is_flagged_for_one_week_only() -> None:
    verdicts = robust.score(daily(noisy(119) + weekly(42)))

    assert any(verdicts["is_anomalous"].to_pylist()[119:126])
    assert not any(verdicts["is_anomalous"].to_pylist()[126:])


def test_odd_degrees_of_freedom_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="degrees is 7"):
        robust.score(daily([1.0]), degrees=7)


def test_no_metrics_make_no_verdicts() -> None:
    verdicts = robust.score(daily([]))

    assert verdicts.num_rows == 0


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="method='robust' has no parameter 'sensibility'"):
        detect(daily([1.0]), method="robust", sensibility=3)
