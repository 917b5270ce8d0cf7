"""What a store costs as its chain grows: requests and bytes of each task, and of a year.

``python -m tests.benchmarks growth [--lengths 375 8775] [--real-hours 168]`` prints the tables. It fails where an
action on the chain costs more at the last length than at the first, beyond its pages, and where a task of the week asks
more than its fixed maximum; both lengths end at the same hour of the week. The writer's own commit makes chains of
made-up files, 12 new ones an hour and a full snapshot a week, with its own compactions. After each length the real
writer syncs a small project for a week, with a compaction after each sync, and every task is measured. All in a store
in memory that counts; nothing is pruned before the last task.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

from airflow_provider_elementary.snapshots import LocalKeys, find_manifest
from airflow_provider_elementary.snapshots.chain import check_chain, read_chain
from airflow_provider_elementary.snapshots.maintenance import compaction
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from tests.benchmarks.growth.week import Cost, Week
from tests.support.counting_store import BEGAN, FILES, CountingStore, SyntheticChain

#: USD of S3 Standard in us-east-1, 2026: of 1,000 requests by kind, of a GB stored for a month.
PRICES: Mapping[str, float] = {"put": 0.005, "list": 0.005, "get": 0.0004, "delete": 0.0}
STORED = 0.023
#: Somewhat more than a page of 256 snapshots, and than a document that a place between two compactions needs or not.
_PAGE_KB, _DOCUMENT_KB = 150, 16


@dataclass(frozen=True)
class Action:
    """What is measured.

    :param act: does it.
    :param most: the most requests that it may cost at any length; None where a table of files decides.
    :param pages: requests that it costs more for each 256 snapshots: pages, and listings of names.
    :param page_kb: kB that it reads more for each 256 snapshots.
    """

    act: Callable[[SyntheticChain], object]
    most: int | None
    pages: float = 0
    page_kb: float = 0


ACTIONS: Mapping[str, Action] = {
    "commit of the next sync": Action(lambda chain: chain.commit(chain.repository()), 60, 1.2),
    "maintenance with nothing to merge": Action(lambda chain: chain.compact(chain.repository()), 10, 1.2),
    "open the newest": Action(lambda chain: find_manifest(chain.repository()), None, 0.4),
    "open the oldest by time": Action(
        lambda chain: find_manifest(chain.repository(), BEGAN.replace(tzinfo=UTC)), None, 0.6, _PAGE_KB
    ),
    "list and check the chain": Action(lambda chain: check_chain(read_chain(chain.repository())), 80, 1.6, _PAGE_KB),
    "prune, dry run": Action(
        lambda chain: prune(
            chain.repository(), Retention(keep_daily=30, keep_monthly=12), dry_run=True, orphan_age=timedelta(days=2)
        ),
        None,
        16,
        _PAGE_KB,
    ),
}


#: The most requests of tasks of the real writer at the end of a week, after a chain of any length.
MOST: Mapping[str, int] = {
    "next sync, one run": 60,
    "the dearest sync of a day": 60,
    "next sync, nothing new": 20,
    "compaction": compaction.REQUESTS,
    "metrics from a snapshot": 200,
    "restore": 230,
    "page, first view": 60,
}


@dataclass
class Year:
    """What syncs and maintenances cost together."""

    requests: Counter[str]
    written: int = 0

    def price(self) -> float:
        """Return USD of the requests."""
        return sum(count * PRICES[kind] / 1_000 for kind, count in self.requests.items())


def grow(chain: SyntheticChain, syncs: int, year: Year) -> list[int]:
    """Sync and maintain until there are as many syncs; return the requests of each compaction."""
    runs = []
    while chain.syncs < syncs:
        chain.store.reset()
        chain.commit(chain.repository())
        before = chain.store.total
        if chain.compact(chain.repository()).snapshots:
            runs.append(chain.store.total - before)
        year.requests.update(chain.store.requests)
        year.written += chain.store.written
    return runs


def measure(chain: SyntheticChain) -> dict[str, tuple[int, int, float]]:
    """Return requests, bytes and CPU seconds of each action; the chain is a sync longer afterwards."""
    found = {}
    for name, action in ACTIONS.items():
        # What one run leaves over may be due again with the next sync.
        while chain.compact(chain.repository()).snapshots:
            pass
        chain.store.reset()
        began = time.process_time()
        action.act(chain)
        found[name] = (chain.store.total, chain.store.bytes, time.process_time() - began)
    return found


def check(first: int, last: int, costs: Mapping[int, Mapping[str, tuple[int, int, float]]]) -> list[str]:
    """Return what costs more at the last length than the first, beyond its pages and listings, in words."""
    wrong = []
    for name, action in ACTIONS.items():
        (before, kb_before, _), (after, kb_after, _) = costs[first][name], costs[last][name]
        kb_before, kb_after = kb_before / 1000, kb_after / 1000
        # 29 commits a day; a list is of a few documents more or less, by its place between two compactions.
        pages = (last - first) * 29 / 24 / 256
        allowed = before * 1.05 + action.pages * pages + 3
        if after > allowed:
            wrong.append(f"{name}: {after} requests at {last:,} syncs, {before} at {first:,}; at most {allowed:.0f}")
        allowed = kb_before * 1.05 + action.page_kb * pages + _DOCUMENT_KB
        if kb_after > allowed:
            wrong.append(
                f"{name}: {kb_after:.0f} kB at {last:,} syncs, {kb_before:.0f} at {first:,}; at most {allowed:.0f}"
            )
        if action.most is not None and after > action.most:
            wrong.append(f"{name}: {after} requests at {last:,} syncs; at most {action.most}")
    return wrong


def check_week(length: int, costs: Mapping[str, Cost]) -> list[str]:
    """Return what a task of the real writer costs more than it may, in words."""
    return [
        f"{name}: {costs[name].requests} requests after {length:,} syncs; at most {most}"
        for name, most in MOST.items()
        if costs[name].requests > most
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and check."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        return _run(arguments)
    finally:
        # A test calls this too, and those after it look at what is logged.
        logging.disable(before)


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="tests.benchmarks growth", description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[375, 8775])
    parser.add_argument("--real-hours", type=int, default=168)
    options = parser.parse_args(arguments)
    lengths = sorted(options.lengths)
    keys = LocalKeys(LocalKeys.generate())
    chain, year, costs, runs = SyntheticChain(CountingStore(), keys=keys), Year(Counter()), {}, []
    weeks: dict[int, Mapping[str, Cost]] = {}
    print("| syncs | task | requests | kB | CPU s | |")
    print("|---|---|---|---|---|---|")
    for length in lengths:
        runs += grow(chain, length, year)
        if options.real_hours and length in (lengths[0], lengths[-1]):
            with tempfile.TemporaryDirectory() as folder:
                weeks[length] = Week(chain, keys, Path(folder), options.real_hours).costs()
            print_week(length, weeks[length])
        costs[length] = measure(chain)
        for name, (requests, size, seconds) in costs[length].items():
            print(f"| {length:,} | {name} | {requests:,} | {size / 1000:,.0f} | {seconds:.2f} | |", flush=True)
    print_year(lengths[-1], year, runs, chain.store)
    wrong = check(lengths[0], lengths[-1], costs)
    for length, week in weeks.items():
        wrong += check_week(length, week)
    if (most := max(runs, default=0)) > compaction.REQUESTS:
        wrong.append(f"compaction: {most} requests in a run; at most {compaction.REQUESTS}")
    print("\n".join(wrong) or "flat")
    return 1 if wrong else 0


def print_year(syncs: int, year: Year, runs: Sequence[int], store: CountingStore) -> None:
    """Print what all syncs and compactions cost together."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(year.requests.items()))
    documents = sum(len(content) for key, content in store.objects.items() if not key.startswith("data/"))
    print(f"{syncs:,} syncs of {len(FILES)} files: {kinds}; {year.price():.2f} USD of requests")
    print(
        f"documents: {documents / syncs / 1000:.1f} kB a sync, {documents / 1e6:,.0f} MB in all, "
        f"{documents / 1e9 * STORED:.3f} USD a month"
    )
    print(f"compaction: {sum(runs) / syncs:.1f} requests a sync, {max(runs, default=0)} a run at most")


def print_week(length: int, costs: Mapping[str, Cost]) -> None:
    """Print what each task of the real writer costs after a chain of a length."""
    for name, cost in costs.items():
        print(
            f"| {length:,} | {name} | {cost.requests:,} | {cost.kb:,.0f} | {cost.cpu:.2f} | {cost.note} |", flush=True
        )


if __name__ == "__main__":
    main()
