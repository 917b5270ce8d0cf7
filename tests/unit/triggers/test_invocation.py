"""The trigger fires once for new invocations, and resumes after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from airflow.triggers.base import BaseEventTrigger

from airflow_provider_elementary.invocations import (
    Cursor,
    Invocation,
    InvocationFilter,
    advance,
)
from airflow_provider_elementary.triggers.invocation import ElementaryInvocationTrigger
from tests.support.datasets import write_duckdb
from tests.support.little_project import SMALL_WORLD_END, small_world

LAST = "00000000-0000-4000-8000-000000000002"
LAST_WRITTEN = SMALL_WORLD_END - timedelta(days=1) + timedelta(hours=6, minutes=2)
NOON = datetime(2026, 11, 1, 12)


class StateStore:
    """Airflow's state of a watched asset, in memory.

    :param after_saving: called once, when a cursor has been saved: between two looks.
    """

    def __init__(self, cursor: Cursor | None = None, after_saving: Callable[[], None] = lambda: None) -> None:
        self.values: dict[str, Any] = {"elementary_cursor": cursor.to_dict()} if cursor else {}
        self.after_saving = after_saving

    async def aget(self, key: str) -> Any:
        return self.values.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = value
        self.after_saving()
        self.after_saving = lambda: None


@pytest.fixture
def warehouse(tmp_path: Path, airflow_connection: Callable[[str, Mapping[str, object]], str]) -> Path:
    """A DuckDB file with three days of dbt runs, and the connection ``elementary_default`` to it."""
    path = write_duckdb(small_world(days=3), tmp_path / "shop.duckdb")
    airflow_connection("elementary_default", {"conn_type": "duckdb", "host": str(path)})
    return path


def add_invocation(warehouse: Path, invocation_id: str, created_at: datetime, **facts: str) -> None:
    row = {"invocation_id": invocation_id, "created_at": created_at, **facts}
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            f"INSERT INTO elementary.dbt_invocations ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
            list(row.values()),
        )


def trigger(**arguments: Any) -> ElementaryInvocationTrigger:
    return ElementaryInvocationTrigger(**{"poll_interval": 0.05, **arguments})


def next_payload(watcher: ElementaryInvocationTrigger, seconds: float = 20) -> Any:
    async def first() -> Any:
        return (await anext(aiter(watcher.run()))).payload

    return asyncio.run(asyncio.wait_for(first(), seconds))


def invocation(invocation_id: str, created_at: datetime, **facts: str) -> Invocation:
    return Invocation(invocation_id, created_at, **facts)


def test_it_can_watch_an_asset() -> None:
    assert isinstance(trigger(), BaseEventTrigger)


def test_it_is_made_again_from_what_it_serializes() -> None:
    original = trigger(project_name="shop", command="build", env="prod", accept_unknown=("client-address",))

    path, arguments = original.serialize()

    assert path == "airflow_provider_elementary.triggers.invocation.ElementaryInvocationTrigger"
    assert ElementaryInvocationTrigger(**arguments).serialize() == (path, arguments)


def test_it_reports_only_what_appears_after_its_start(warehouse: Path) -> None:
    watcher = trigger()
    watcher.asset_state_store = StateStore(
        after_saving=lambda: add_invocation(warehouse, "new", NOON, command="build", vars="CANARY")
    )

    payload = next_payload(watcher)

    assert payload["count"] == 1
    assert payload["invocation"]["invocation_id"] == "new"
    assert payload["watermark"] == NOON.isoformat()
    assert "CANARY" not in str(payload)


def test_many_invocations_at_once_are_one_event_with_the_newest_and_the_watermark(warehouse: Path) -> None:
    add_invocation(warehouse, "first", NOON)
    add_invocation(warehouse, "third", NOON + timedelta(minutes=2))
    add_invocation(warehouse, "second", NOON + timedelta(minutes=1))
    watcher = trigger()
    watcher.asset_state_store = StateStore(Cursor(LAST_WRITTEN, frozenset({LAST})))

    payload = next_payload(watcher)

    assert payload["count"] == 3
    assert payload["invocation"]["invocation_id"] == "third"
    assert payload["watermark"] == (NOON + timedelta(minutes=2)).isoformat()


def test_the_cursor_is_saved_after_the_event_so_that_a_crash_repeats_it(warehouse: Path) -> None:
    add_invocation(warehouse, "new", NOON)
    store = StateStore(before := Cursor(LAST_WRITTEN, frozenset({LAST})))
    watcher = trigger()
    watcher.asset_state_store = store

    next_payload(watcher)

    assert store.values["elementary_cursor"] == before.to_dict()


def test_it_starts_without_a_store_as_on_airflow_before_3_3(warehouse: Path) -> None:
    with pytest.raises(TimeoutError):
        next_payload(trigger(), seconds=1.5)


def test_it_passes_over_invocations_that_were_not_asked_for(warehouse: Path) -> None:
    add_invocation(warehouse, "wanted", NOON, project_name="shop", command="build", env="prod")
    add_invocation(warehouse, "other", NOON + timedelta(minutes=5), project_name="shop", command="test", env="prod")
    watcher = trigger(project_name="shop", command="build", env="prod")
    watcher.asset_state_store = StateStore(Cursor(LAST_WRITTEN, frozenset({LAST})))

    payload = next_payload(watcher)

    assert payload["count"] == 1
    assert payload["invocation"]["invocation_id"] == "wanted"


def test_a_watcher_that_cannot_look_starts_no_dag(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watcher = trigger(schema="nowhere")

    with pytest.raises(TimeoutError):
        next_payload(watcher, seconds=1.5)

    assert "does not exist" in capsys.readouterr().out


def test_it_reads_nothing_until_the_access_check_passed(
    warehouse: Path, airflow_connection: Callable[[str, Mapping[str, object]], str]
) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("CREATE TABLE main.customers (email VARCHAR)")

    payload = next_payload(trigger(since="2026-10-01"))

    assert payload["status"] == "error"
    assert payload["permanent"]
    assert "customers" in payload["message"]


def test_a_sensors_trigger_ends_with_the_invocation(warehouse: Path) -> None:
    async def all_events() -> list[Any]:
        return [event.payload async for event in trigger(since="2026-10-31T00:00:00+00:00").run()]

    payloads = asyncio.run(all_events())

    assert [payload["invocation"]["invocation_id"] for payload in payloads] == [LAST]


def test_a_row_committed_late_is_reported_although_it_is_before_the_watermark() -> None:
    cursor = Cursor(NOON, frozenset({"known"}))
    late = invocation("late", NOON - timedelta(minutes=30))

    new, moved = advance(cursor, [invocation("known", NOON), late])

    assert new == [late]
    assert moved == Cursor(NOON, frozenset({"known", "late"}))


def test_the_cursor_discards_ids_that_no_poll_reads_again() -> None:
    cursor = Cursor(NOON, frozenset({"known"}))
    later = NOON + timedelta(days=2)

    new, moved = advance(cursor, [invocation("known", NOON), invocation("new", later)])

    assert [each.invocation_id for each in new] == ["new"]
    assert moved == Cursor(later, frozenset({"new"}))


def test_a_duplicated_row_is_one_invocation() -> None:
    new, _ = advance(Cursor(), [invocation("one", NOON), invocation("one", NOON)])

    assert len(new) == 1


def test_a_schema_that_was_erased_keeps_the_watermark() -> None:
    cursor = Cursor(NOON, frozenset({"known"}))

    assert advance(cursor, []) == ([], Cursor(NOON, frozenset()))


@pytest.mark.parametrize("cursor", [Cursor(), Cursor(NOON, frozenset({"a", "b"}))])
def test_a_cursor_survives_a_restart(cursor: Cursor) -> None:
    assert Cursor.from_dict(cursor.to_dict()) == cursor


def test_the_end_of_an_invocation_is_in_utc_whatever_the_zone_of_dbts_session() -> None:
    in_tokyo = invocation("tokyo", NOON + timedelta(hours=9), run_completed_at="2026-11-01 12:00:00")

    assert in_tokyo.completed_at.isoformat() == "2026-11-01T12:00:00+00:00"


def test_an_empty_field_of_a_form_asks_for_nothing() -> None:
    assert InvocationFilter(project_name="", command=None).matches(invocation("any", NOON))
