"""What a task stores for the page is what the page would read."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.incidents import store_summary
from airflow_provider_elementary.incidents.store import incidents_of
from airflow_provider_elementary.incidents.store_summary import (
    StoreSummary,
    read_summary,
    read_summary_columns,
    read_summary_configurations,
    read_summary_outcomes,
)
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.project.columns import read_columns
from airflow_provider_elementary.project.outcomes import newest_runs, read_outcomes
from airflow_provider_elementary.project.project import read_project
from airflow_provider_elementary.project.timeline import read_executions
from airflow_provider_elementary.snapshots import LocalKeys, Repository, open_store
from airflow_provider_elementary.storage.records.encrypted_parts import EncryptedParts, open_parts
from airflow_provider_elementary.storage.records.results import latest_result, newest_result, read_result
from tests.support.page import add_incidents, fill_store
from tests.support.signing import opened


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    keys = LocalKeys(LocalKeys.generate())
    repository = opened(open_store(fill_store(tmp_path_factory.mktemp("summary"), keys, snapshots=1)), keys)
    add_incidents(repository)
    return repository


@pytest.fixture(scope="module")
def parts(repository: Repository) -> EncryptedParts:
    found = newest_result(repository, "summaries", "")
    assert found is not None
    return open_parts(repository, found)


def saved_incidents(repository: Repository) -> list[Incident]:
    saved = latest_result(repository, "incidents")
    assert saved is not None
    with read_result(repository, saved.key) as rows:
        return incidents_of(rows.read_all())


def test_a_summary_says_what_the_snapshot_and_the_results_say(repository: Repository, parts: EncryptedParts) -> None:
    snapshot, summary = repository.source(), read_summary(parts)
    project, outcomes = read_project(snapshot), read_outcomes(snapshot)

    for field in fields(project):
        assert getattr(summary.project, field.name) == getattr(project, field.name), field.name
    for field in fields(timeline := read_executions(snapshot).timeline):
        assert getattr(summary.timeline, field.name) == getattr(timeline, field.name), field.name
    assert (summary.newest_runs, summary.checks) == (newest_runs(outcomes), outcomes.checks)
    assert list(summary.incidents) == saved_incidents(repository)
    assert summary.incidents
    assert summary.verdicts.anomalies
    read = read_summary_outcomes(parts, summary)
    assert read is not None
    for stored, computed in ((read.tests, outcomes.tests), (read.runs, outcomes.runs)):
        assert stored.schema == computed.schema
        # Their order is DuckDB's, and no part of what they say.
        assert sorted(map(str, stored.to_pylist())) == sorted(map(str, computed.to_pylist()))


def test_a_summary_holds_the_columns_and_the_configurations_of_tests(
    repository: Repository, parts: EncryptedParts
) -> None:
    snapshot = repository.source()
    columns, read = read_columns(snapshot), read_summary_columns(parts)

    assert read is not None
    pairs = (
        (read.documented, columns.documented),
        (read.seen, columns.seen),
        (read_summary_configurations(parts), read_test_configurations(snapshot)),
    )
    for stored, computed in pairs:
        assert stored is not None
        assert stored.schema == computed.schema
        assert sorted(map(str, stored.to_pylist())) == sorted(map(str, computed.to_pylist()))
    assert len(columns.documented)


def test_a_summary_of_another_version_is_refused(parts: EncryptedParts) -> None:
    with pytest.raises(SnapshotCorruptError, match="another version"):
        read_summary(replace(parts, encrypted={}))


def test_rows_of_another_version_are_read_of_the_snapshot(
    repository: Repository, parts: EncryptedParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_now = store_summary._summary_of

    def of_before(*given: Any) -> tuple[StoreSummary, dict[str, pa.Table]]:
        summary, tables = of_now(*given)
        return summary, {name: rows.drop_columns([rows.column_names[-2]]) for name, rows in tables.items()}

    monkeypatch.setattr(store_summary, "_summary_of", of_before)
    add_incidents(repository, "before an upgrade")
    written = newest_result(repository, "summaries", "")
    assert written is not None
    before = open_parts(repository, written)
    assert set(before.encrypted) == set(parts.encrypted)

    assert read_summary_outcomes(before, read_summary(before)) is None
    assert read_summary_columns(before) is None
    assert read_summary_configurations(before) is None
