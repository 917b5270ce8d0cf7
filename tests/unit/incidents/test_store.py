"""Saved incidents are brought up to date with a newer snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from airflow_provider_elementary.incidents.conditions import Origin
from airflow_provider_elementary.incidents.current import read_dbt_conditions
from airflow_provider_elementary.incidents.store import updated
from airflow_provider_elementary.incidents.tracking import track_incidents
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import SnapshotSource
from tests.support.dbt_project import result, rows_table
from tests.support.shop import RAW
from tests.support.table_source import TableSource


def test_the_origin_that_a_task_saved_stays_after_a_newer_snapshot() -> None:
    def snapshot(*statuses: str) -> Any:
        rows = [result(day, status) for day, status in enumerate(statuses)]
        return TableSource({"elementary_test_results": rows_table("elementary_test_results", rows)})

    [condition] = read_dbt_conditions(snapshot("fail")).conditions
    saved = track_incidents([replace(condition, origin=Origin(RAW, ("amount",)))], Lineage())

    [found] = updated(saved, "older", "newer", lambda: cast(SnapshotSource, snapshot("fail", "fail")))

    assert saved[0].root == found.root == RAW
    assert [each.times for each in found.conditions] == [2]
