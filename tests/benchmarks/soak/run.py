"""Lets the hours pass: dbt runs, the store's tasks, kills, comparisons, and the series of what they take."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from tests.benchmarks.soak.child import NEVER, Doom, Ended, FailedError, Resident, in_child
from tests.benchmarks.soak.project import Project
from tests.benchmarks.soak.tasks import Page, Places

_DAY = 24


@dataclass(frozen=True)
class Plan:
    """How long, how often, and what goes wrong.

    :param hours: of syncs, one an hour.
    :param metrics_every: hours between two runs of metrics, anomalies and incidents.
    :param week: hours between two verifications and restores.
    :param killed: the share of syncs that are killed once or more; maintenances and metrics twice as often.
    :param timed: a part of the kills comes after a random time instead of at a random request.
    :param full_every_days: after how many days a snapshot is full.
    """

    hours: int
    metrics_every: int = 6
    week: int = 7 * _DAY
    killed: float = 0.05
    timed: bool = True
    full_every_days: float = 7


@dataclass
class Soak:
    """What happened.

    :param syncs: what each sync took, in a row of its own.
    :param others: what the other tasks took, by kind.
    :param faults: what is not as it has to be, in words.
    """

    plan: Plan
    places: Places
    project: Project
    began: datetime
    random: random.Random
    syncs: list[dict[str, Any]] = field(default_factory=list)
    others: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    kills: int = 0
    compared: int = 0
    _anchor: list[Any] | None = None
    _before: dict[str, Any] = field(default_factory=dict)
    _digests: dict[str, dict[str, str]] = field(default_factory=dict)
    _kept: list[str] = field(default_factory=list)
    _unfinished: bool = False

    def run(self, progress: Callable[[int], None], until: float) -> None:
        """Let the hours pass, or as many as there is time for.

        :param progress: called with each hour that is over.
        :param until: when to stop, by the monotonic clock.
        """
        page = Resident(Page(self.places).poll, self.places.client)
        try:
            for hour in range(self.plan.hours):
                if time.monotonic() > until:
                    break
                self._hour(hour, page)
                progress(hour)
        finally:
            page.close()

    def _hour(self, hour: int, page: Resident) -> None:
        now = self.began + timedelta(hours=hour)
        self._change(hour, now)
        is_checked = hour % _DAY == 3 or (hour + 1) % self.plan.week == 0 or hour + 1 == self.plan.hours
        self._unfinished = not is_checked and self.random.random() < 0.05
        self.project.hour(now, leaves_unfinished=self._unfinished)
        later = now + timedelta(minutes=20)
        self._sync(hour, later)
        if hour % self.plan.metrics_every == 1:
            self._analyze(hour, later)
        if is_checked:
            self._compare("compare", self.places.compare, hour, later)
        if hour % _DAY == 4:
            self.project.purge(later)
            self._maintain(hour, later)
        if hour % _DAY == 5:
            self._record("page", hour, self._guarded("page", hour, partial(page.ask, later)))
        if (hour + 1) % self.plan.week == 0 or hour + 1 == self.plan.hours:
            self._look(hour, later)

    def _change(self, hour: int, now: datetime) -> None:
        """Change the project as the years do."""
        total, project = self.plan.hours, self.project
        happens = (
            (total // 3, project.upgrade),
            (total // 2, project.drop_table),
            (total // 2 + min(5, total // 4), project.create_table_again),
            (total * 2 // 3, project.refresh_fully),
        )
        for when, change in happens:
            if hour == when:
                project.finish()
                change()
        if hour % (5 * _DAY) == 30:
            project.replace_model(now)
        if hour % (3 * _DAY) == 10:
            project.add_column(now)
        if hour % _DAY == 14:
            project.late_row(now, 1.5)
        if hour % (7 * _DAY) == 15:
            project.late_row(now, 5)
        if hour % _DAY == 16:
            project.corrected_metric(now)
        if hour % (3 * _DAY) == 17:
            project.corrected_result(now)

    def _sync(self, hour: int, now: datetime) -> None:
        run_key = f"soak/sync {hour}"
        work = partial(self.places_sync, run_key)
        ended, killed = self._with_kills("sync", hour, now, work, self.plan.killed, 30)
        if ended is None:
            return
        self._anchor = ended.answer["anchor"]
        row = {"hour": hour, "cpu": ended.cpu, "peak_mb": ended.peak_mb, "requests": ended.total, "killed": killed}
        kinds = {kind: (ended.requests or {}).get(kind, 0) for kind in ("get", "put", "list", "head", "delete", "post")}
        self.syncs.append({**row, **kinds, **{name: each for name, each in ended.answer.items() if name != "anchor"}})

    def places_sync(self, run_key: str) -> dict[str, Any]:
        """Take a snapshot, with the newest anchor that was kept outside the store."""
        return self.places.sync(run_key, self._anchor, self.plan.full_every_days)

    def _analyze(self, hour: int, now: datetime) -> None:
        work = partial(self.places.analyze, f"soak/metrics {hour}", dict(self._before))
        ended, _ = self._with_kills("metrics", hour, now, work, 2 * self.plan.killed, 60)
        if ended is not None:
            self._before = ended.answer["anchors"]
            for lost in ended.answer["losses"]:
                self._fault(f"hour {hour}: {lost}")
            self._record("metrics", hour, ended)

    def _maintain(self, hour: int, now: datetime) -> None:
        work = partial(self.places.maintain, self._anchor or [])
        ended, _ = self._with_kills("maintain", hour, now, work, 2 * self.plan.killed, 60)
        if ended is not None:
            self._anchor, self._kept = ended.answer["anchor"], ended.answer["kept"]
            self._record("maintain", hour, ended)
        size = self._guarded("size", hour, partial(self._in_child, self.places.size, now))
        self._record("size", hour, size)

    def _compare(self, kind: str, compare: Callable[..., dict[str, Any]], hour: int, now: datetime) -> None:
        """Compare a snapshot with the source; what was corrected lately may be found by the next full one."""
        bound = now - timedelta(days=self.plan.full_every_days, hours=1)
        corrected = {name: f"{when}" for name, when in self.project.corrected.items() if when > bound}
        ended = self._guarded(kind, hour, partial(self._in_child, partial(compare, corrected), now))
        if ended is None:
            return
        found = ended.answer
        self.compared += found["rows"]
        self._record(kind, hour, ended)
        wrong = [*found["lost"], *found["foreign"], *found.get("differences", ())]
        for each in wrong:
            self._fault(f"hour {hour}, {kind}: {each}"[:1500])
        if self.syncs:
            newest = self.syncs[-1]["snapshot"]
            digests = self._guarded("digest", hour, partial(self._in_child, partial(self.places.digest, newest), now))
            if digests is not None:
                self._digests[newest] = digests.answer

    def _look(self, hour: int, now: datetime) -> None:
        """Verify, restore, and read an old snapshot again."""
        verify = partial(self.places.verify, self._anchor or [])
        if (ended := self._guarded("verify", hour, partial(self._in_child, verify, now))) is not None:
            self._record("verify", hour, ended)
            for each in ended.answer["findings"]:
                self._fault(f"hour {hour}, verify: {each}")
        self._compare("restore", self.places.restore, hour, now)
        old = [name for name in self._kept if name in self._digests]
        for name in sorted({*old[-1:], *(self.random.sample(old, 1) if old else [])}):
            again = self._guarded("old", hour, partial(self._in_child, partial(self.places.digest, name), now))
            if again is not None:
                self._record("old", hour, again)
                if again.answer != self._digests[name]:
                    self._fault(f"hour {hour}: snapshot {name} holds other rows than when it was taken")

    def _in_child(self, work: Callable[[], Any], now: datetime) -> Ended:
        return in_child(work, now, self.places.client)

    def _with_kills(
        self, kind: str, hour: int, now: datetime, work: Callable[[], Any], share: float, requests: int
    ) -> tuple[Ended | None, int]:
        """Do the work, killed at random some times, as often as it takes."""
        killed = 0
        while True:
            doom = NEVER
            if self.random.random() < share:
                number, is_after = self.random.randint(1, requests), self.random.random() < 0.5
                doom = Doom(number, is_after)
                if self.random.random() < 0.3:
                    seconds = self.random.uniform(0.02, 0.6)
                    doom = Doom(seconds=seconds) if self.plan.timed else doom
            work_now = partial(in_child, work, now, self.places.client, doom)
            ended = self._guarded(kind, hour, work_now)
            if ended is None or ended.answer is not None:
                return ended, killed
            killed += 1
            self.kills += 1

    def _guarded(self, kind: str, hour: int, work: Callable[[], Ended]) -> Ended | None:
        try:
            return work()
        except FailedError as failed:
            lines = str(failed).strip().splitlines()
            self._fault(f"hour {hour}, {kind} failed: " + " | ".join(lines[-4:])[:1500])
            return None

    def _fault(self, text: str) -> None:
        self.faults.append(text)
        # A run of hours says at once what is wrong.
        print(text, file=sys.stderr, flush=True)

    def _record(self, kind: str, hour: int, ended: Ended | None) -> None:
        if ended is None:
            return
        answer = ended.answer if isinstance(ended.answer, dict) else {"answer": ended.answer}
        plain = {name: each for name, each in answer.items() if isinstance(each, int | float)}
        row = {"hour": hour, "cpu": ended.cpu, "peak_mb": ended.peak_mb, "requests": ended.total, **plain}
        self.others.setdefault(kind, []).append(row)


def flatness(rows: Sequence[dict[str, Any]], hours: int, span: int) -> dict[str, tuple[float, float]]:
    """Return the means of CPU, memory and requests in the first and in the last hours of a run.

    :param rows: what a task took, a row for each run of it.
    :param hours: of the run in all.
    :param span: how many of these hours are compared.
    """
    first = [row for row in rows if row["hour"] < span] or rows[:1]
    last = [row for row in rows if row["hour"] >= hours - span] or rows[-1:]

    def mean(found: Sequence[dict[str, Any]], name: str) -> float:
        return sum(row[name] for row in found) / len(found)

    return {name: (mean(first, name), mean(last, name)) for name in ("cpu", "peak_mb", "requests")}
