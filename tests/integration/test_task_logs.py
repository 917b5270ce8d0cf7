"""A task's log is about ten lines; the details are folded into groups."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.links.elementary import ElementaryBacktestLink
from airflow_provider_elementary.operators.access import ElementaryAccessCheckOperator
from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.backtest import ElementaryBacktestOperator
from airflow_provider_elementary.operators.base import ElementaryStoreOperator, log_group
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator
from tests.support.connections import duckdb_file, local_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import SQL_LITERAL, small_world

Connect = Callable[[str, Mapping[str, object]], str]


@pytest.fixture
def store(tmp_path: Path, airflow_connection: Connect) -> dict[str, str]:
    airflow_connection("dwh", duckdb_file(write_duckdb(small_world(), tmp_path / "world.duckdb")))
    return {"store_conn_id": airflow_connection("store", local_store(tmp_path / "store"))}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """The log from INFO on; Airflow's own logger of tasks, which is none of Python's, is replaced by one that is."""
    for owner in (ElementaryStoreOperator, ElementaryHook):
        monkeypatch.setattr(owner, "log", logging.getLogger("task"))
    caplog.set_level(logging.INFO)
    return caplog


def run(operator: Any, run_id: str = "run") -> None:
    instance = SimpleNamespace(dag_id="dag", run_id=run_id, task_id=operator.task_id, map_index=-1)
    instance.get_previous_dagrun = lambda state=None: None
    operator.execute({"ti": instance, "outlet_events": {}})


def unfolded(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that a person sees before opening a group; of a group, its title."""
    lines: list[str] = []
    is_folded = False
    for record in log.records:
        line = record.getMessage()
        if line == "::endgroup::":
            is_folded = False
        elif not is_folded:
            lines.append(line)
            is_folded = line.startswith("::group::")
    return lines


def test_a_snapshot_logs_access_the_consistency_point_rows_and_redactions(
    store: dict[str, str], log: pytest.LogCaptureFixture
) -> None:
    run(ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="dwh", **store))

    lines = unfolded(log)
    words = [line.split()[0] for line in lines]
    assert words == ["policy", "access", "::group::Table", "full", "read", "excluded", "wrote", "snapshot"]
    assert lines[0].startswith("policy from built in: categories=metadata,configuration,run_results,table_metrics,")
    assert {"without_raw_values=False", "full_every_days=7"} <= set(lines[0].split())
    assert lines[1].endswith("11 of 11 checks pass")
    assert lines[3].startswith("full snapshot (the first snapshot of this store), consistent as of 2026-10-31T06:02:01")
    assert "rows of 17 tables in " in lines[4]
    assert "56 values (masked)" in lines[5]
    assert "snapshot totals by category: Metadata " in lines[6]
    assert SQL_LITERAL not in log.text


def test_a_second_attempt_logs_that_the_first_took_the_snapshot(
    store: dict[str, str], log: pytest.LogCaptureFixture
) -> None:
    snapshot = ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="dwh", full_every_days=0, **store)
    run(snapshot)
    log.clear()
    run(snapshot)

    assert any("was committed for dag/run/snapshot/-1 before" in record.getMessage() for record in log.records)


def test_an_evaluation_logs_anomalies_and_opened_incidents(
    store: dict[str, str], log: pytest.LogCaptureFixture
) -> None:
    run(ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="dwh", **store))
    log.clear()
    run(ElementaryAnomalyOperator(task_id="anomalies", days=60, **store))

    lines = unfolded(log)
    assert len(lines) <= 10
    assert any(line.startswith("found orders: row count 100 rows on ") for line in lines)
    opened = next(line for line in lines if line.startswith("incident opened ("))
    assert "row count 100 rows on " in opened
    assert re.search(r"/elementary/incident\?id=[0-9a-f]{16}(&store=\w+)?$", opened)
    assert any(line.startswith("scored ") and line.endswith(" tables") for line in lines)
    assert lines[-1].startswith("incidents: 2 opened, 0 continue, ")


def test_an_evaluation_without_history_warns(
    tmp_path: Path, store: dict[str, str], airflow_connection: Connect, log: pytest.LogCaptureFixture
) -> None:
    young = airflow_connection("young", duckdb_file(write_duckdb(small_world(days=1), tmp_path / "young.duckdb")))

    run(ElementaryAnomalyOperator(task_id="gate", elementary_conn_id=young, fail_on="any", **store))

    assert any(
        line.startswith("not enough history: 0 buckets of the last 2 days were scored") for line in unfolded(log)
    )


def test_a_backtest_logs_its_result_and_links_to_its_page(store: dict[str, str], log: pytest.LogCaptureFixture) -> None:
    task = ElementaryBacktestOperator(task_id="backtest", elementary_conn_id="dwh", days=60, **store)

    run(task)

    assert "buckets of 60 days with elementary: 1 would have been anomalous" in unfolded(log)[-1]
    assert "/elementary/backtests?store=store" in ElementaryBacktestLink().get_link(task, ti_key=None)


def test_an_access_check_folds_what_passes(store: dict[str, str], log: pytest.LogCaptureFixture) -> None:
    run(ElementaryAccessCheckOperator(task_id="check", elementary_conn_id="dwh"))

    assert unfolded(log) == [
        "::group::11 of 11 checks pass",
        "access check of dwh: 11 of 11 checks pass",
    ]


def test_a_group_is_closed_where_its_block_fails(log: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="broken"), log_group(logging.getLogger("test"), "Title"):
        raise ValueError("broken")

    assert log.messages == ["::group::Title", "::endgroup::"]
