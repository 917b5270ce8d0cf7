"""A failed task logs one error in words, once, without the frames between cause and operator."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from airflow.sdk import BaseOperator

from airflow_provider_elementary import operators, sensors
from airflow_provider_elementary.access.check.report import AccessFinding, AccessReport
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.operators.access import ElementaryAccessCheckOperator
from airflow_provider_elementary.operators.access_gate import log_access
from airflow_provider_elementary.operators.base import ElementaryStoreOperator
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator
from tests.servers import free_port
from tests.support.connections import duckdb_file, local_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world

Connect = Callable[[str, Mapping[str, object]], str]

PASSWORD = "password-that-nobody-logs"
#: Every operator and sensor of the package, each given what cannot work: a store without snapshots, no connection, a
#: server that is not there (which a retry may remove), a wrong value.
FAILING = """
from airflow.sdk import DAG
from airflow_provider_elementary.operators.access import ElementaryAccessCheckOperator
from airflow_provider_elementary.operators.alerts import ElementaryAlertOperator
from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.backtest import ElementaryBacktestOperator
from airflow_provider_elementary.operators.incidents import (
    ElementaryIncidentAnswerOperator,
    ElementaryIncidentOperator,
)
from airflow_provider_elementary.operators.prune import ElementaryMaintainStoreOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from airflow_provider_elementary.operators.query_logs import ElementaryQueryLogOperator
from airflow_provider_elementary.operators.snapshot import (
    ElementaryDiffSnapshotsOperator,
    ElementaryPruneSnapshotsOperator,
    ElementaryRestoreDrillOperator,
    ElementaryRestoreSnapshotOperator,
    ElementarySnapshotOperator,
    ElementaryVerifySnapshotOperator,
)
from airflow_provider_elementary.operators.snapshot_in_parts import (
    ElementaryCapturePartOperator,
    ElementaryCommitSnapshotOperator,
    ElementaryPlanSnapshotOperator,
)
from airflow_provider_elementary.sensors.invocation import ElementaryInvocationSensor

EMPTY = {"store_conn_id": "empty"}

with DAG("failing"):
    ElementaryAccessCheckOperator(task_id="check_nowhere", elementary_conn_id="nowhere")
    ElementaryAccessCheckOperator(task_id="check_refused", elementary_conn_id="refused")
    ElementaryAccessCheckOperator(task_id="check_wide", elementary_conn_id="wide")
    ElementarySnapshotOperator(task_id="snapshot_refused", elementary_conn_id="refused", **EMPTY)
    ElementarySnapshotOperator(task_id="snapshot_value", elementary_conn_id="wide", failed_rows_days="many", **EMPTY)
    ElementaryVerifySnapshotOperator(task_id="verify", **EMPTY)
    ElementaryVerifySnapshotOperator(task_id="verify_value", categories=["everything"], **EMPTY)
    ElementaryRestoreDrillOperator(task_id="drill", **EMPTY)
    ElementaryRestoreSnapshotOperator(task_id="restore", target_path="/tmp/no-such-target.duckdb", **EMPTY)
    ElementaryPruneSnapshotsOperator(task_id="prune", keep_last="all", **EMPTY)
    ElementaryDiffSnapshotsOperator(task_id="diff", before="latest", **EMPTY)
    ElementaryMaintainStoreOperator(task_id="maintain", keep_last="all", **EMPTY)
    ElementaryPlanSnapshotOperator(task_id="plan_refused", elementary_conn_id="refused", **EMPTY)
    ElementaryCapturePartOperator(task_id="capture", part={"plan": "none"}, **EMPTY)
    ElementaryCommitSnapshotOperator(task_id="commit", parts=[{"plan": "none"}], **EMPTY)
    ElementaryQueryLogOperator(
        task_id="queries_nowhere", history_conn_id="nowhere", elementary_conn_id="wide", **EMPTY
    )
    ElementaryQueryLogOperator(
        task_id="queries_refused", history_conn_id="refused", elementary_conn_id="wide", **EMPTY
    )
    ElementaryTableMetricsOperator(task_id="metrics", **EMPTY)
    ElementaryTableMetricsOperator(task_id="metrics_refused", elementary_conn_id="refused", **EMPTY)
    ElementaryAnomalyOperator(task_id="anomalies", **EMPTY)
    ElementaryAnomalyOperator(task_id="anomalies_value", days="few", **EMPTY)
    ElementaryIncidentOperator(task_id="incidents", verdicts={"verdicts": "none", "origin": {}}, **EMPTY)
    ElementaryIncidentAnswerOperator(task_id="answer", incident_id="none", answer="shout", **EMPTY)
    ElementaryBacktestOperator(task_id="backtest", **EMPTY)
    ElementaryAlertOperator(
        task_id="alerts",
        incidents={"incidents": "results/incidents/none"},
        routes={"nobody": lambda context: None},
        **EMPTY,
    )
    ElementaryInvocationSensor(task_id="sensor_nowhere", elementary_conn_id="nowhere")
    ElementaryInvocationSensor(task_id="sensor_refused", elementary_conn_id="refused")
"""
_RUN = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import tests.conftest
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
os.environ["AIRFLOW__LOGGING__COLORED_CONSOLE_LOG"] = "False"
from airflow.utils import db
from tests.support.dag_runs import run_parsed_dag

db.initdb()
run_parsed_dag(Path(sys.argv[1]), "failing", {})
"""


@pytest.fixture
def connections(tmp_path: Path, airflow_connection: Connect) -> None:
    wide = write_duckdb(small_world(days=3), tmp_path / "wide.duckdb")
    with duckdb.connect(str(wide)) as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.users (email text)")
    airflow_connection("wide", duckdb_file(wide))
    airflow_connection("empty", local_store(tmp_path / "no-such-store"))
    airflow_connection(
        "refused",
        {"conn_type": "postgres", "host": "127.0.0.1", "port": free_port(), "login": "reader", "password": PASSWORD},
    )


def classes_of_the_package() -> set[str]:
    found: set[str] = set()
    for package in (operators, sensors):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            found |= {
                name
                for name, kind in vars(importlib.import_module(module.name)).items()
                if isinstance(kind, type) and issubclass(kind, BaseOperator) and name.startswith("Elementary")
            }
    return found - {"ElementaryStoreOperator", "ElementarySourceOperator", "ElementarySnapshotBaseOperator"}


def test_every_operator_and_sensor_fails_in_this_file() -> None:
    assert {name for name in classes_of_the_package() if f" {name}(" not in FAILING} == set()


@pytest.mark.dag
def test_a_failed_task_leaves_one_error_in_words_and_few_frames(tmp_path: Path, connections: None) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "failing.py").write_text(FAILING)

    ended = subprocess.run(
        [sys.executable, "-c", _RUN, str(tmp_path / "dags")],
        env={**os.environ, "PYTHONPATH": ".", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    printed = ended.stdout + ended.stderr
    logs = {
        found[1]: found[2]
        for found in re.finditer(r"\[DAG TEST\] starting task_id=(\w+)(.*?)\[DAG TEST\] end task", printed, re.DOTALL)
    }
    assert set(logs) == set(re.findall(r'task_id="(\w+)"', FAILING)), printed[-3000:]
    assert PASSWORD not in printed
    for task, log in logs.items():
        errors = re.findall(r"\[error +\] (.*?) +\[", log)
        raised = re.findall(r"^airflow_provider_elementary\.[\w.]+(?:Error|Exception): (.+)$", log, re.MULTILINE)
        frames = re.findall(r'^ *File ".*/airflow_provider_elementary/', log, re.MULTILINE)
        assert errors[-1:] == ["Task failed with exception"], (task, log)
        assert [error for error in errors[:-1] if "checks pass" not in error] == [], (task, errors)
        assert len(raised) == 1, (task, log)
        assert log.count(raised[0]) == 1, (task, log)
        assert len(frames) <= 3, (task, log)
        assert "direct cause" not in log
        assert "During handling" not in log


@pytest.mark.parametrize("operator", [ElementaryAccessCheckOperator, ElementarySnapshotOperator])
def test_a_failed_access_check_is_logged_as_an_error(
    operator: Any, connections: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for owner in (ElementaryStoreOperator, ElementaryHook):
        monkeypatch.setattr(owner, "log", logging.getLogger("task"))
    caplog.set_level(logging.INFO)
    instance = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1)
    instance.get_previous_dagrun = lambda state=None: None
    instance.xcom_push = lambda **returned: None
    store = {"store_conn_id": "empty"}

    with pytest.raises(Exception, match="access checks do not pass"):
        operator(task_id="task", elementary_conn_id="wide", **store).execute({"ti": instance, "outlet_events": {}})

    (counts,) = [record for record in caplog.records if "checks pass, " in record.getMessage()]
    assert counts.levelno == logging.ERROR
    assert counts.getMessage().endswith("of 11 checks pass, 2 fail")
    assert "proved" not in caplog.text


def test_an_accepted_failure_is_logged_as_a_warning_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    finding = AccessFinding("ownership", "warning", "x is owned", accepted="agreed with its owner")
    report = AccessReport("postgres", None, "elementary", "reader", (), datetime.now(UTC), (finding,))

    log_access(logging.getLogger("task"), "access check of dwh", report)

    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "access check of dwh: 0 of 1 checks pass, 1 accepted as a warning"),
        (logging.WARNING, "accepted although it fails: ownership: x is owned. Reason: agreed with its owner"),
    ]


def test_a_check_that_is_accepted_as_unknown_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    finding = AccessFinding("ownership", "unknown", "The catalog does not answer.")
    report = AccessReport("postgres", None, "elementary", "reader", (), datetime.now(UTC), (finding,))

    log_access(logging.getLogger("task"), "access check of dwh", report)

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING,
        "access check of dwh: 0 of 1 checks pass, 1 unknown",
    )
