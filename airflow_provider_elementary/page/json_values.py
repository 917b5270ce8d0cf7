"""Turns what a view shows into JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from typing import Any

from airflow_provider_elementary.page.charts import Chart
from airflow_provider_elementary.page.day_grid import Grid, Picture
from airflow_provider_elementary.page.store_status import StoreStatus
from airflow_provider_elementary.project.facts import Node

#: What is drawn: JSON has the numbers instead.
_DRAWN = (Picture,)


def json_of(built: object) -> dict[str, Any]:
    """Return the fields of what a view shows; charts as their series, the state of the store in a few facts.

    :param built: the values of a template, a dataclass.
    """
    found = _value(built)
    return found if isinstance(found, dict) else {}


def _value(value: Any) -> Any:
    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.snapshots import Manifest

    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, StoreStatus):
        return _store_status(value)
    if isinstance(value, Manifest):
        return _manifest(value)
    if isinstance(value, Incident):
        return value.to_dict()
    if isinstance(value, Chart):
        return {"title": value.series.title, "description": value.description, **_value(value.series)}
    if isinstance(value, Grid):
        counts = [{"table": table, "day": day.isoformat(), "anomalous": n} for (table, day), n in value.counts.items()]
        return {"conclusion": value.conclusion, "counts": counts}
    if isinstance(value, _DRAWN):
        return None
    if is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(name): _value(each) for name, each in value.items()}
    if isinstance(value, Set):
        return sorted(map(str, value))
    if isinstance(value, Sequence):
        return [_value(each) for each in value]
    return str(value)


def _fields(value: Any) -> dict[str, Any]:
    # A node repeats what its table says, with ids that the snapshot holds.
    skipped = {"tables", "dataset"} if isinstance(value, Node) else set()
    return {
        each.name: _value(getattr(value, each.name)) for each in fields(value) if each.repr and each.name not in skipped
    }


def _store_status(status: StoreStatus) -> dict[str, Any]:
    return {
        "snapshots": status.total,
        "newest": _manifest(status.manifest) if status.manifest else None,
        "schedule": status.currency.schedule,
        "stale": list(status.stale),
        "problems": list(status.problems),
        "notice": status.notice,
    }


def _manifest(manifest: Any) -> dict[str, Any]:
    return {
        "sequence": manifest.sequence,
        "snapshot_id": manifest.snapshot_id,
        "kind": manifest.kind,
        "taken_at": manifest.taken_at.isoformat(),
        "rows": manifest.rows,
        "bytes": manifest.size,
        "sha256": manifest.sha256,
    }
