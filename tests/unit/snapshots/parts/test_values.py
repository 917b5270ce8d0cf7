"""What a plan and its parts store is read again as it was."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint, TableFacts
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.tally import Tally
from airflow_provider_elementary.snapshots.parts.values import (
    read_exclusions,
    read_point,
    read_rejections,
    read_slice,
    read_tally,
    write_point,
    write_slice,
    write_tally,
)
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions
from airflow_provider_elementary.warehouses.values import Rejections

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456)


def test_every_field_of_a_consistency_point_is_kept() -> None:
    point = ConsistencyPoint(
        tables={"dbt_invocations": TableFacts(NOON, 3, NOON - timedelta(days=1), 2)},
        watermark=NOON,
        abandoned_until=NOON - timedelta(hours=6),
        committed_until=NOON - timedelta(minutes=1),
        read_at=NOON + timedelta(seconds=1),
        markers=pa.array(["a", "é", ""], pa.string()),
        results=pa.array([], pa.string()),
        latest=NOON + timedelta(hours=15),
        spread=timedelta(hours=2),
        spread_ever=timedelta(hours=3),
        marker_problem="none came",
        ended=pa.array(["z"], pa.string()),
        ended_until=NOON,
        unmarked={"z": NOON},
        marked_until=NOON,
    )

    found = read_point(write_point(point))

    for field in fields(ConsistencyPoint):
        kept, given = getattr(found, field.name), getattr(point, field.name)
        if isinstance(given, pa.Array):
            assert (sorted(kept.to_pylist()), kept.type) == (sorted(given.to_pylist()), given.type)
        else:
            assert kept == given, field.name


def test_every_field_of_a_slice_is_kept() -> None:
    wanted = Slice("dbt_run_results", NOON, NOON + timedelta(days=1), 7)

    assert read_slice(write_slice(wanted)) == wanted


def test_a_point_without_markers_stays_one() -> None:
    point = ConsistencyPoint({}, None, None, None, None, None)

    assert read_point(write_point(point)) == point


def test_every_field_of_a_tally_is_kept_and_two_add_up() -> None:
    table = TABLES["dbt_run_results"]
    tally = Tally(NOON)
    tally.taken[table.name] = 4
    tally.waiting[table.name] = 1
    tally.undated[table.name] = 1
    tally.waiting_runs.add("waiting")
    tally.abandoned_runs.add("abandoned")
    tally.waiting_from = NOON
    tally._old[table.name] = 1
    tally._oldest[table.name] = NOON - timedelta(days=9)
    tally._young[table.name].append(np.array([NOON, NOON + timedelta(hours=1)], dtype="datetime64[us]"))

    found = read_tally(write_tally(tally), NOON)
    total = Tally(NOON)
    for part in (tally, found):
        total.add(part)

    assert write_tally(found) == write_tally(tally)
    assert {field.name for field in fields(Tally)} == set(vars(found))
    assert total.settled(table, NOON + timedelta(minutes=1)) == (4, NOON - timedelta(days=9))
    assert (total.taken[table.name], total.waiting_runs, total.waiting_from) == (8, {"waiting"}, NOON)


def test_counts_are_read_as_they_were() -> None:
    exclusions, rejections = Exclusions(), Rejections()
    exclusions.count_rows("rule", TABLES["dbt_models"], Category.METADATA, 2)
    exclusions.count_values("quarantined", TABLES["dbt_models"], "not_known", 3)
    rejections.rows["dbt_models", "created_at", "text"] += 4
    rejections.values["dbt_models", "name", "number"] += 5

    assert read_exclusions(exclusions.to_list()).to_list() == exclusions.to_list()
    assert read_rejections(rejections.to_list()).to_list() == rejections.to_list()
