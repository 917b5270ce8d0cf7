"""Stores what the page shows first, and reads it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ElementaryError, SnapshotCorruptError
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.incidents.verdict_facts import Verdicts, verdicts_of
from airflow_provider_elementary.project.facts import FreshnessCheck, NodeRun
from airflow_provider_elementary.project.project import Project, read_project
from airflow_provider_elementary.project.reading import READ
from airflow_provider_elementary.project.timeline import Timeline, read_executions
from airflow_provider_elementary.storage.records.encrypted_parts import EncryptedParts, write_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.incidents.store import TrackedIncidents
    from airflow_provider_elementary.project.columns import Columns
    from airflow_provider_elementary.project.outcomes import Outcomes
    from airflow_provider_elementary.snapshots import Repository, SnapshotSource
    from airflow_provider_elementary.storage.records.result_document import Result

log = logging.getLogger(__name__)

_FACTS, _TESTS, _RUNS = "facts", "tests", "runs"
_CONFIGURATIONS, _DOCUMENTED, _SEEN = "configurations", "documented columns", "seen columns"


@dataclass(frozen=True)
class StoreSummary:
    """What a task knew of a store when it had updated the incidents.

    :param snapshot_id: of the snapshot that ``project``, ``timeline``, ``newest_runs`` and ``checks`` are of.
    :param newest_runs: the newest execution of every table's node, by the table's full name.
    :param checks: the newest freshness checks of every source table.
    :param incidents_key: of the result that holds ``incidents``; ``verdict_keys``: of those that ``verdicts`` are of.
    """

    snapshot_id: str
    project: Project
    timeline: Timeline
    newest_runs: Mapping[str, NodeRun]
    checks: tuple[FreshnessCheck, ...]
    incidents_key: str
    incidents: tuple[Incident, ...]
    verdict_keys: frozenset[str]
    verdicts: Verdicts

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="constants", hide_input_in_errors=True)


def write_summary(
    repository: Repository,
    tracked: TrackedIncidents,
    verdicts: pa.Table,
    results: Sequence[Result],
    *,
    run_key: str,
    origin: Mapping[str, Any],
) -> str | None:
    """Store what the page shows first, so that it reads one document; without it the page computes the same.

    :param tracked: the incidents that the run stored.
    :param verdicts: that they were updated with, and ``results`` that hold them.
    :param origin: what the verdicts were computed from.
    :return: the key of the result; None where there is no snapshot, something of it cannot be read, or it is too large.
    """
    if (snapshot_id := origin.get("snapshot_id")) is None or not results:
        return None
    from airflow_provider_elementary.incidents.evaluate import configurations_of

    try:
        snapshot = repository.shared_source(snapshot_id)
        configurations = configurations_of(repository, origin)
        summary, tables = _summary_of(snapshot, tracked, verdicts, results, configurations)
        held = {file.category for file in snapshot.manifest.files} & categories_read()
        written = write_parts(
            repository,
            "summaries",
            {
                _FACTS: _summaries().dump_json(summary),
                **{name: _ipc(rows) for name, rows in tables.items()},
            },
            held | {Category.TABLE_METRICS, Category.AGGREGATED_METRICS},
            run_key=run_key,
            origin={"snapshot_id": snapshot_id},
            parameters={},
        )
    except ElementaryError as error:
        # The incidents are stored, and nothing depends on it.
        log.warning("wrote no summary for the page, which computes it when it is opened: %s", error)
        return None
    return written.key if written else None


def _summary_of(
    snapshot: SnapshotSource,
    tracked: TrackedIncidents,
    verdicts: pa.Table,
    results: Sequence[Result],
    configurations: pa.Table | None,
) -> tuple[StoreSummary, Mapping[str, pa.Table]]:
    """Return what the page shows first of a snapshot, and the rows of which it shows one table at a time.

    :param results: those that hold the verdicts.
    :param configurations: of the anomaly tests.
    :raises ElementaryError: something of the snapshot cannot be read.
    """
    from airflow_provider_elementary.project.columns import read_columns
    from airflow_provider_elementary.project.outcomes import newest_runs, read_outcomes

    project, executions, outcomes = read_project(snapshot), read_executions(snapshot), read_outcomes(snapshot)
    columns = read_columns(snapshot)
    if missing := [*project.missing, *executions.missing, *outcomes.missing, *columns.missing]:
        raise ElementaryError(missing[0])
    newest = max(results, key=created_at)
    summary = StoreSummary(
        snapshot_id=snapshot.manifest.snapshot_id,
        project=project,
        timeline=executions.timeline,
        newest_runs=newest_runs(outcomes),
        checks=outcomes.checks,
        incidents_key=tracked.key,
        # As they are read again: what people answered is applied then.
        incidents=tuple(replace(incident, answers=(), merged=()) for incident in tracked.incidents),
        verdict_keys=frozenset(result.key for result in results),
        verdicts=verdicts_of([verdicts], created_at(newest), rule_of(newest))[0],
    )
    return summary, {
        _TESTS: outcomes.tests,
        _RUNS: outcomes.runs,
        **({_CONFIGURATIONS: configurations} if configurations is not None else {}),
        _DOCUMENTED: columns.documented,
        _SEEN: columns.seen,
    }


def read_summary(parts: EncryptedParts) -> StoreSummary:
    """Return the summary of a store.

    :raises SnapshotCorruptError: it is not what the writer encrypted, or another version wrote it.
    """
    try:
        return _summaries().validate_json(parts.read(_FACTS) or b"")
    except ValidationError:
        raise SnapshotCorruptError(f"{parts.key} is of another version. Compute it again.") from None


def read_summary_outcomes(parts: EncryptedParts, summary: StoreSummary) -> Outcomes | None:
    """Return the outcomes of a summary's snapshot; None where they were too large for it, or of another version.

    :raises SnapshotCorruptError: they are not what the writer encrypted.
    """
    from airflow_provider_elementary.project.outcomes import Outcomes, outcome_schemas

    of_tests, of_runs = outcome_schemas()
    tests, runs = _table(parts, _TESTS, of_tests), _table(parts, _RUNS, of_runs)
    return None if tests is None or runs is None else Outcomes(tests, runs, checks=summary.checks, missing=())


def read_summary_columns(parts: EncryptedParts) -> Columns | None:
    """Return what a summary's snapshot says of columns; None where it was too large for it, or of another version.

    :raises SnapshotCorruptError: it is not what the writer encrypted.
    """
    from airflow_provider_elementary.project.columns import Columns, column_schemas

    of_documented, of_seen = column_schemas()
    documented, seen = _table(parts, _DOCUMENTED, of_documented), _table(parts, _SEEN, of_seen)
    return None if documented is None or seen is None else Columns(documented, seen, missing=())


def read_summary_configurations(parts: EncryptedParts) -> pa.Table | None:
    """Return the configurations of the anomaly tests of a summary's snapshot; None where it holds none that are read.

    :raises SnapshotCorruptError: they are not what the writer encrypted.
    """
    from airflow_provider_elementary.anomalies.elementary.configured_tests import CONFIGURATIONS_SCHEMA

    return _table(parts, _CONFIGURATIONS, CONFIGURATIONS_SCHEMA)


def categories_read() -> set[Category]:
    """Return the categories of the columns that the page reads of a snapshot."""
    from airflow_provider_elementary.source import catalog_table

    columns = (catalog_table(table).column(name) for table, read in READ.items() for name in read.columns)
    return {column.category for column in columns if column is not None}


def rule_of(result: Result) -> dict[str, Any]:
    """Return the parameters of the detector, which all shards share."""
    return {name: value for name, value in result.parameters.items() if name != "shard"}


def created_at(result: Result) -> datetime:
    """Return when a result was computed, with its zone."""
    moment = datetime.fromisoformat(result.created_at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@cache
def _summaries() -> TypeAdapter[StoreSummary]:
    return TypeAdapter(StoreSummary)


def _ipc(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _table(parts: EncryptedParts, name: str, schema: pa.Schema) -> pa.Table | None:
    import pyarrow as pa

    if (content := parts.read(name)) is None:
        return None
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all() if reader.schema == schema else None
