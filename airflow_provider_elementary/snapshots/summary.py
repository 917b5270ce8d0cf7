"""Summarizes a snapshot in a few lines for the task log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.words import plural

_MOST_NAMED = 10


def summary_lines(manifest: Manifest, started: datetime, finished: datetime) -> list[str]:
    """Return the lines; rates are of this attempt.

    :param manifest: as committed.
    :param started: when the session began, UTC without a zone.
    :param finished: when the snapshot was committed.
    """
    named = f"snapshot {manifest.snapshot_id}, number {manifest.sequence}"
    if datetime.fromisoformat(manifest.created_at).replace(tzinfo=None) < started.replace(microsecond=0):
        return [f"{named}, was taken by an earlier attempt"]
    seconds = max((finished - started).total_seconds(), 0.001)
    size = sum(file.size for file in manifest.new_files)
    lines = [
        _consistency(manifest),
        _read(manifest, seconds),
        _exclusions(manifest),
        f"wrote {_size(size)} in {len(manifest.new_files)} new files, {_size(round(size / seconds))} per second; "
        f"snapshot totals by category: {_by_category(manifest)}",
        f"{named}: {manifest.rows:,} rows, {_size(manifest.size)} in total",
    ]
    unknown = [f"{name}.{column}" for name, table in manifest.tables.items() for column in table.unknown_columns]
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        lines.append(f"excluded unknown columns: {', '.join(unknown[:_MOST_NAMED])}{more}")
    absent = [name for name in TABLES if name not in manifest.tables and name not in manifest.excluded]
    if absent:
        lines.append(f"not in the schema, or hidden from this connection: {', '.join(absent)}")
    return lines + problems(manifest)


def problems(manifest: Manifest) -> list[str]:
    """Return what could not be read from the source and the remedy, one sentence each."""
    sentences = [f"excluded table {table}: {reason}" for table, reason in manifest.excluded.items()]
    if manifest.consistency is not None and manifest.consistency.marker_problem:
        sentences.append(manifest.consistency.marker_problem)
    sentences += [_unusable(entry, manifest.kind) for entry in manifest.rejected[:_MOST_NAMED]]
    if len(manifest.rejected) > _MOST_NAMED:
        sentences.append(f"and {len(manifest.rejected) - _MOST_NAMED} more kinds of unusable values")
    return sentences


def _unusable(entry: Mapping[str, Any], kind: str) -> str:
    """Return the sentence of one kind of unusable value, which claims no more rows than were read."""
    column = f"{entry['table']}.{entry['column']}"
    if "rows" in entry:
        return f"excluded {plural(entry['rows'], 'row')} of {column}: {entry['kind']}"
    is_part = kind == "incremental" and TABLES[entry["table"]].watermark is not None
    where = " in the rows that this increment read" if is_part else ""
    return f"replaced by null {plural(entry['values'], 'value')} of {column}{where}: {entry['kind']}"


def _consistency(manifest: Manifest) -> str:
    what = f"{manifest.kind} snapshot ({manifest.reason or 'new rows only'})"
    point = manifest.consistency
    if point is None or point.watermark is None:
        return what
    return (
        f"{what}, consistent as of {point.watermark} (warehouse clock); {point.waiting_count} unfinished dbt runs "
        f"deferred, {point.incomplete_count} abandoned runs included"
    )


def _read(manifest: Manifest, seconds: float) -> str:
    new_rows = sum(table.new_rows for table in manifest.tables.values())
    what = f"{new_rows:,} rows of {len(manifest.tables)} tables in {seconds:.1f} s"
    return f"read {what}, {new_rows / seconds:,.0f} a second"


def _exclusions(manifest: Manifest) -> str:
    counts: Counter[tuple[str, str]] = Counter()
    for entry in manifest.exclusions:
        unit = "rows" if "rows" in entry else "values"
        counts[str(entry["rule"]), unit] += entry[unit]
    by_rule = [f"{count:,} {unit} ({rule})" for (rule, unit), count in sorted(counts.items())]
    return f"excluded or redacted by policy: {'; '.join(by_rule) or 'nothing'}"


def _by_category(manifest: Manifest) -> str:
    rows: Counter[Category] = Counter()
    for file in manifest.files:
        rows[file.category] += file.rows
    return ", ".join(f"{category.label} {rows[category]:,}" for category in Category if rows[category]) or "no rows"


def _size(count: int) -> str:
    """Return bytes as a person would write them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count} bytes"
