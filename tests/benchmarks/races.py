"""Races of writers, a compactor, prunes, readers and verifies, of which some are killed, on one store.

``python -m tests.benchmarks races [--rounds 80] [--store file|s3|ceph] [--kills 0.5] [--seed 0]`` prints a line for
each round and how often each actor ended how. In each round all eight are processes at once; any of the two writers,
the compactor and the prune may get SIGKILL. It fails at the first row that is lost, and at the first reader or verify
that fails.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from airflow_provider_elementary.snapshots import LocalKeys, Repository, open_store
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from tests.servers.aws import AwsServer
from tests.servers.ceph import CEPH_CONFIG, CEPH_KMS_KEY, ceph_server
from tests.servers.certificates import issue_certificates
from tests.servers.s3 import s3_server
from tests.support.races import Race, RaceLostError
from tests.support.signing import opened

STORES = ("file", "s3", "ceph")
_BUCKET = "races"


def main(arguments: Sequence[str] | None = None) -> int:
    """Race and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks races", description=__doc__)
    parser.add_argument("--rounds", type=int, default=80)
    parser.add_argument("--store", choices=STORES, default="file")
    parser.add_argument("--kills", type=float, default=0.5, help="how likely a kill is, of each that may be killed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, _stores(options.store, Path(directory)) as open_repository:
        race = Race(open_repository, Path(directory), options.rounds, options.kills, options.seed)
        try:
            race.run(partial(print, flush=True))
        except RaceLostError as error:
            print(error)
            return 1
        finally:
            _print_outcomes(race)
    return 0


@contextmanager
def _stores(kind: str, directory: Path) -> Iterator[Callable[[], Repository]]:
    """Yield what opens the store of a race."""
    keys = LocalKeys(LocalKeys.generate())
    if kind == "file":
        yield lambda: opened(open_store((directory / "store").as_uri()), keys)
        return
    certificates = issue_certificates(directory)
    if kind == "s3":
        with s3_server(directory, certificates) as server:
            yield lambda: opened(S3Store(server.client("s3"), _BUCKET, "elementary"), keys)
        return
    with ceph_server(certificates) as server:
        server.client("s3", config=CEPH_CONFIG).create_bucket(Bucket=_BUCKET)
        yield lambda: opened(_on_ceph(server), keys)


def _on_ceph(server: AwsServer) -> S3Store:
    return S3Store(server.client("s3", config=CEPH_CONFIG), _BUCKET, "elementary", kms_key_id=CEPH_KMS_KEY)


def _print_outcomes(race: Race) -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    for (actor, outcome), count in sorted(race.outcomes.items()):
        print(f"| {actor} | {outcome} | {count} |")
