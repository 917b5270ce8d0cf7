"""Runs Airflow with its executors on one machine: scheduler, API server, DAG processor and workers."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.servers import HOST, free_port, is_listening, running
from tests.servers.postgres import PostgresServer

_AIRFLOW = str(Path(sys.executable).parent / "airflow")


@dataclass
class Deployment:
    """A running Airflow.

    :param directory: of the logs of the processes.
    :param workers: the processes of the Celery workers, by name.
    """

    database: str
    server: PostgresServer
    directory: Path
    environment: Mapping[str, str] = field(repr=False)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def airflow(self, *arguments: str) -> str:
        """Run a command of Airflow's command line, and return what it printed."""
        command = [_AIRFLOW, *arguments]
        return subprocess.run(command, env=dict(self.environment), check=True, capture_output=True, text=True).stdout

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Read Airflow's own database."""
        return self.server.execute(statement, database=self.database)

    def kill_worker_of(self, dag_id: str, task_id: str, seconds: float) -> tuple[str, int]:
        """Kill the worker of the first running mapped instance of a task, with all its children.

        :return: the name of the worker, and the index of the instance.
        """
        running_parts = (
            "SELECT external_executor_id, map_index, pid FROM task_instance "
            f"WHERE dag_id = '{dag_id}' AND task_id = '{task_id}' AND state = 'running' AND map_index > 0"
        )
        [(received, index, pid), *_] = self.wait_for(running_parts, seconds)
        if self.workers:
            # All workers of one machine have its name; each logs what it received.
            [name] = [name for name in self.workers if received in (self.directory / f"{name}.log").read_text()]
            worker = psutil.Process(self.workers[name].pid)
        else:
            # A process of the executor supervises that of the task.
            worker = psutil.Process(psutil.Process(pid).ppid())
            name = f"process {worker.pid} of the executor"
        for process in [worker, *worker.children(recursive=True)]:
            process.send_signal(signal.SIGKILL)
        return name, index

    def wait_for(self, statement: str, seconds: float) -> list[tuple[Any, ...]]:
        """Read Airflow's own database until there are rows."""
        deadline = time.monotonic() + seconds
        while not (found := self.rows(statement)):
            assert time.monotonic() < deadline, f"no rows within {seconds} s: {statement}"
            time.sleep(0.2)
        return found


@contextmanager
def airflow_deployment(
    server: PostgresServer, directory: Path, dags: Path, connections: Mapping[str, str], *, workers: int
) -> Iterator[Deployment]:
    """Run Airflow with its database on PostgreSQL.

    :param connections: ``AIRFLOW_CONN_`` variables.
    :param workers: how many Celery workers of one process each; 0 uses the LocalExecutor.
    """
    home = directory / "airflow"
    home.mkdir()
    database = f"airflow_{secrets.token_hex(4)}"
    password = server.create_role(database, plaintext=True)
    server.create_database(database)
    server.execute(f'ALTER DATABASE "{database}" OWNER TO "{database}"')
    address = f"{database}:{password}@{HOST}:{server.port}/{database}"
    api, broker = free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        **connections,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor" if workers else "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(workers or 2),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{api}/execution/",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(api),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{address}?sslmode=disable",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{address}?ssl=disable",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://{HOST}:{broker}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{address}?sslmode=disable",
        # A dead worker is noticed within half a minute.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
        "AIRFLOW__OPENLINEAGE__DISABLED": "True",
    }
    deployment = Deployment(database, server, directory, environment)
    with ExitStack() as stack:

        def start(name: str, *command: str, ready: Any = lambda: True) -> subprocess.Popen[bytes]:
            return stack.enter_context(
                running(
                    command, log=directory / f"{name}.log", is_ready=ready, ready_seconds=240, environment=environment
                )
            )

        if workers:
            redis = shutil.which("redis-server") or "redis-server"
            options = ("--port", str(broker), "--bind", HOST, "--save", "", "--dir", str(directory))
            start("redis", redis, *options, ready=lambda: is_listening(broker))
        deployment.airflow("db", "migrate")
        start("api-server", _AIRFLOW, "api-server", "--port", str(api), ready=lambda: _is_healthy(api))
        start("dag-processor", _AIRFLOW, "dag-processor")
        start("scheduler", _AIRFLOW, "scheduler")
        for number in range(workers):
            name = f"worker{number}"
            options = ("--concurrency", "1", "--celery-hostname", f"{name}@{name}", "--skip-serve-logs")
            deployment.workers[name] = start(name, _AIRFLOW, "celery", "worker", *options)
        deployment.wait_for("SELECT 1 FROM dag LIMIT 1", 240)
        yield deployment
        # Children of servers that have to be killed outlive them.
        started = psutil.Process().children(recursive=True)
    for process in started:
        with suppress(psutil.Error):
            if "airflow" in " ".join(process.cmdline()):
                process.kill()
    server.drop_database(database)
    server.drop_role(database)


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/api/v2/monitor/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
