"""Explains verdicts in sentences with units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.elementary.parameters import AnomalyTestParameters
from airflow_provider_elementary.arrow_values import array_of, is_one_of, true_values
from airflow_provider_elementary.metrics.definitions import FAMILIES, Family
from airflow_provider_elementary.metrics.registry import METRICS, family_of, names_of, possible
from airflow_provider_elementary.metrics.wording import in_words
from airflow_provider_elementary.times import before
from airflow_provider_elementary.words import written_number, written_seconds

if TYPE_CHECKING:
    from airflow_provider_elementary.anomalies.configurations import SeriesConfigurations

#: The reason of every bucket that is scored and not anomalous.
AS_EXPECTED = "as expected"
NO_VALUE = "no value in this bucket"
NO_END = "the bucket has no end"
EXCLUDED = "left out by anomaly_exclude_metrics"
TOO_OLD = "before the training window of the run"
NOT_COMPLETE = "not complete when the run started"
NOT_ENOUGH = "not enough history to compare with: fewer than two values in the training window"

#: Reasons of the robust method's buckets that are not flagged, in the order of the numbers below.
ROBUST_REASONS = (
    AS_EXPECTED,
    "not enough history: {warm_up} buckets are needed before the first verdict",
    EXCLUDED,
    "continues as flagged before",
    "another row of this bucket is newer",
    "earlier than the last bucket of this series that was scored",
    NOT_COMPLETE,
    "marked as expected",
    "marked as the new normal",
    "muted",
)
(
    EXPECTED, TOO_YOUNG, SET_ASIDE, CONTINUES, SUPERSEDED, TOO_LATE, INCOMPLETE, SAID_EXPECTED, SAID_NORMAL, SAID_MUTED,
) = range(len(ROBUST_REASONS))  # fmt: skip

#: How the reasons of buckets begin that are as far off as flagged ones, and raise no alarm of their own.
QUIET = ("not flagged: ", "moves with ")

#: Metrics whose value is that of a single row.
RAW_VALUE_METRICS = frozenset(names_of(lambda metric: metric.is_raw))


def with_sentences(
    verdicts: pa.Table,
    metrics: pa.Table,
    points: pa.Array[Any],
    configured: SeriesConfigurations,
    numbers: Callable[[pa.Array[Any]], list[int]],
) -> pa.Table:
    """Return verdicts whose ``reason`` is a sentence for each anomaly, and as before for all others.

    :param points: the rows of ``metrics`` that the verdicts are on.
    :param configured: the configurations under which they were scored.
    :param numbers: returns the configurations of some rows of ``metrics``.
    """
    is_anomalous = verdicts["is_anomalous"].combine_chunks()
    if not pc.any(is_anomalous).as_py():
        return verdicts
    chosen = points.filter(is_anomalous)
    rows = metrics.take(chosen)
    for name in ("expected_min", "expected_max", "training_size"):
        rows = rows.append_column(name, verdicts[name].filter(is_anomalous))
    configurations = [(configured.parameters[number], configured.tests[number]) for number in numbers(chosen)]
    sentences = array_of(
        [sentence(row, *pair) for row, pair in zip(rows.to_pylist(), configurations, strict=True)], pa.string()
    )
    explained = pc.replace_with_mask(verdicts["reason"], is_anomalous, sentences)
    return verdicts.set_column(verdicts.column_names.index("reason"), "reason", explained)


def sentence(row: Mapping[str, Any], parameters: AnomalyTestParameters, test: str | None = None) -> str:
    """Return a scored bucket as a sentence.

    ``orders: row count 12,031 rows on Tue 3 Nov 2026; expected 9,800 to 10,900 from the last 14 buckets
    (volume_anomalies)``

    :param row: the metric's columns, ``expected_min``, ``expected_max`` and ``training_size``.
    :param parameters: the configuration under which it was scored; its seasonality names the buckets compared with.
    :param test: its name.
    """
    metric, value, low, high = (row[name] for name in ("metric_name", "metric_value", "expected_min", "expected_max"))
    when = _when(row["bucket_start"], row["bucket_end"])
    what = f"{_subject(row)}: {in_words(metric)} {_with_unit(metric, value)} {when}"
    history = f"from the last {_training(row, parameters)}{_named(test)}"
    if parameters.fail_on_zero and value == 0 and low <= 0 <= high:
        return f"{what}; a zero always fails this test, whatever is expected {history}"
    return f"{what}; expected {amounts(metric, low, high)} {history}"


def robust_sentence(row: Mapping[str, Any], test: str | None = None) -> str:
    """Return a bucket that the robust method flagged as a sentence.

    ``orders: row count 12,031 rows on Tue 3 Nov 2026 is a spike; expected 9,800 to 10,900 from 58 buckets``

    :param row: the metric's columns, ``kind``, ``expected_min``, ``expected_max``, ``training_size``, ``run`` and
        ``usual``, how likely the opposite of a gap, of a zero or of a value where zero is the rule was.
    """
    metric, low, high, kind = (row[name] for name in ("metric_name", "expected_min", "expected_max", "kind"))
    value = "has no value" if row["metric_value"] is None else _with_unit(metric, row["metric_value"])
    when = _moment(row["bucket_start"], row["bucket_end"])
    what = f"{_subject(row)}: {in_words(metric)} {value} {when} {_ROBUST_KINDS[kind].format(run=row['run'])}"
    seen = f", from {row['training_size']} earlier buckets" if row["training_size"] else ""
    return f"{what}; expected {_expected(row, metric, low, high, kind)}{seen}{_named(test)}"


def rarity(days: float, times: int, metrics: str, *, is_shard: bool) -> str:
    """Return how often an alarm as high came, as a clause with its verb.

    :param days: of history.
    :param times: in these days.
    :param metrics: among which it was counted.
    :param is_shard: in the tables of one shard alone.
    """
    among = f"among the {metrics} of {'the tables of this shard' if is_shard else 'your tables'}"
    if not times:
        return f"no alarm as high came in {days:.0f} days {among}"
    often = f"once in {days / times:.0f} days" if days >= 2 * times else f"{times / days:.1f} times a day"
    return f"an alarm as high came {often} {among}"


def is_still_off(reasons: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Return which reasons are those of buckets that are not flagged, and do not say that what was flagged is over."""
    found = is_one_of(reasons, ROBUST_REASONS[CONTINUES])
    for beginning in QUIET:
        found = pc.or_(found, true_values(pc.starts_with(reasons, beginning)))
    return found


def too_common(how_often: str) -> str:
    """Return why a bucket is not flagged, by what :func:`rarity` says of it."""
    return f"{QUIET[0]}{how_often}, and days_per_alarm allows fewer"


def moves_with(others: str) -> str:
    """Return why a bucket is not flagged: others, for which one alarm is raised, moved as it did."""
    return f"{QUIET[1]}{others}"


def expected_with(others: str) -> str:
    """Return why a bucket is not flagged: it moved with others, of which a person said that it was expected."""
    return f"{ROBUST_REASONS[SAID_EXPECTED]}, with {others}"


def _expected(row: Mapping[str, Any], metric: str, low: float | None, high: float | None, kind: str) -> str:
    """Return what was expected in place of a flagged value; of what has no size, in how many buckets it came."""
    if row["usual"] is not None:
        opposite = "a value" if row["metric_value"] is None else "0" if row["metric_value"] else "a value other than 0"
        # Where a test always fails a zero, zeros may be usual.
        share = min(math.floor(1000 * row["usual"]) / 10, _MOST_USUAL)
        return f"{opposite}, as in {_percent(share)} of such buckets" if row["usual"] > _RULE else opposite
    if low is not None and high is not None:
        return amounts(metric, low, high)
    if low is not None or high is not None:
        return f"at least {written_amount(metric, low)}" if high is None else f"at most {written_amount(metric, high)}"
    return _UNSIZED.get(kind, "another value")


_ROBUST_KINDS = {
    "spike": "is a spike",
    "drop": "is a drop",
    "late": "is late",
    "level shift": "makes a new level",
    "drift": "has drifted",
    "missing bucket": "where one was due ({run} in a row)",
    "run of zeros": "is zero, {run} buckets in a row",
    "frozen": "is the same in {run} buckets in a row",
}


#: What was expected instead of something that has no size.
_UNSIZED = {
    "frozen": "it to change",
    "drift": "it to vary around its level, not to keep to one side of it",
}
#: From which probability on something is the rule, and the highest percentage that is stated: nothing is certain.
_RULE, _MOST_USUAL = 0.5, 99.9


def public_sentence(verdict: Mapping[str, Any]) -> str:
    """Return an anomaly as a sentence without raw values, for logs, XCom and alerts.

    Values of dimensions, minima and maxima are raw values: their sentences say only that there is an anomaly.

    :param verdict: the columns of a verdict.
    """
    when = _when(verdict["bucket_start"], verdict["bucket_end"])
    metric, kind = verdict["metric_name"], verdict["kind"]
    if verdict["dimension"]:
        return f"{_table(verdict)}: {kind} of a value of {verdict['dimension']} {when}"
    if metric in RAW_VALUE_METRICS:
        return f"{_subject(verdict)}: {kind} of {in_words(metric)} {when}"
    return str(verdict["reason"])


def still_off_sentence(verdict: Mapping[str, Any]) -> str:
    """Return a bucket that is not flagged, and not as expected either, as a sentence without raw values.

    :param verdict: the columns of a verdict.
    """
    is_of_value = verdict["dimension"] is not None
    subject = _table(verdict) if is_of_value else _subject(verdict)
    what = f"a value of {verdict['dimension']}" if is_of_value else in_words(verdict["metric_name"])
    when = _when(verdict["bucket_start"], verdict["bucket_end"])
    return f"{subject}: {what} is not as expected {when}: {verdict['reason']}"


def written_amount(metric: str, value: float | None) -> str:
    """Return a metric's value in its unit, as a person would write it: ``12,031``, ``31.7 %``, ``2 h 5 min``."""
    return "nothing" if value is None else _WRITTEN.get(family_of(metric), written_number)(value)


def _with_unit(metric: str, value: float | None) -> str:
    """Return a metric's value with its unit, which durations and percentages have already: ``12,031 rows``."""
    unit = METRICS[metric.lower()].unit if metric.lower() in METRICS else ""
    names_unit = value is not None and FAMILIES.get(unit) in ("count", "number") and "'" not in unit and unit != "ratio"
    written = written_amount(metric, value)
    return f"{written} {unit.removesuffix('s') if written == '1' else unit}" if names_unit else written


def amounts(metric: str, low: float | None, high: float | None) -> str:
    """Return a range of expected values: ``9,800 to 10,900``, of counts the whole numbers within, ``0``.

    :param low: None, as ``high``, where nothing is expected.
    """
    low, high = possible(metric, low), possible(metric, high)
    if family_of(metric) == "count" and low is not None and high is not None:
        low, high = _whole_within(low, high)
    first, last = written_amount(metric, low), written_amount(metric, high)
    return first if first == last else f"{first} to {last}"


def _whole_within(low: float, high: float) -> tuple[float, float]:
    """Return the smallest and the largest whole number of a range; the range itself where it holds none."""
    first, last = (float(f"{bound:.9g}") for bound in (low, high))
    return (math.ceil(first), math.floor(last)) if math.ceil(first) <= math.floor(last) else (low, high)


def _percent(value: float) -> str:
    return f"{written_number(round(value, 3))} %"


#: How values are written; those of all other families are plain numbers.
_WRITTEN: Mapping[Family, Callable[[float], str]] = {"percent": _percent, "duration": written_seconds}


def _named(test: str | None) -> str:
    return f" ({test})" if test else ""


def _table(row: Mapping[str, Any]) -> str:
    return str(row["full_table_name"]).rpartition(".")[2].lower()


def _subject(row: Mapping[str, Any]) -> str:
    column = f".{row['column_name']}" if row["column_name"] else ""
    dimension = f" where {row['dimension']} = {row['dimension_value']}" if row["dimension"] else ""
    return f"{_table(row)}{column}{dimension}"


def _when(start: datetime | None, end: datetime) -> str:
    if start is None:
        return f"in the run at {end:%H:%M} UTC on {_day(end)}"
    length = end - start
    if length < timedelta(days=1):
        return f"at {start:%H:%M} UTC on {_day(start)}"
    if length == timedelta(days=1):
        return f"on {_day(start)}"
    return f"from {_day(start)} to {_day(before(end, timedelta(microseconds=1)))}"


def _moment(start: datetime | None, end: datetime) -> str:
    clock = f"at {start or end:%H:%M} UTC " if start is None or end - start < timedelta(hours=23) else ""
    return f"{clock}on {_day(start or end)}"


def _day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %Y}"


def _training(row: Mapping[str, Any], parameters: AnomalyTestParameters) -> str:
    start = row["bucket_start"] or row["bucket_end"]
    size = row["training_size"]
    return {
        "day_of_week": f"{size} {start:%A}s",
        "hour_of_day": f"{size} buckets at {start:%H:%M} UTC",
        "hour_of_week": f"{size} {start:%A}s at {start:%H:%M} UTC",
    }.get(parameters.seasonality or "", f"{size} buckets")
