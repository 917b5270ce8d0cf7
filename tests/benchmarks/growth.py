"""What a store costs as its chain grows: requests and bytes of each action, counted on synthetic chains.

``python -m tests.benchmarks growth [--lengths 375 8760]`` prints the table. The writer's own commit makes the chains,
12 new files an hour and a full snapshot a week, in a store in memory that counts; nothing is pruned or compacted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, timedelta

from airflow_provider_elementary.snapshots import find_manifest
from airflow_provider_elementary.snapshots.chain import check_chain, read_chain
from airflow_provider_elementary.snapshots.prune import prune
from airflow_provider_elementary.snapshots.retention import Retention
from tests.support.counting_store import BEGAN, CountingStore, SyntheticChain

#: What each action costs is measured on a chain of that length.
ACTIONS: Mapping[str, Callable[[SyntheticChain], object]] = {
    "commit of the next sync": lambda chain: chain.commit(chain.repository()),
    "open the newest": lambda chain: find_manifest(chain.repository()),
    "open the oldest by time": lambda chain: find_manifest(chain.repository(), BEGAN.replace(tzinfo=UTC)),
    "list and check the chain": lambda chain: check_chain(read_chain(chain.repository())),
    "prune, dry run": lambda chain: prune(
        chain.repository(), Retention(keep_daily=30, keep_monthly=12), dry_run=True, orphan_age=timedelta(days=2)
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks growth", description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="*", default=[375, 8760])
    chain = SyntheticChain(CountingStore())
    print("| snapshots | action | requests | kB |")
    print("|---|---|---|---|")
    for length in sorted(parser.parse_args(arguments).lengths):
        chain.grow(length)
        for name, act in ACTIONS.items():
            chain.store.reset()
            act(chain)
            print(f"| {length:,} | {name} | {chain.store.total:,} | {chain.store.bytes / 1000:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
