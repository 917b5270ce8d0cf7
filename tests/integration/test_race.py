"""Two writers, a compactor, a prune, readers and verifies at once lose no row, whichever of them are killed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.servers.ceph import ceph_is_installed

#: By the kind of store; ``make acceptance`` runs more.
ROUNDS = {"file": 2, "s3": 1, "ceph": 1}
_NO_CEPH = "Ceph is not installed (Debian: apt-get install radosgw ceph-mon ceph-osd ceph-common)"


@pytest.mark.parametrize(
    "store", ["file", "s3", pytest.param("ceph", marks=pytest.mark.skipif(not ceph_is_installed(), reason=_NO_CEPH))]
)
def test_eight_actors_at_once_lose_no_row(store: str) -> None:
    # In a process of its own: each actor is forked from it, which must have no threads.
    command = [sys.executable, "-m", "tests.benchmarks", "races", "--rounds", str(ROUNDS[store]), "--store", store]

    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=600)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"| check | done | {ROUNDS[store]} |" in ended.stdout
