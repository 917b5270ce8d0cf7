"""A snapshot told in a few lines, for the log of a task: cut, read, held back, sealed."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.manifest import Manifest

_NAMES_TOLD = 10


def story(manifest: Manifest, started: datetime, finished: datetime) -> list[str]:
    """Return what happened, a line each; rates are of this attempt.

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
        _cut(manifest),
        _read(manifest, seconds),
        _held_back(manifest),
        f"sealed {_size(size)} in {len(manifest.new_files)} files, {_size(round(size / seconds))} a second, one key "
        f"for each category: {_by_category(manifest)}",
        f"{named}: {manifest.rows:,} rows of {_size(manifest.size)} in all",
    ]
    unknown = [f"{name}.{column}" for name, table in manifest.tables.items() for column in table.unknown_columns]
    if unknown:
        more = f" and {len(unknown) - _NAMES_TOLD} more" if len(unknown) > _NAMES_TOLD else ""
        lines.append(f"left out, as nobody has classified them yet: {', '.join(unknown[:_NAMES_TOLD])}{more}")
    return lines + problems(manifest)


def problems(manifest: Manifest) -> list[str]:
    """Return what of the source could not be used and what to do, a sentence each."""
    sentences = [f"excluded table {table}: {reason}" for table, reason in manifest.excluded.items()]
    if manifest.cut is not None and manifest.cut.marker_problem:
        sentences.append(manifest.cut.marker_problem)
    for entry in manifest.rejected[:_NAMES_TOLD]:
        what = f"{entry['rows']:,} rows" if "rows" in entry else f"{entry['values']:,} values"
        done = "excluded" if "rows" in entry else "replaced by null"
        sentences.append(f"{done} {what} of {entry['table']}.{entry['column']}: {entry['kind']}")
    if len(manifest.rejected) > _NAMES_TOLD:
        sentences.append(f"and {len(manifest.rejected) - _NAMES_TOLD} more kinds of values that could not be used")
    return sentences


def _cut(manifest: Manifest) -> str:
    what = f"{manifest.kind}: {manifest.reason}" if manifest.reason else f"{manifest.kind}: what is new"
    if manifest.cut is None or manifest.cut.watermark is None:
        return f"cut {what}"
    waiting, incomplete = manifest.cut.waiting_count, manifest.cut.incomplete_count
    return (
        f"cut {what}, up to {manifest.cut.watermark} of the warehouse's time; {waiting} unfinished dbt runs wait, "
        f"{incomplete} that never ended are taken as they are"
    )


def _read(manifest: Manifest, seconds: float) -> str:
    new_rows = sum(table.new_rows for table in manifest.tables.values())
    told = f"{new_rows:,} rows of {len(manifest.tables)} tables in {seconds:.1f} s"
    return f"read {told}, {new_rows / seconds:,.0f} a second"


def _held_back(manifest: Manifest) -> str:
    counts: Counter[tuple[str, str]] = Counter()
    for entry in manifest.held_back:
        unit = "rows" if "rows" in entry else "values"
        counts[str(entry["rule"]), unit] += entry[unit]
    told = [f"{count:,} {unit} by {rule}" for (rule, unit), count in sorted(counts.items())]
    return f"held back {'; '.join(told) or 'nothing'}"


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
