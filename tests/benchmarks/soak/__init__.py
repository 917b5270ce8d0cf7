"""Ninety days of hourly syncs over a project that changes, with kills, purges, prunes, verifications and restores.

``python -m tests.benchmarks soak [--days 90] [--out FILE.json] [--plot FILE.svg]`` prints what the tasks took in the
first and in the last week, and fails where a row was lost, a snapshot differs from its source, something is not proved,
or a sync takes more in the last week than in the first. PostgreSQL and an S3 look-alike over TLS, both real servers;
each task is a process of its own, at a simulated time, and random ones are killed.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.benchmarks.soak.run import Plan, Soak

#: When the first hour begins: before today, so that no row is of the future.
BEGAN = datetime(2026, 6, 1, 0, 10)
#: How much more a sync may take in the last week than in the first.
_ALLOWED = {"cpu": 1.25, "peak_mb": 1.25, "requests": 1.10}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print and check."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks soak", description=__doc__)
    parser.add_argument("--days", type=float, default=90)
    parser.add_argument("--week", type=float, default=7, help="days between two verifications and restores")
    parser.add_argument("--metrics-every", type=int, default=6, help="hours between two runs of metrics and anomalies")
    parser.add_argument("--source-days", type=float, default=7, help="days of rows that the source keeps")
    parser.add_argument("--killed", type=float, default=0.05, help="the share of syncs that are killed")
    parser.add_argument("--only-counted-kills", action="store_true", help="kill at requests, never after a time")
    parser.add_argument("--minutes", type=float, default=600, help="stop after so long, with the hours that ran")
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--out", type=Path, help="the series as JSON")
    parser.add_argument("--plot", type=Path, help="a picture of the series as SVG")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    from tests.benchmarks.soak.run import Plan

    plan = Plan(
        hours=int(options.days * 24),
        metrics_every=options.metrics_every,
        week=int(options.week * 24),
        killed=options.killed,
        timed=not options.only_counted_kills,
    )
    with tempfile.TemporaryDirectory() as folder:
        soak = _run(plan, Path(folder), options.seed, options.source_days, options.minutes)
    return _report(soak, options.out, options.plot)


def _run(plan: Plan, folder: Path, seed: int, source_days: float, minutes: float) -> Soak:
    # Before anything is forked: a child imports nothing.
    from airflow_provider_elementary.snapshots import LocalKeys
    from airflow_provider_elementary.storage.object_store.store import patient_config
    from tests.benchmarks.soak.project import Project
    from tests.benchmarks.soak.run import Soak
    from tests.benchmarks.soak.tasks import Places
    from tests.servers.certificates import issue_certificates
    from tests.servers.postgres import find_programs, postgres_cluster
    from tests.servers.s3 import s3_server
    from tests.support.signing import create

    programs = find_programs()
    if programs is None:
        raise SystemExit("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    certificates, chance = issue_certificates(folder), random.Random(seed)  # noqa: S311 - the same events for a seed
    with postgres_cluster(programs, certificates) as server, s3_server(folder, certificates) as bucket:
        database = server.create_database("soak")
        client = bucket.client("s3", config=patient_config())
        places = Places(server, database, client, LocalKeys(LocalKeys.generate()), folder)
        create(places.repository().store)
        # The pool holds connections of this process, which no child may use.
        places.client = bucket.client("s3", config=patient_config())
        project = Project(server, database, chance, source_days)
        project.create(BEGAN)
        soak = Soak(plan, places, project, BEGAN, chance)
        soak.run(lambda hour: _progress(soak, hour), time.monotonic() + minutes * 60)
        project.close()
    return soak


def _progress(soak: Soak, hour: int) -> None:
    if hour % 24 == 23 and soak.syncs:
        print(
            f"day {hour // 24 + 1}: {soak.syncs[-1]['requests']} requests, {soak.syncs[-1]['cpu']:.2f} CPU s, "
            f"{soak.kills} kills, {len(soak.faults)} faults",
            file=sys.stderr,
            flush=True,
        )


def _report(soak: Soak, out: Path | None, plot: Path | None) -> int:
    from tests.benchmarks.soak.plot import picture
    from tests.benchmarks.soak.run import flatness

    hours = len(soak.syncs)
    faults = list(soak.faults)
    print(
        f"{hours:,} hourly syncs ({hours / 24:.1f} days), {soak.kills} kills, {soak.project.written:,} rows written, "
        f"{soak.compared:,} rows compared with the source"
    )
    span = max(1, min(soak.plan.week, hours // 2))
    print(f"first and last {span} hours; {'compared' if hours >= 2 * soak.plan.week else 'too short to be compared'}")
    print("| task | runs | CPU s, first | last | peak MB, first | last | requests, first | last |")
    print("|---|---|---|---|---|---|---|---|")
    kinds: dict[str, list[dict[str, Any]]] = {"sync": soak.syncs, **soak.others}
    for kind, rows in kinds.items():
        if kind == "size" or not rows:
            continue
        means = flatness(rows, hours, span)
        cells = " | ".join(
            f"{first:.{digits}f} | {last:.{digits}f}"
            for (first, last), digits in zip(means.values(), (2, 0, 1), strict=True)
        )
        print(f"| {kind} | {len(rows):,} | {cells} |")
        if kind == "sync" and hours >= 2 * soak.plan.week:
            faults += [
                f"{name} of a sync: {last:.2f} in the last week, {first:.2f} in the first"
                for name, (first, last) in means.items()
                if last > first * _ALLOWED[name]
            ]
    sizes = soak.others.get("size", [])
    for place, row in (*(("first", row) for row in sizes[:1]), *(("last", row) for row in sizes[-1:])):
        print(f"the store at {place}: {row['objects']:,} objects, {row['bytes'] / 1e6:.1f} MB")
    if out is not None:
        series = {"hours": hours, "kills": soak.kills, "faults": faults, "syncs": soak.syncs, "others": soak.others}
        out.write_text(json.dumps(series) + "\n")
    if plot is not None:
        plot.write_text(picture(soak.syncs, soak.others))
    print("\n".join(faults) or "no row lost, nothing unproved")
    return 1 if faults else 0
