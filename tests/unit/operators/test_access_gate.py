"""A sync that its access check stops leaves the report in the store, where the page shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pytest

from airflow_provider_elementary.exceptions import AccessDeniedError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.storage.records.report_log import newest_reports
from tests.support.connections import duckdb_file, local_store

Connect = Callable[[str, Mapping[str, object]], str]


@pytest.fixture
def operator(tmp_path: Path, airflow_connection: Connect) -> ElementarySnapshotOperator:
    """An operator whose connection reads a table outside the Elementary schema."""
    path = build_sample(tmp_path / "sample.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.users (email text)")
    airflow_connection("wide", duckdb_file(path))
    airflow_connection("store", local_store(tmp_path / "store"))
    return ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="wide", store_conn_id="store")


def test_the_report_of_a_refused_sync_is_stored(operator: ElementarySnapshotOperator) -> None:
    with pytest.raises(AccessDeniedError), operator._open_checked("dag/run/snapshot/-1"):
        pass

    [stored] = newest_reports(ElementaryStoreHook("store").repository, 1)
    assert stored.subject == "wide"
    assert "reads-outside-schema" in {finding.name for finding in stored.report.failed}


def test_a_store_that_is_away_does_not_hide_why_the_sync_was_refused(
    operator: ElementarySnapshotOperator, airflow_connection: Connect
) -> None:
    airflow_connection("store", {"conn_type": "elementary_store", "extra": {"uri": "file:///nowhere/at/all"}})

    with pytest.raises(AccessDeniedError), operator._open_checked("dag/run/snapshot/-1"):
        pass
