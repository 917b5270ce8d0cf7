"""What a person sees of a store: the latest snapshot, what left the warehouse, the anomalies found in it."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from airflow_provider_elementary.anomalies.summary import Summary, summarise
from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.snapshots import Keys, Manifest, Store, find_manifest
from airflow_provider_elementary.snapshots.results import latest_result, read_result

_ANOMALIES_SHOWN = 12


def show_store(store: Store, keys: Keys, console: Console | None = None) -> None:
    """Print the latest snapshot of a store and the verdicts sealed beside it.

    :param console: where to print; the terminal by default, plain text where there is none.
    :raises SnapshotNotFoundError: the store holds no snapshot.
    """
    console = console or Console(highlight=False)
    manifest = find_manifest(store)
    _show_snapshot(console, store, manifest)
    if (verdicts := latest_result(store, "verdicts")) is not None:
        with read_result(store, keys, verdicts.key) as reader:
            table = reader.read_all()
        _show_anomalies(console, table, summarise(table, _ANOMALIES_SHOWN))


def _show_snapshot(console: Console, store: Store, manifest: Manifest) -> None:
    source = manifest.source
    console.print(
        f"\n[bold]Snapshot {manifest.snapshot_id}[/bold] (number {manifest.sequence}) of schema "
        f"{source['schema']} on {source['dialect']}, Elementary package {source['elementary_version'] or 'unknown'}"
    )
    console.print(f"in {store.uri}, protected by {manifest.protection['at_rest']}\n")
    if manifest.access is not None:
        passed = sum(finding["status"] == "pass" for finding in manifest.access["findings"])
        console.print(f"Access proved before the first read: {passed} of {len(manifest.access['findings'])} checks pass")
    tables = Table("Table", "Rows", "Bytes", "Categories", title="What was taken", title_justify="left")
    for column in tables.columns[1:3]:
        column.justify = "right"
    files = defaultdict(list)
    for file in manifest.files:
        files[file.table].append(file)
    for name, entry in manifest.tables.items():
        size = sum(file.size for file in files[name])
        labels = ", ".join(file.category.label for file in files[name])
        tables.add_row(name, f"{entry.rows:,}", f"{size:,}", labels or "left out")
    tables.add_section()
    tables.add_row("all", f"{manifest.rows:,}", f"{manifest.size:,}", "")
    console.print(tables)
    withheld = {category for entry in manifest.tables.values() for category in entry.withheld} - set(manifest.keys)
    if withheld:
        labels = ", ".join(category.label for category in Category if category in withheld)
        console.print(f"Left in the warehouse by the policy: {labels}")
    for rule in manifest.held_back:
        what = f"{rule['values']:,} values of {rule['column']}" if "column" in rule else ""
        what = what or f"{rule['rows']:,} rows of {rule['table']}"
        console.print(f"Held back by {rule['rule']}: {what}")


def _show_anomalies(console: Console, verdicts: pa.Table, summary: Summary) -> None:
    console.print(
        f"\n[bold]{summary.anomalous:,} anomalies[/bold] in {len(verdicts):,} buckets of "
        f"{len(set(verdicts['full_table_name'].to_pylist())):,} tables"
    )
    for anomaly in summary.anomalies:
        console.print(f"  {anomaly['score']:+.2f}  {anomaly['reason']}", soft_wrap=True, markup=False)
    told = len(summary.anomalies) + summary.by_dimension
    if summary.anomalous > told:
        console.print(f"  … and {summary.anomalous - told:,} more")
    if summary.by_dimension:
        console.print(f"  … and {summary.by_dimension:,} of single dimension values (raw values, so only counted here)")
