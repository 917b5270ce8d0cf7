"""Scores metrics and stores the verdicts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from airflow_provider_elementary import times
from airflow_provider_elementary.anomalies.circuit_breaker import WORDS, stopping_tables
from airflow_provider_elementary.anomalies.detect import Method
from airflow_provider_elementary.anomalies.detect_recent import Scored, newest_bucket, score_recent, time_read
from airflow_provider_elementary.anomalies.elementary.configured_tests import (
    TESTS,
    configurations_of_tests,
    read_test_configurations,
)
from airflow_provider_elementary.anomalies.feedback import Feedback
from airflow_provider_elementary.anomalies.robust.state_store import ModelStateStore, scoring_settings
from airflow_provider_elementary.anomalies.stored_metrics import MetricRows, StoredMetrics
from airflow_provider_elementary.anomalies.summary import Summary, summarise_verdicts
from airflow_provider_elementary.exceptions import SnapshotNotFoundError
from airflow_provider_elementary.incidents.answer_effects import feedback_of_answers
from airflow_provider_elementary.incidents.current import read_conditions_of
from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.incidents.store_results import load_earlier_results
from airflow_provider_elementary.metrics.saved_tests import read_saved_tests
from airflow_provider_elementary.project.lineage import Lineage, read_lineage
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.storage.records.answer_log import read_answers
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import (
    anchor_result,
    find_result,
    read_result,
    recorded_result,
    write_result,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationOptions:
    """How metrics are scored.

    :param method: ``elementary`` or ``robust``.
    :param days: buckets that end within this many days before the newest are scored.
    :param parameters: of the method.
    :param fail_on: which anomalies stop a pipeline; see
        :func:`~airflow_provider_elementary.anomalies.circuit_breaker.stopping_tables`.
    :param shard: which shard of the tables, from 0.
    :param shards: the number of shards.
    """

    method: Method = "elementary"
    days: int = 2
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fail_on: str | Sequence[str] = "none"
    shard: int = 0
    shards: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return what a stored result records of its options."""
        options = {"method": self.method, "days": self.days, "shard": self.shard, "shards": self.shards}
        return {**options, **self.parameters}


@dataclass(frozen=True)
class Evaluation:
    """Scored metrics.

    :param verdicts: on the newest buckets, with owners, lineage and severity.
    :param lineage: of the dbt project.
    :param stopping: the anomalous tables that ``fail_on`` names.
    :param scored: what the method returned.
    :param result: the stored verdicts; None if they are not stored.
    :param anchors: signed statements about the stored verdicts and state, for the next run.
    :param lost: what was removed of them since the run before, in sentences.
    """

    verdicts: pa.Table
    lineage: Lineage
    stopping: list[str]
    scored: Scored
    result: Result | None = None
    anchors: Mapping[str, str] = field(default_factory=dict)
    lost: str | None = None

    @property
    def key(self) -> str | None:
        """Where the verdicts are stored; None if they are not."""
        return self.result.key if self.result is not None else None

    @property
    def summary(self) -> Summary:
        """Counts, and the worst anomalies as sentences."""
        return summarise_verdicts(self.verdicts)


def evaluate(
    rows: pa.RecordBatchReader | MetricRows,
    lineage: Lineage,
    options: EvaluationOptions,
    *,
    adapter: str | None = None,
    configurations: pa.Table | None = None,
    state: ModelStateStore | None = None,
    feedback: Sequence[Feedback] = (),
) -> Evaluation:
    """Score metrics and add owners, lineage and severity to the verdicts.

    :param rows: metrics, as :func:`~airflow_provider_elementary.metrics.compute_metrics` yields them.
    :param adapter: dbt's name of the warehouse that the metrics were measured on.
    :param configurations: of each series, the parameters of its dbt test.
    :param state: where the robust method finds the model state of the previous run; without it, it replays all.
    :param feedback: what people said about series; the method ``elementary`` is the package's own rule and takes none.
    :raises ConfigurationError: an option is invalid.
    """
    scored = score_recent(
        rows,
        method=options.method,
        days=options.days,
        parameters=options.parameters,
        shard=options.shard,
        shards=options.shards,
        load_state=state.load if state else None,
        keep_state=state.keep if state else None,
        # A name in fail_on may be that of a table in another shard, which only all metrics name.
        reads_all=options.shards > 1 and options.fail_on not in WORDS,
        adapter=adapter,
        configurations=configurations,
        feedback=feedback if feedback and options.method == "robust" else None,
    )
    verdicts = enrich(scored.verdicts, lineage)
    return Evaluation(verdicts, lineage, stopping_tables(options.fail_on, verdicts, lineage, scored.tables), scored)


def evaluate_and_store(
    repository: Repository,
    rows: pa.RecordBatchReader | MetricRows,
    lineage: Lineage,
    options: EvaluationOptions,
    *,
    series: str,
    run_key: str,
    origin: Mapping[str, Any],
    configurations: pa.Table | None = None,
    before: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Score metrics; store the verdicts, and with the robust method the model state for the next run.

    :param series: whose state it is from run to run, as in a DAG's and a task's id.
    :param run_key: identifies this run; a retry starts from the same previous run.
    :param origin: what the metrics were computed from.
    :param configurations: of each series, the parameters of its dbt test.
    :param before: the ``anchors`` of an earlier run, which were kept outside the store, or whatever is found there.
    """
    before = before or {}
    number, verdicts_lost = recorded_result(repository, "verdicts", "", before.get("verdicts_anchor"))
    state = _open_state(repository, options, series, run_key) if options.method == "robust" else None
    evaluation = evaluate(
        rows,
        lineage,
        options,
        adapter=origin.get("adapter"),
        configurations=configurations,
        state=state,
        feedback=feedback_of_answers(read_answers(repository)),
    )
    result = write_result(
        repository,
        "verdicts",
        evaluation.verdicts.to_reader(),
        run_key=run_key,
        origin=origin,
        parameters=options.to_dict(),
        known=number,
    )
    anchors, losses = {"verdicts_anchor": anchor_result(repository, result)}, [verdicts_lost]
    if state and evaluation.scored.learned_until is not None:
        number, state_lost = recorded_result(repository, "memories", state.series, before.get("state_anchor"))
        metrics = rows.place if isinstance(rows, MetricRows) else None
        saved = state.save(evaluation.scored.learned_until, origin, metrics=metrics, known=number)
        anchors["state_anchor"] = anchor_result(repository, saved)
        losses.append(state_lost)
    lost = " ".join(each for each in losses if each is not None) or None
    return replace(evaluation, result=result, anchors=anchors, lost=lost)


def _open_state(repository: Repository, options: EvaluationOptions, series: str, run_key: str) -> ModelStateStore:
    fits = scoring_settings(options.parameters, days=options.days, shard=options.shard, shards=options.shards)
    return ModelStateStore(repository, series=f"{series}/{options.shard}", run_key=run_key, fits=fits)


def open_metrics(
    repository: Repository, key: str, options: EvaluationOptions
) -> tuple[StoredMetrics, Lineage, Mapping[str, Any], pa.Table | None]:
    """Open metrics that are stored in the repository; files with none that are looked at stay closed.

    :param key: where they are in the store.
    :param options: how they will be scored.
    :return: the metrics; of the snapshot they were computed from the lineage, their origin, and the configurations of
        its tests.
    :raises SnapshotNotFoundError: the store holds no such result.
    """
    if (found := find_result(repository, key)) is None:
        raise SnapshotNotFoundError(f"{repository.uri} holds no {key}. Run the task that computes it first.")
    origin = {"metrics": key, **found.origin}
    if snapshot_id := origin.get("snapshot_id"):
        repository.shared_source(snapshot_id, found.parameters.get("snapshot"))
    configurations = configurations_of(repository, origin)
    metrics = StoredMetrics.of(repository, found)
    span = time_read(options.method, options.days, options.parameters, configurations)
    if span is not None and (newest := newest_bucket(metrics.periods())) is not None:
        metrics = StoredMetrics.of(repository, found, times.before(newest, span))
    return metrics, lineage_of(repository, origin), origin, configurations


def configurations_of(repository: Repository, origin: Mapping[str, Any]) -> pa.Table | None:
    """Read the test configurations of the snapshot that metrics were computed from; None for those of a warehouse."""
    if snapshot_id := origin.get("snapshot_id"):
        metrics = find_result(repository, origin["metrics"]) if "metrics" in origin else None
        if metrics is not None and metrics.origin.get("snapshot_id") == snapshot_id:
            # The task that computed them read what was new.
            tests = read_saved_tests(TESTS, repository, metrics)
            if tests is not None:
                return configurations_of_tests(tests)
        return read_test_configurations(repository.shared_source(snapshot_id))
    log.warning("metrics were read from a warehouse, not from a snapshot: the configurations of tests are not applied")
    return None


def lineage_of(repository: Repository, origin: Mapping[str, Any]) -> Lineage:
    """Read the lineage of the snapshot that metrics were computed from; metrics of a warehouse have none."""
    if snapshot_id := origin.get("snapshot_id"):
        return read_lineage(repository.shared_source(snapshot_id))
    log.warning("metrics were read from a warehouse, not from a snapshot: no lineage, owners or severities")
    return Lineage()


def dbt_conditions_of(
    repository: Repository, origin: Mapping[str, Any], *, series: str, run_key: str
) -> DbtConditions | None:
    """Read the conditions of dbt's results in the snapshot that metrics were computed from; None without one.

    Of the results, those are read that are newer than what the run before saved with its incidents.

    :param series: identifies the incidents across runs, as the ids of a DAG and a task.
    :param run_key: identifies the run.
    """
    if not (snapshot_id := origin.get("snapshot_id")):
        return None
    source = repository.shared_source(snapshot_id)
    return read_conditions_of(source, load_earlier_results(repository, source, series, run_key))


def read_verdicts(repository: Repository, keys: Sequence[str]) -> pa.Table:
    """Read the stored verdicts of one run together.

    :param keys: where they are in the store; one for each shard.
    """
    parts = []
    for key in keys:
        with read_result(repository, key) as rows:
            parts.append(rows.read_all())
    return pa.concat_tables(parts, promote_options="default")
