"""What a person sees of a store: the latest snapshot, what left the warehouse, the anomalies found in it."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from airflow_provider_elementary.anomalies.summary import Summary, summarise
from airflow_provider_elementary.catalog import TABLES, Category
from airflow_provider_elementary.snapshots import Keys, Manifest, Store, find_manifest
from airflow_provider_elementary.snapshots.results import latest_result, read_result

_ANOMALIES_READ = 1000
_INCIDENTS_SHOWN = 15


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
        _show_anomalies(console, table, summarise(table, _ANOMALIES_READ))


def _show_snapshot(console: Console, store: Store, manifest: Manifest) -> None:
    source = manifest.source
    console.print(f"\n[bold]Snapshot {manifest.snapshot_id}[/bold], number {manifest.sequence} in {store.uri}")
    console.print(f"of schema {source['schema']} on {source['dialect']}, by Elementary {source['elementary_version']}")
    console.print(f"at rest: {manifest.protection['at_rest']}; on the way: {manifest.protection['in_transit']}")
    if manifest.access is not None:
        passed = sum(finding["status"] == "pass" for finding in manifest.access["findings"])
        console.print(
            f"Access proved before the first read: {passed} of {len(manifest.access['findings'])} checks pass"
        )
    tables = Table("Table", "Rows", "Bytes", "Categories", title="What was taken", title_justify="left")
    for column in tables.columns[1:3]:
        column.justify = "right"
    files = defaultdict(list)
    for file in manifest.files:
        files[file.table].append(file)
    for name, entry in sorted(manifest.tables.items(), key=lambda table: list(TABLES).index(table[0])):
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
    incidents = defaultdict(list)
    for anomaly in summary.anomalies:
        incidents[anomaly["bucket"][:10], anomaly["table"]].append(anomaly)
    by_size = sorted(incidents.values(), key=lambda found: (-len(found), found[0]["bucket"], found[0]["table"]))
    for found in by_size[:_INCIDENTS_SHOWN]:
        more = f" (and {len(found) - 1} more metrics of the table)" if len(found) > 1 else ""
        console.print(f"  {found[0]['score']:+.2f}  {found[0]['reason']}{more}", soft_wrap=True, markup=False)
    if len(by_size) > _INCIDENTS_SHOWN:
        console.print(f"  … and in {len(by_size) - _INCIDENTS_SHOWN} more table days")
    if summary.by_dimension:
        console.print(f"  … and {summary.by_dimension:,} of single dimension values (raw values, so only counted here)")
