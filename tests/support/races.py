"""Two writers, a compactor, a prune, readers and verifies at once on one store, each a process that may be killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import PrunedMeanwhileError, SnapshotConflictError
from airflow_provider_elementary.snapshots import Manifest, Policy, Repository, open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.maintenance import mergeable
from airflow_provider_elementary.snapshots.maintenance.compaction import compact
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.layout import DATA
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.hourly_project import BEGAN, hourly, world_until
from tests.support.little_project import SMALL_WORLD_END, small_world

#: Of the 17 tables, the one that readers read.
TABLE = "dbt_run_results"
#: Enough that what was the newest when a round began is kept until it ends.
_KEPT = 6
_POLICY = Policy(failed_rows_days=100_000)
_FIRST_HOURS = 3
_READS = 4
#: Outcomes that are not "done", of actors that are not at fault.
_ALLOWED = {SnapshotConflictError: "conflict", PrunedMeanwhileError: "pruned meanwhile"}
#: When an actor counts as stuck.
_LONGEST_SECONDS = 300.0
#: About how long the actors of a round run.
_FIRST_SECONDS = 2.0


class RaceLostError(Exception):
    """A race lost rows, or an actor failed."""


@dataclass(frozen=True)
class Race:
    """One store, and a project that runs once in each round.

    Only the processes that it forks open the store, so that the one that forks has no threads.

    :param open_repository: opens the store in a process of its own.
    :param folder: where the warehouses of the rounds and what the actors say are.
    :param kills: how likely it is that one of the two writers, the compactor or the prune is killed in a round.
    """

    open_repository: Callable[[], Repository]
    folder: Path
    rounds: int
    kills: float = 0.5
    seed: int = 0
    #: By actor and outcome, how often.
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter, init=False)
    faults: list[str] = field(default_factory=list, init=False)

    def run(self, report: Callable[[str], None] = print) -> None:
        """Run all rounds.

        :raises RaceLostError: rows are lost, or an actor failed.
        """
        # Small stores are compacted too.
        mergeable.SNAPSHOTS = 2
        choice = random.Random(self.seed)  # noqa: S311 - which process dies when
        hours = _FIRST_HOURS + self.rounds
        world = hourly(small_world(hours), SMALL_WORLD_END - timedelta(days=hours), BEGAN)
        self._alone("store", lambda: self._begin(world))
        acknowledged: dict[int, str] = {}
        seconds = _FIRST_SECONDS
        for number in range(self.rounds):
            hour = _FIRST_HOURS + number
            newest = self._alone("newest", self._newest)
            self._alone("warehouse", partial(self._write, world, hour))
            began = time.monotonic()
            said = self._at_once(self._actors(number, hour, newest), choice, seconds)
            seconds = time.monotonic() - began
            acknowledged |= {one["sequence"]: one["snapshot_id"] for one in said.values() if "sequence" in one}
            checked = self._alone("check", partial(self._check, world, hour, acknowledged))
            outcomes = "; ".join(f"{name} {one.get('outcome')}" for name, one in sorted(said.items()))
            report(f"round {number + 1}: {outcomes}; newest {checked['sequence']}; {seconds:.1f} s")
        ended = self._alone("end", lambda: self._end(world, hours - 1))
        report(f"end: {json.dumps(ended)}")

    def _actors(self, number: int, hour: int, newest: Mapping[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
        # Each prune deletes what the one before recorded.
        now = datetime.now(UTC) + timedelta(hours=25 * (number + 1))
        keep, age = Retention(keep_last=_KEPT), timedelta(days=10_000)
        return {
            "writer": lambda: self._sync(hour),
            "other writer": lambda: self._sync(hour),
            "compactor": lambda: {"merged": compact(self.open_repository()).files},
            "prune": lambda: {
                "removed": len(prune(self.open_repository(), keep, now=now, orphan_age=age).removed),
            },
            "reader": lambda: self._read("latest", newest["rows"]),
            "reader of a kept one": lambda: self._read(newest["snapshot_id"], newest["rows"], is_exact=True),
            "verify": lambda: self._verify("latest"),
            "verify of a kept one": lambda: self._verify(newest["snapshot_id"]),
        }

    def _sync(self, hour: int) -> dict[str, Any]:
        with WarehouseSource(DuckDBWarehouse(self._warehouse(hour), "elementary")) as source:
            manifest = write_snapshot(
                source, self.open_repository(), policy=_POLICY, overlap=timedelta(minutes=10), run_key=f"{os.getpid()}"
            )
        return {"sequence": manifest.sequence, "snapshot_id": manifest.snapshot_id}

    def _read(self, snapshot: str, rows: int, *, is_exact: bool = False) -> dict[str, Any]:
        for _ in range(_READS):
            found = read_all(open_snapshot(self.open_repository(), snapshot), TABLE).num_rows
            assert found == rows if is_exact else found >= rows, f"{found} rows of {rows} in {snapshot}"
        return {}

    def _verify(self, snapshot: str) -> dict[str, Any]:
        findings = verify(self.open_repository(), snapshot=snapshot).findings
        assert findings == (), [str(finding) for finding in findings]
        return {}

    def _begin(self, world: Mapping[str, pa.Table]) -> dict[str, Any]:
        for hour in range(_FIRST_HOURS):
            self._write(world, hour)
            self._sync(hour)
        return {}

    def _newest(self) -> dict[str, Any]:
        source = open_snapshot(self.open_repository())
        return {"snapshot_id": source.manifest.snapshot_id, "rows": read_all(source, TABLE).num_rows}

    def _check(self, world: Mapping[str, pa.Table], hour: int, acknowledged: Mapping[int, str]) -> dict[str, Any]:
        """Sync once more, undisturbed; then nothing may be missing: no row, and no snapshot that a writer reported."""
        repository = self.open_repository()
        self._sync(hour)
        manifest = repository.latest()
        self._compare(world, hour, repository, manifest)
        links = repository.chain().links
        for sequence, snapshot_id in acknowledged.items():
            there = links.get(sequence)
            assert there is None or there.snapshot_id == snapshot_id, f"number {sequence} is of another snapshot"
            assert there is not None or sequence <= manifest.sequence - _KEPT, f"number {sequence} is gone"
        return {"sequence": manifest.sequence}

    def _compare(self, world: Mapping[str, pa.Table], hour: int, repository: Repository, manifest: Manifest) -> None:
        source = repository.source(manifest)
        expected = world_until(dict(world), BEGAN + timedelta(hours=hour + 1))
        for name, table in TABLES.items():
            there, rows = read_all(source, name), expected[name]
            columns = [column for column in table.key if column in there.column_names]
            assert _keys(there, columns) == _keys(rows, columns), f"{name}: {there.num_rows} rows of {rows.num_rows}"

    def _end(self, world: Mapping[str, pa.Table], hour: int) -> dict[str, Any]:
        """Remove what the killed left, and verify all of it."""
        repository = self.open_repository()
        long_after = datetime.now(UTC) + timedelta(days=100 * (self.rounds + 1))
        for days in (0, 2):
            prune(repository, Retention(keep_last=_KEPT), now=long_after + timedelta(days=days))
        self._compare(world, hour, repository, repository.latest())
        report = verify(repository, snapshot="all")
        assert report.findings == (), [str(finding) for finding in report.findings]
        kept = [repository.find(row.snapshot_id) for row in repository.chain().snapshots]
        listed = {file.key for manifest in kept for file in manifest.files}
        there = {found.key for found in repository.store.list(DATA)}
        assert there == listed, f"{len(there - listed)} files are left over, {len(listed - there)} are missing"
        return {"newest": kept[-1].sequence, "kept": len(kept), "kinds": Counter(manifest.kind for manifest in kept)}

    def _write(self, world: Mapping[str, pa.Table], hour: int) -> dict[str, Any]:
        self._warehouse(hour).parent.mkdir()
        write_duckdb(world_until(dict(world), BEGAN + timedelta(hours=hour + 1)), self._warehouse(hour))
        return {}

    def _warehouse(self, hour: int) -> Path:
        return self.folder / f"{hour:04d}" / "warehouse.duckdb"

    def _alone(self, name: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        said = self._at_once({name: act}, None, 0.0)[name]
        if self.faults:
            raise RaceLostError("\n".join(self.faults))
        return said

    def _at_once(
        self, acts: Mapping[str, Callable[[], dict[str, Any]]], choice: random.Random | None, seconds: float
    ) -> dict[str, dict[str, Any]]:
        """Fork a process for each act, kill some within that many seconds, and return what each said."""
        began = time.monotonic()
        processes = {name: self._fork(name, act) for name, act in acts.items()}
        doomed = {
            name: began + choice.uniform(0.0, seconds)
            for name in ("writer", "other writer", "compactor", "prune")
            if choice is not None and choice.random() < self.kills
        }
        said: dict[str, dict[str, Any]] = {}
        while processes:
            now = time.monotonic()
            for name, process in list(processes.items()):
                ended, status = os.waitpid(process, os.WNOHANG)
                if ended:
                    del processes[name]
                    said[name] = self._said(name, status, was_doomed=name in doomed and doomed[name] <= now)
                elif (name in doomed and doomed[name] <= now) or now - began > _LONGEST_SECONDS:
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.01)
        return said

    def _fork(self, name: str, act: Callable[[], dict[str, Any]]) -> int:
        (path := self._path(name)).unlink(missing_ok=True)
        if process := os.fork():
            return process
        status = 1
        try:
            path.write_text(json.dumps({"outcome": "done", **act()}))
            status = 0
        except tuple(_ALLOWED) as error:
            path.write_text(json.dumps({"outcome": _ALLOWED[type(error)]}))
            status = 0
        except BaseException:
            path.write_text(traceback.format_exc())
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _said(self, name: str, status: int, *, was_doomed: bool) -> dict[str, Any]:
        if os.WIFSIGNALED(status) and was_doomed:
            said: dict[str, Any] = {"outcome": "killed"}
        elif os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            said = json.loads(self._path(name).read_text())
        else:
            text = self._path(name).read_text() if self._path(name).exists() else f"status {status}"
            said = {"outcome": "FAILED"}
            self.faults.append(f"{name}: {text}")
        self.outcomes[name, said["outcome"]] += 1
        return said

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _keys(rows: pa.Table, columns: Iterable[str]) -> set[tuple[Any, ...]]:
    return set(zip(*(rows[column].to_pylist() for column in columns), strict=True))
