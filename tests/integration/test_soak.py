"""Hours of syncs, kills, purges, prunes and restores over a project that changes lose nothing and stay flat."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.servers.postgres import find_programs

#: Six hours with every event of ninety days; kills at requests alone, so that a run is the same for its seed.
SMALL = ("--days", "0.25", "--week", "0.25", "--source-days", "0.2", "--metrics-every", "6", "--killed", "0.3")


@pytest.mark.postgres
def test_a_small_soak_loses_no_row_and_proves_everything(tmp_path: Path) -> None:
    if find_programs() is None:
        pytest.skip("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    command = [sys.executable, "-m", "tests.benchmarks", "soak", *SMALL, "--only-counted-kills"]
    files = ["--out", str(tmp_path / "soak.json"), "--plot", str(tmp_path / "soak.svg")]

    ended = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    series = json.loads((tmp_path / "soak.json").read_text())
    assert (series["hours"], series["faults"]) == (6, [])
    assert series["kills"] > 0
    assert {"metrics", "maintain", "verify", "restore", "page", "compare"} <= set(series["others"])
    assert (tmp_path / "soak.svg").read_text().count("<polyline") == 7
