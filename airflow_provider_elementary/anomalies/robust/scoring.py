"""Scores the buckets of metrics in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies import explain
from airflow_provider_elementary.anomalies.configurations import KEYS, SeriesConfigurations
from airflow_provider_elementary.anomalies.elementary.parameters import ARGUMENTS, IGNORED
from airflow_provider_elementary.anomalies.feedback import (
    EXCLUDED,
    EXPECTED,
    MUTED,
    NEW_NORMAL,
    NOT_COMPLETE,
    Feedback,
    feedback_of,
)
from airflow_provider_elementary.anomalies.robust.model.bucket import KINDS, Bucket, BucketVerdicts
from airflow_provider_elementary.anomalies.robust.model.parameters import ModelParameters
from airflow_provider_elementary.anomalies.robust.model.settings import SeriesSettings
from airflow_provider_elementary.anomalies.robust.rarity import AlarmTotals, with_rarity
from airflow_provider_elementary.anomalies.robust.series import (
    FREQUENCIES,
    Buckets,
    Step,
    buckets_of,
    date_of,
    day_of,
    steps,
)
from airflow_provider_elementary.anomalies.robust.siblings import flag_once
from airflow_provider_elementary.anomalies.robust.state import SeriesStates
from airflow_provider_elementary.anomalies.schema import VERDICT_SCHEMA, series_metrics
from airflow_provider_elementary.arrow_values import array_of, array_of_numbers


def score(
    metrics: pa.Table,
    *,
    configurations: pa.Table | None = None,
    feedback: pa.Table | Iterable[Feedback | Mapping[str, Any]] | None = None,
    adapter: str | None = None,
    **parameters: Any,
) -> pa.Table:
    """Score every bucket of every series from its past alone.

    :param metrics: columns as in :func:`airflow_provider_elementary.anomalies.detect`.
    :param configurations: as there: sensitivity scales the level of an alarm (at 3 it is the model's own), direction,
        ``ignore_small_changes``, ``min_value``, ``fail_on_zero``, ``anomaly_exclude_metrics`` and ``detection_delay``
        hold as in Elementary's rule, values that the same season has had are no anomaly, and the training period says
        over how many errors noise is averaged.
    :param feedback: what people said about verdicts; see
        :class:`~airflow_provider_elementary.anomalies.feedback.Feedback`.
    :param adapter: dbt's name of the warehouse whose SQL ``anomaly_exclude_metrics`` is.
    :param parameters: see :class:`ModelParameters`, and those of a test by Elementary's names.
    :return: the metrics' rows in their order, with the columns of a verdict. ``score`` is the surprise relative to the
        bar at which a bucket is flagged, null is no verdict. Above 1 is anomalous, but for a run of missing, zero or
        equal values, which is flagged in its first buckets only. A flagged value lies outside its range, any other
        inside.
    :raises ConfigurationError: a parameter is unknown, or the metrics lack a column.
    """
    model, arguments = split_parameters(parameters)
    configured, said = SeriesConfigurations.of(configurations, arguments), feedback_of(feedback)
    buckets = buckets_of(metrics, lambda keys: SeriesSettings.of(keys, configured, said, adapter))
    states = SeriesStates.resumed(buckets.keys, buckets.frequency)
    verdicts = score_buckets(metrics, buckets, states, model, configured)
    totals = AlarmTotals.of(states)
    return finished(verdicts, AlarmTotals.of_nothing(), totals, model, said)


def finished(
    verdicts: pa.Table,
    past: AlarmTotals,
    totals: AlarmTotals,
    parameters: ModelParameters,
    feedback: Sequence[Feedback],
    *,
    is_shard: bool = False,
) -> pa.Table:
    """Return verdicts with what all series together say of them: how rare they are, and which are one.

    :param past: what the states knew before the verdicts.
    :param totals: what they know after them.
    :param feedback: that the verdicts follow.
    :param is_shard: the series are those of one shard of the tables.
    """
    rare = with_rarity(verdicts, past, totals.daily, parameters.days_per_alarm, is_shard=is_shard)
    return flag_once(rare, parameters.siblings, feedback)


def split_parameters(given: Mapping[str, Any]) -> tuple[ModelParameters, dict[str, Any]]:
    """Return the model's parameters and the arguments of tests among those given.

    :raises ConfigurationError: one is neither, or does not fit.
    """
    arguments = {name: value for name, value in given.items() if name in ARGUMENTS | IGNORED}
    return ModelParameters.of({name: value for name, value in given.items() if name not in arguments}), arguments


def score_buckets(
    metrics: pa.Table,
    buckets: Buckets,
    states: SeriesStates,
    parameters: ModelParameters,
    configured: SeriesConfigurations,
) -> pa.Table:
    """Return the verdicts on some buckets, and learn from them.

    :param metrics: the rows that ``buckets`` numbers.
    :param states: what is known of the series of ``buckets``; changed.
    """
    columns = _Columns.empty(metrics.num_rows)
    columns.reason[:] = explain.SUPERSEDED
    columns.reason[buckets.mark == EXCLUDED] = explain.SET_ASIDE
    columns.reason[buckets.mark == NOT_COMPLETE] = explain.INCOMPLETE
    for place in range(len(FREQUENCIES)):
        for step in _fresh(buckets, place, states, columns):
            _note(columns, step, _score_step(step, buckets, place, states, parameters), buckets.mark)
    return _verdicts(metrics, buckets, columns, configured)


def learn(buckets: Buckets, states: SeriesStates, parameters: ModelParameters) -> None:
    """Learn from some buckets as :func:`score_buckets` does, and say nothing of them."""
    for place in range(len(FREQUENCIES)):
        for step in _fresh(buckets, place, states):
            _score_step(step, buckets, place, states, parameters)


@dataclass
class _Columns:
    """The verdicts' columns, one entry per row of the metrics."""

    score: np.ndarray
    expected: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    usual: np.ndarray
    kind: np.ndarray
    run: np.ndarray
    seen: np.ndarray
    reason: np.ndarray

    @classmethod
    def empty(cls, rows: int) -> _Columns:
        numbers = [np.full(rows, np.nan) for _ in range(5)]
        return cls(*numbers, *(np.zeros(rows, kind) for kind in (np.int8, np.int64, np.int64, np.int8)))


def _fresh(buckets: Buckets, place: int, states: SeriesStates, columns: _Columns | None = None) -> Iterator[Step]:
    """Yield the buckets of one frequency in the order of time, without the series that are further already."""
    detector, row_of = states.detectors[place], states.row_of
    last = np.full(len(row_of), -1)
    mine = buckets.frequency == place
    last[mine] = detector.last_number[row_of[mine]]
    for step in steps(buckets, place, last):
        is_given = ~np.isin(buckets.mark[step.rows], (EXCLUDED, NOT_COMPLETE))
        step = Step(step.number, step.rows[is_given])
        is_new = step.number > detector.last_number[row_of[buckets.series[step.rows]]]
        if columns is not None:
            columns.reason[step.rows[~is_new]] = explain.TOO_LATE
        if is_new.any():
            yield Step(step.number, step.rows[is_new])


def _score_step(
    step: Step, buckets: Buckets, place: int, states: SeriesStates, parameters: ModelParameters
) -> BucketVerdicts:
    series, frequency = buckets.series[step.rows], FREQUENCIES[place]
    day = date_of(step.number, frequency)
    bucket = Bucket(
        rows=states.row_of[series],
        number=step.number,
        value=buckets.value[step.rows],
        kind=buckets.kind[series],
        is_volume=buckets.is_volume[series],
        settings=buckets.settings.of(series),
        mark=buckets.mark[step.rows],
        row_count=buckets.row_count[step.rows],
        day=day_of(step.number, frequency),
        weekday=day.weekday() if day else None,
        holiday=parameters.holiday_of(day),
    )
    return states.detectors[place].step(bucket, frequency, parameters)


def _note(columns: _Columns, step: Step, scored: BucketVerdicts, marks: np.ndarray) -> None:
    for name in ("score", "expected", "lowest", "highest", "kind", "run", "seen", "usual"):
        getattr(columns, name)[step.rows] = getattr(scored, name)
    quiet, mark = (scored.score > 1) & (scored.kind == 0), marks[step.rows]
    columns.reason[step.rows] = np.select(
        [np.isnan(scored.score), mark == EXPECTED, mark == NEW_NORMAL, quiet & (mark == MUTED), quiet],
        [explain.TOO_YOUNG, explain.SAID_EXPECTED, explain.SAID_NORMAL, explain.SAID_MUTED, explain.CONTINUES],
        explain.EXPECTED,
    )


def _verdicts(metrics: pa.Table, buckets: Buckets, columns: _Columns, configured: SeriesConfigurations) -> pa.Table:
    flagged = columns.kind > 0
    plain = [text.format(warm_up=frequency.warm_up) for frequency in FREQUENCIES for text in explain.ROBUST_REASONS]
    place = buckets.frequency[buckets.series].astype(np.int64) * len(explain.ROBUST_REASONS) + columns.reason
    found: dict[str, pa.Array[Any]] = {
        name: array_of_numbers(values, nan_is_null=True)
        for name, values in (
            ("score", columns.score),
            ("expected_value", columns.expected),
            ("expected_min", columns.lowest),
            ("expected_max", columns.highest),
        )
    }
    found["is_anomalous"] = array_of_numbers(flagged)
    found["kind"] = array_of(KINDS, pa.string()).take(array_of_numbers(columns.kind))
    found["training_size"] = array_of_numbers(columns.seen)
    found["reason"] = array_of(plain, pa.string()).take(array_of_numbers(place))
    verdicts = pa.table([found[name].cast(type_) for name, type_ in _TYPES.items()], names=list(_TYPES))
    verdicts = _with_sentences(verdicts, metrics, flagged, columns, configured)
    return beside(metrics, verdicts)


def beside(metrics: pa.Table, verdicts: pa.Table) -> pa.Table:
    """Return metrics with the columns of a verdict, in place of any that they have."""
    kept = metrics.drop_columns([name for name in _TYPES if name in metrics.column_names])
    for name in _TYPES:
        kept = kept.append_column(name, verdicts[name])
    return kept


_TYPES: dict[str, pa.DataType] = {field.name: field.type for field in VERDICT_SCHEMA}


def _with_sentences(
    verdicts: pa.Table, metrics: pa.Table, flagged: np.ndarray, columns: _Columns, configured: SeriesConfigurations
) -> pa.Table:
    if not flagged.any():
        return verdicts
    mask = array_of_numbers(flagged)
    rows = series_metrics(metrics).filter(mask).append_column("run", array_of_numbers(columns.run[flagged]))
    rows = rows.append_column("usual", array_of_numbers(columns.usual[flagged], nan_is_null=True))
    for name in ("kind", "expected_min", "expected_max", "training_size"):
        rows = rows.append_column(name, verdicts[name].filter(mask))
    tests = [configured.tests[number] for number in configured.of_series(rows.select(KEYS))]
    sentences = array_of(
        [explain.robust_sentence(row, test) for row, test in zip(rows.to_pylist(), tests, strict=True)], pa.string()
    )
    explained = pc.replace_with_mask(verdicts["reason"].combine_chunks(), mask, sentences)
    return verdicts.set_column(verdicts.column_names.index("reason"), "reason", explained)
