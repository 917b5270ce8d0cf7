"""The steps of a full snapshot in parts: CPU seconds, and what the serial share leaves to more workers.

The CPU is that of the step's process and of its PostgreSQL session; a loaded machine changes it little.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_METRICS = "data_monitoring_metrics"


def main(arguments: Sequence[str]) -> None:
    """Measure plan, capture and commit, one after another in this process."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks parts", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of data_monitoring_metrics")
    parser.add_argument("--parts", type=int, default=5, help="how many ranges they are read in")
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        _measure(Path(directory), parsed.rows, parsed.parts)


def _measure(directory: Path, rows: int, count: int) -> None:
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from tests.benchmarks.snapshot import _postgres
    from tests.support.datasets import copy_postgres, create_table, many_metrics
    from tests.support.parts import Parts
    from tests.support.stores import local_rest

    with _postgres() as (server, database, connection):
        server.execute('CREATE SCHEMA "elementary"', database=database)
        server.execute(create_table("postgres", _METRICS, f"elementary.{_METRICS}"), database=database)
        copy_postgres(many_metrics(rows), server, database, "elementary", _METRICS)
        server.execute(f"VACUUM ANALYZE elementary.{_METRICS}", database=database)
        os.environ["AIRFLOW_CONN_PARTS"] = json.dumps(connection())
        rest = local_rest(directory)
        run = Parts(lambda: ElementaryHook("parts").source(), lambda: rest.repository, rows_per_part=rows // count)
        seconds: dict[str, float] = {}
        with _cpu("plan", seconds):
            planned = run.plan()
        for reference in planned:
            with _cpu(f"part {reference.part}", seconds):
                run.capture(reference)
        with _cpu("commit", seconds):
            run.commit(planned[0])
    serial = seconds["plan"] + seconds["commit"]
    share = serial / sum(seconds.values())
    print(f"serial share of CPU: {share:.1%} of {sum(seconds.values()):.1f} s")
    for workers in (2, 3, 4):
        print(f"at most {1 / (share + (1 - share) / workers):.2f} times as fast with {workers} workers (Amdahl)")


@contextmanager
def _cpu(step: str, seconds: dict[str, float]) -> Iterator[None]:
    """Add what a step costs, in this process and in its sessions."""
    before, began = _used(), time.monotonic()
    yield
    took = time.monotonic() - began
    # A session that was closed ends a moment later, and counts once it has.
    time.sleep(1)
    seconds[step] = _used() - before
    print(f"{step}: {seconds[step]:.2f} CPU s, {took:.1f} s", flush=True)


def _used() -> float:
    this = psutil.Process()
    found = this.cpu_times().user + this.cpu_times().system
    for server in this.children():
        # Sessions that ended count as their server's children.
        times = server.cpu_times()
        found += times.children_user + times.children_system
    return float(found)
