"""Runs one task as a worker does: under the supervisor of Airflow's task SDK, in a process of its own.

``python -m tests.support.supervised_task DAG TASK MARKED``, for a DAG in ``dag.py`` of the bundle ``dags-folder``. The
API server is played: it answers every request, and says that the task is no longer to run once the file MARKED exists,
as it does after somebody marked the task as failed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
from airflow.sdk.execution_time.supervisor import supervise_task

_AT = "2026-10-31T06:00:00Z"
_RUN: dict[str, Any] = {
    **{"dag_id": "killed", "run_id": "run", "run_type": "manual", "state": "running", "consumed_asset_events": []},
    **dict.fromkeys(("logical_date", "data_interval_start", "data_interval_end", "start_date", "run_after"), _AT),
    **dict.fromkeys(("end_date", "partition_key")),
}


def main(dag_id: str, task_id: str, marked: Path) -> int:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/heartbeat") and marked.exists():
            return httpx.Response(409, json={"detail": {"reason": "not_running", "current_state": "failed"}})
        is_start = request.url.path.endswith("/run")
        return httpx.Response(200, json={"dag_run": _RUN, "max_tries": 0, "should_retry": False} if is_start else {})

    instance = TaskInstance(
        id=uuid4(), task_id=task_id, dag_id=dag_id, run_id="run", try_number=1, dag_version_id=uuid4(), map_index=-1
    )
    client = Client(base_url=None, dry_run=True, token="", transport=httpx.MockTransport(answer))
    return supervise_task(
        ti=instance,
        bundle_info=BundleInfo(name="dags-folder"),
        dag_rel_path="dag.py",
        token="",
        client=client,
        subprocess_logs_to_stdout=True,
    )


if __name__ == "__main__":
    _, dag, task, file = sys.argv
    sys.exit(main(dag, task, Path(file)))
