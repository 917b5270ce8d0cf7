"""The incidents of world A's truth file, found and missed by each method, and the false alarms beside them.

``python -m tests.benchmarks incidents`` prints three tables: what was found, the false alarms, and the roots. Each
method scores every bucket with the configuration of its dbt test, as if a run had started at the bucket's end, on the
values as they stood in the end: a bucket that was filled in late looks well. :mod:`tests.benchmarks.incidents.matching`
defines *found*, :mod:`tests.benchmarks.incidents.roots` the root.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.benchmarks.incidents.matching import Outcome, Truth
    from tests.benchmarks.incidents.roots import RootStatus

_SHARED = Path(__file__).parents[3] / ".." / "shared"
#: The score from which each method flags a bucket.
_BARS = {"elementary": 3.0, "robust": 1.0}


def main(arguments: Sequence[str] | None = None) -> None:
    """Score and print."""
    argparse.ArgumentParser(prog="tests.benchmarks incidents", description=__doc__).parse_args(arguments)
    file = _SHARED / "world" / "incidents.csv"
    if not file.exists():
        print("Skipped: no world/incidents.csv in shared/ beside the checkout", file=sys.stderr)
        return
    from tests.benchmarks.incidents.matching import chance, outcome, quiet

    rows, incidents, verdicts, roots = _read(file)
    print("| incident | done to | from | to | " + " | ".join(f"`{name}` | by chance" for name in _BARS) + " |")
    print("|---" * (4 + 2 * len(_BARS)) + "|")
    found = {name: [outcome(truth, verdicts[name], bar) for truth in incidents] for name, bar in _BARS.items()}
    for place, (row, truth) in enumerate(zip(rows, incidents, strict=True)):
        cells = [f"{truth.incident_id} {truth.kind}", row["table"], f"{truth.start:%m-%d %H:%M}", _until(row, truth)]
        for name in _BARS:
            share = chance(truth, verdicts[name], incidents)
            cells += [_reported(found[name][place]), "" if share is None else f"{share:.0%}"]
        print("| " + " | ".join(cells) + " |")
    print("\n| | found | coincidence | missed | quiet table-days | of these with a false alarm | flagged buckets |")
    print("|---" * 7 + "|")
    for name in _BARS:
        states = [each.status for each in found[name]]
        silent = quiet(verdicts[name], incidents)
        counts = [states.count("found"), states.count("coincidence"), states.count("missed")]
        print(
            f"| `{name}` | " + " | ".join(map(str, counts)) + f" | {silent.table_days:,} | {silent.alarmed} "
            f"({silent.alarmed / silent.table_days:.2%}) | {silent.buckets} |"
        )
    print("\n| | roots right | wrong | without a condition |\n|---|---|---|---|")
    for name in _BARS:
        counts: dict[str, list[str]] = {status: [] for status in ("right", "wrong", "none")}
        for truth, status in zip(incidents, roots[name], strict=True):
            counts[status].append(truth.incident_id)
        cells = [f"{len(ids)}: {', '.join(ids)}" if ids else "0" for ids in counts.values()]
        print(f"| `{name}` | " + " | ".join(cells) + " |")


def _read(
    file: Path,
) -> tuple[list[dict[str, Any]], list[Truth], Mapping[str, list[dict[str, Any]]], Mapping[str, list[RootStatus]]]:
    """Return the truth as it is written and as it is compared; of each method the verdicts and the state of roots."""
    from pyarrow import csv

    from airflow_provider_elementary.anomalies import detect
    from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations
    from airflow_provider_elementary.incidents.current import current_conditions, read_dbt_conditions
    from airflow_provider_elementary.incidents.enrich import enrich
    from airflow_provider_elementary.incidents.origins import with_origins
    from airflow_provider_elementary.incidents.tracking import track_incidents
    from airflow_provider_elementary.metrics import compute_metrics, scored_metrics
    from airflow_provider_elementary.project.lineage import read_lineage
    from tests.benchmarks.incidents.roots import root_status
    from tests.support.datasets import world_a
    from tests.support.table_source import TableSource

    source = TableSource(world_a(_SHARED.resolve()))
    lineage = read_lineage(source)
    metrics = scored_metrics(compute_metrics(source).read_all())
    rows = csv.read_csv(file).to_pylist()
    configurations = read_test_configurations(source)
    truths, of_dbt = [_truth(row, lineage) for row in rows], read_dbt_conditions(source)
    verdicts, roots = {}, {}
    for name in ("elementary", "robust"):
        found = detect(metrics, name, configurations)  # type: ignore[arg-type]
        verdicts[name] = found.to_pylist()
        conditions = current_conditions(enrich(found, lineage), lineage, of_dbt)
        known = track_incidents(with_origins(conditions, (), lineage, source, "duckdb"), lineage)
        roots[name] = [root_status(truth, _table(row, lineage), known) for row, truth in zip(rows, truths, strict=True)]
    return rows, truths, verdicts, roots


def _truth(row: Mapping[str, Any], lineage: Any) -> Truth:
    from tests.benchmarks.incidents.matching import Truth

    tables = None
    if row["table"] != "*":
        table = _table(row, lineage)
        tables = frozenset({table, *lineage.downstream(table)})
    return Truth(row["incident_id"], row["kind"], tables, row["start_ts"], row["end_ts"] or row["start_ts"])


def _table(row: Mapping[str, Any], lineage: Any) -> str:
    from airflow_provider_elementary.incidents.conditions import PROJECT

    if row["table"] == "*":
        return PROJECT
    [table] = [node.table for node in lineage.nodes.values() if node.table.endswith(f".{row['table'].upper()}")]
    return str(table)


def _until(row: Mapping[str, Any], truth: Truth) -> str:
    return f"{truth.end:%m-%d %H:%M}" if row["end_ts"] else "at once"


def _reported(found: Outcome) -> str:
    from tests.benchmarks.incidents.matching import named, span

    if found.verdict is None or found.delay is None:
        return f"**missed**: {found.reason}"
    shown = f"{named(found.verdict)}, bucket {span(found.verdict)[0]:%m-%d}, {found.delay.total_seconds() / 3600:.0f} h"
    return f"found: {shown}" if found.status == "found" else f"**coincidence**: {shown}; {found.reason}"
