"""A week of the real writer after a long chain, and what each task costs at its end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from airflow_provider_elementary.incidents.evaluate import Evaluation
from airflow_provider_elementary.incidents.store import TrackedIncidents
from airflow_provider_elementary.incidents.store_summary import write_summary
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.snapshots import Repository, find_manifest, open_snapshot
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.maintenance import compaction
from airflow_provider_elementary.snapshots.maintenance.compaction import compact
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.restore import restore
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.keys import Keys
from airflow_provider_elementary.storage.outcomes import Outcome
from tests.benchmarks.measure import peak_mb, reset_peak, resident_mb
from tests.benchmarks.soak.tasks import CountingKeys, Page, Places
from tests.support.counting_store import CountingStore, SyntheticChain
from tests.support.hourly_project import HourlyProject
from tests.support.signing import opened

#: Seconds that each request takes of the store from which metrics are computed.
LATENCY = 0.03
_DAY = 24
_OVERVIEW = ("",)


@dataclass(frozen=True)
class Cost:
    """What a task costs.

    :param kb: read and written.
    :param cpu: seconds.
    :param note: what else is known of it.
    """

    requests: int
    kb: float
    cpu: float
    note: str = ""


class _SlowStore(CountingStore):
    """A store each of whose requests takes as long as one over a network."""

    def _count(self, kind: str, content: bytes | None) -> bytes | None:
        time.sleep(LATENCY)
        return super()._count(kind, content)


@dataclass
class _Tasks(Places):
    """The tasks of a run, on the store in memory that ``client`` is."""

    def repository(self) -> Repository:
        self.counted = CountingKeys(self.keys)
        repository = opened(self.client, self.counted)
        self.client.reset()
        return repository

    def summarise(
        self, repository: Repository, evaluation: Evaluation, tracked: TrackedIncidents, run_key: str, origin: Any
    ) -> None:
        write_summary(repository, tracked, evaluation.verdicts, [evaluation.result], run_key=run_key, origin=origin)


class Week:
    """The real writer continues a copy of a chain, and every task is measured at the end.

    :param chain: made with the keys.
    :param hours: how many syncs, the first of them a full one; the last two find nothing new, and a compaction follows
        each of the others.
    """

    def __init__(self, chain: SyntheticChain, keys: Keys, folder: Path, hours: int) -> None:
        self._store = CountingStore(chain.store.objects)
        self._tasks = _Tasks(None, "", self._store, keys, folder)  # type: ignore[arg-type]
        self._project = HourlyProject(self._store, folder, hours, began=chain.ends, keys=keys)
        self._folder, self._hours = folder, hours

    def costs(self) -> dict[str, Cost]:
        """Sync for as many hours, and return what each task costs then."""
        syncs, compactions = [], []
        for hour in range(self._hours - 2):
            self._project.write(hour)
            syncs.append(self._sync(hour))
            compactions.append(self._measured(lambda repository, hour=hour: self._compact(repository, hour)))
        last = sorted(syncs[-_DAY:], key=lambda cost: cost.requests)
        cpu = sorted(cost.cpu for cost in last)[len(last) // 2]
        quiet = sorted((self._sync(self._hours - 2 + more) for more in range(2)), key=lambda cost: cost.requests)
        found = {
            "next sync, one run": replace(last[len(last) // 2], cpu=cpu),
            "the dearest sync of a day": replace(last[-1], cpu=cpu),
            "next sync, nothing new": replace(quiet[1], note=f"{quiet[1].note}; one beside it {quiet[0].requests}"),
            "compaction": Cost(
                max(cost.requests for cost in compactions),
                sum(cost.kb for cost in compactions) / len(compactions),
                sum(cost.cpu for cost in compactions) / len(compactions),
                f"at most; {sum(cost.requests for cost in compactions) / len(compactions):.1f} requests a sync",
            ),
        }
        self._tasks.analyze("the daily run", {})
        return found | {
            "verify the newest": self._measured(lambda repository: self._verify(repository, "latest")),
            "verify all": self._measured(lambda repository: self._verify(repository, "all")),
            "metrics from a snapshot": self._measured(self._metrics),
            "restore": self._measured(self._restore),
            "page, first view": self._measured(lambda _: f"{Page(self._tasks).poll(_OVERVIEW):,} fields"),
            "prune": self._measured(self._prune),
        }

    def _measured(self, task: Callable[[Repository], str]) -> Cost:
        repository = self._tasks.repository()
        began = time.process_time()
        note = task(repository)
        return Cost(self._store.total, self._store.bytes / 1000, time.process_time() - began, note)

    def _sync(self, hour: int) -> Cost:
        repository = self._tasks.repository()
        began = time.process_time()
        taken = self._project.take(hour, repository)
        cpu = time.process_time() - began
        self._synced = Anchor(taken.sequence, taken.sha256)
        note = f"{taken.kind}, {len(taken.new_files)} new files, {self._tasks.counted.calls} uses of master keys"
        return Cost(self._store.total, self._store.bytes / 1000, cpu, note)

    def _compact(self, repository: Repository, hour: int) -> str:
        with patch.object(compaction, "utc_now", return_value=self._project.now(hour)):
            return f"{compact(repository, anchors=[self._synced]).files} files"

    def _verify(self, repository: Repository, snapshot: str) -> str:
        newest = find_manifest(opened(CountingStore(self._store.objects), self._tasks.keys))
        reset_peak()
        before = resident_mb()
        anchor = Anchor(newest.sequence, newest.sha256)
        # Made-up files do not open.
        report = verify(repository, snapshot=snapshot, anchors=[anchor], decrypt=snapshot == "latest")
        if report.outcome is not Outcome.SOUND:
            raise RuntimeError(f"verify {snapshot}: {report.outcome}: {report.findings[:3]}")
        fetched = self._store.ranges
        return (
            f"{report.files:,} files and {fetched - report.files:,} of {report.results} results; "
            f"{self._store.total - fetched:,} requests beside them; {peak_mb() - before:.0f} MB of memory"
        )

    def _metrics(self, repository: Repository) -> str:
        with compute_metrics(open_snapshot(repository)) as rows:
            count = rows.read_all().num_rows
        slow = opened(_SlowStore(self._store.objects), self._tasks.keys)
        began = time.perf_counter()
        with compute_metrics(open_snapshot(slow)) as rows:
            rows.read_all()
        return f"{count:,} metrics; {time.perf_counter() - began:.1f} s where a request takes {LATENCY * 1000:.0f} ms"

    def _restore(self, repository: Repository) -> str:
        with tempfile.TemporaryDirectory(dir=self._folder) as place:
            return f"{restore(repository, DuckDBTarget(Path(place) / 'restored.duckdb')).rows:,} rows"

    def _prune(self, repository: Repository) -> str:
        now = self._project.now(self._hours).replace(tzinfo=UTC)
        retention = Retention(keep_daily=30, keep_monthly=12)
        first = prune(repository, retention, now=now)
        before = self._store.total
        # Another task, whose requests are counted with those of the first.
        later = prune(opened(self._store, self._tasks.keys), retention, now=now + timedelta(hours=25))
        if not first.removed:
            return "nothing"
        return (
            f"{before:,} requests to record; {self._store.total - before:,} a day later, {later.files:,} files deleted"
        )
