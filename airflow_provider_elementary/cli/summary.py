"""Prints the latest snapshot of a store and its anomalies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from airflow_provider_elementary.access.check.report import headline
from airflow_provider_elementary.anomalies.summary import summarise_verdicts
from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
from airflow_provider_elementary.incidents.conditions import SEVERITIES
from airflow_provider_elementary.incidents.store import current_incidents, incidents_of
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import Manifest, Repository
from airflow_provider_elementary.snapshots.summary import problems
from airflow_provider_elementary.snapshots.take import summarise_snapshot
from airflow_provider_elementary.storage.records.report_log import newest_reports
from airflow_provider_elementary.storage.records.results import latest_result, read_result

_INCIDENTS_SHOWN = 15


def show_store(repository: Repository) -> None:
    """Print the latest snapshot of a store and the verdicts stored beside it.

    :raises SnapshotNotFoundError: the store holds no snapshot.
    """
    console = Console(highlight=False)
    _show_snapshot(console, repository.uri, repository.latest())
    for n, audit in enumerate(newest_reports(repository, 1)):
        if n == 0 or audit.report.failed:
            console.print(
                f"Newest access report of {audit.subject}, checked {audit.report.checked_at:%Y-%m-%d %H:%M} UTC: "
                f"{audit.report.headline}"
            )
    if (result := latest_result(repository, "verdicts")) is not None:
        verdicts = _read(repository, result.key)
        found = latest_result(repository, "incidents")
        same_run = found is not None and found.origin == result.origin
        # The incidents of sharded verdicts are made by another task, which may not have run.
        incidents = (
            incidents_of(_read(repository, found.key))
            if found is not None and same_run
            else track_incidents(anomaly_conditions(verdicts, Lineage()), Lineage())
        )
        show_incidents(console, incidents, verdicts)


def store_facts(repository: Repository) -> dict[str, Any]:
    """Return the latest snapshot of a store, the newest access report, failing ones and the incidents as JSON values.

    :raises SnapshotNotFoundError: the store holds no snapshot.
    """
    audits = newest_reports(repository, 1)
    reports = [{"subject": audit.subject, **audit.report.to_dict()} for audit in audits]
    return {
        "snapshot": summarise_snapshot(repository.latest(), repository.uri),
        "access": reports[0] if reports else None,
        "failing_access": [report for report, audit in zip(reports, audits, strict=True) if audit.report.failed],
        "incidents": [incident.to_dict() for incident in current_incidents(repository)],
    }


def _read(repository: Repository, key: str) -> pa.Table:
    with read_result(repository, key) as reader:
        return reader.read_all()


def _show_snapshot(console: Console, uri: str, manifest: Manifest) -> None:
    source = manifest.source
    console.print(f"\n[bold]Snapshot {manifest.snapshot_id}[/bold], number {manifest.sequence} in {uri}")
    console.print(f"of schema {source['schema']} on {source['dialect']}, by Elementary {source['elementary_version']}")
    console.print(
        f"encryption at rest: {manifest.protection['at_rest']}; in transit: {manifest.protection['in_transit']}"
    )
    if manifest.access is not None:
        counts = Counter(finding["status"] for finding in manifest.access["findings"])
        console.print(f"Access check before the first read: {headline(counts)}")
    tables = Table("Table", "Rows", "Bytes", "Categories", title="Contents", title_justify="left")
    for column in tables.columns[1:3]:
        column.justify = "right"
    files = defaultdict(list)
    for file in manifest.files:
        files[file.table].append(file)
    for name, entry in sorted(manifest.tables.items(), key=lambda table: list(TABLES).index(table[0])):
        size = sum(file.size for file in files[name])
        labels = ", ".join(file.category.label for file in files[name])
        tables.add_row(name, f"{entry.rows:,}", f"{size:,}", labels or "excluded")
    tables.add_section()
    tables.add_row("all", f"{manifest.rows:,}", f"{manifest.size:,}", "")
    console.print(tables)
    excluded = {category for entry in manifest.tables.values() for category in entry.excluded_categories} - set(
        manifest.keys
    )
    if excluded:
        labels = ", ".join(category.label for category in Category if category in excluded)
        console.print(f"Excluded by policy: {labels}")
    for rule in manifest.exclusions:
        what = f"{rule['values']:,} values of {rule['column']}" if "column" in rule else ""
        what = what or f"{rule['rows']:,} rows of {rule['table']}"
        console.print(f"Excluded by policy ({rule['rule']}): {what}")
    for sentence in problems(manifest):
        console.print(f"[yellow]Problem:[/yellow] {escape(sentence)}", soft_wrap=True)


def show_incidents(console: Console, incidents: Sequence[Incident], verdicts: pa.Table) -> None:
    """Print incidents with their root and downstream tables; open ones first, then the worst."""
    summary = summarise_verdicts(verdicts)
    console.print(
        f"\n[bold]{summary.anomalous:,} anomalies[/bold] in {len(verdicts):,} buckets of "
        f"{len(set(verdicts['full_table_name'].to_pylist())):,} tables: {len(incidents):,} incidents, "
        f"{sum(incident.status == 'open' for incident in incidents):,} of them open"
    )
    ordered = sorted(incidents, key=_order)
    for incident in ordered[:_INCIDENTS_SHOWN]:
        more = f" (and {len(incident.conditions) - 1} more)" if len(incident.conditions) > 1 else ""
        state = "open since" if incident.status == "open" else "resolved, began"
        console.print(
            f"  {incident.severity:<8} {state} {incident.started_at:%d %b}  {incident.title}{more}",
            soft_wrap=True,
            markup=False,
        )
        if incident.followers:
            names = ", ".join(table.rpartition(".")[2].lower() for table in incident.followers)
            console.print(f"{'':29}-> {names}", soft_wrap=True, markup=False)
    if len(ordered) > _INCIDENTS_SHOWN:
        console.print(f"  … and {len(ordered) - _INCIDENTS_SHOWN} more incidents")
    if summary.by_dimension:
        console.print(f"  not listed: anomalies of single dimension values ({summary.by_dimension:,})")


def _order(incident: Incident) -> tuple[bool, int, timedelta]:
    # Of one severity the newest first.
    return incident.status != "open", SEVERITIES.index(incident.severity), datetime.max - incident.started_at
