"""The warehouse's time bounds which rows are of now, whatever the clock of this machine says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from airflow_provider_elementary.warehouses import clock
from airflow_provider_elementary.warehouses.source import WarehouseSource

NOW = datetime(2026, 11, 20, 12)


class Answering:
    """A source whose warehouse answers a time."""

    warehouse = SimpleNamespace(schema="elementary", database=None, dialect="postgres")

    def __init__(self, answer: datetime) -> None:
        self._answer = answer

    def table(self, name: str) -> Any:
        return SimpleNamespace(name=name)

    def ask(self, sql: str) -> pa.RecordBatchReader:
        return pa.table({"READ_AT": pa.array([self._answer]), "n": [1]}).to_reader()


@pytest.mark.parametrize(
    ("answer", "here", "expected"),
    [
        (NOW.replace(tzinfo=UTC), NOW + timedelta(365), NOW),
        (NOW.replace(tzinfo=timezone(timedelta(hours=2))), NOW, NOW - timedelta(hours=2)),
        (NOW, NOW - timedelta(365), NOW),
        (NOW, NOW + timedelta(hours=3), NOW + timedelta(hours=3)),
        (NOW, NOW + timedelta(365), NOW + clock.MOST_BEHIND),
    ],
)
def test_a_wrong_clock_of_this_machine_moves_no_bound_by_more_than_a_zone(
    answer: datetime, here: datetime, expected: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "datetime", SimpleNamespace(now=lambda zone: here.replace(tzinfo=zone)))
    monkeypatch.setattr(clock, "isinstance", lambda value, kind: True, raising=False)

    found = clock.read_clock(cast(WarehouseSource, Answering(answer)), "dbt_invocations")

    assert found.now == expected
