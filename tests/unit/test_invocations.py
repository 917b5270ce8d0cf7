"""New dbt invocations, whatever zone their session was in and whatever their rows say of the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.invocations import Cursor, InvocationFilter, newest_since, poll_invocations
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world

NOON = datetime(2026, 11, 10, 12)
HOUR = timedelta(hours=1)
ANY = InvocationFilter()


class Watched:
    """A schema that is polled after each change, by a watcher that restarts each time."""

    def __init__(self, path: Path) -> None:
        self.path = write_duckdb({"dbt_invocations": small_world(days=1)["dbt_invocations"].slice(0, 0)}, path)
        self.cursor = Cursor()

    def change(self, statement: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(f"USE elementary; {statement}")

    def add(self, name: str, ended: datetime | None, created_at: str | None) -> None:
        completed = f"'{ended:%Y-%m-%d %H:%M:%S}'" if ended else "NULL"
        created = f"'{created_at}'" if created_at else "NULL"
        self.change(
            "INSERT INTO dbt_invocations (invocation_id, run_completed_at, created_at) "
            f"VALUES ('{name}', {completed}, {created})"
        )

    def poll(self) -> list[str]:
        with WarehouseSource(DuckDBWarehouse(self.path, "elementary")) as source:
            new, moved = poll_invocations(source, Cursor.from_dict(self.cursor.to_dict()), ANY)
        self.cursor = moved
        return [invocation.invocation_id for invocation in new]

    def sensed(self, since: datetime) -> str | None:
        with WarehouseSource(DuckDBWarehouse(self.path, "elementary")) as source:
            found = newest_since(source, since.replace(tzinfo=UTC), ANY)
        return found.invocation_id if found else None


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "warehouse.duckdb")


@pytest.mark.parametrize("order", [(14, -12, 0), (0, 10, -7), (-7, 0, 5.75), (-12, 14, 14)])
def test_every_invocation_is_reported_once_whatever_the_zone_of_its_session(
    watched: Watched, order: tuple[float, ...]
) -> None:
    reported = []
    for day in range(2):
        for number, ahead in enumerate(order):
            ended = NOON + timedelta(days=day) + number * HOUR
            watched.add(f"{day}.{number}", ended, str(ended + ahead * HOUR))
            assert watched.sensed(ended) == f"{day}.{number}"
            reported.append(watched.poll())

    assert reported == [[f"{day}.{number}"] for day in range(2) for number in range(3)]
    assert watched.poll() == []


@pytest.mark.parametrize("created_at", ["2099-01-01", "9999-12-31 23:59:59", "infinity", "-infinity", None])
def test_a_row_of_no_usable_time_is_reported_once_and_mutes_nobody(watched: Watched, created_at: str | None) -> None:
    watched.add("odd", NOON, created_at)
    first = watched.poll()
    watched.add("next", NOON + HOUR, str(NOON + HOUR))

    assert (first, watched.poll(), watched.poll()) == (["odd"], ["next"], [])
    assert watched.sensed(NOON + HOUR / 2) == "next"


def test_an_invocation_that_ends_in_the_future_does_not_satisfy_every_sensor(watched: Watched) -> None:
    watched.add("odd", datetime(2099, 1, 1), "2099-01-01")
    watched.add("right", NOON, str(NOON))

    assert watched.sensed(NOON - HOUR) == "right"
    assert watched.sensed(NOON + HOUR) is None


def test_a_cursor_that_a_row_of_the_future_moved_comes_back(watched: Watched) -> None:
    watched.cursor = Cursor(datetime(2099, 1, 1), frozenset())
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    watched.add("new", now, str(now))

    assert watched.poll() == ["new"]


def test_a_cursor_of_an_older_version_repeats_nothing(watched: Watched) -> None:
    watched.add("before", NOON - 5 * HOUR, str(NOON - 5 * HOUR))
    watched.add("last", NOON, str(NOON))
    watched.cursor = Cursor.from_dict({"watermark": NOON.isoformat(), "seen": ["last"]})
    watched.add("new", NOON + HOUR, str(NOON + HOUR))

    assert watched.poll() == ["new"]


def test_a_row_that_is_committed_a_day_late_is_reported(watched: Watched) -> None:
    watched.add("first", NOON - timedelta(days=3), str(NOON - timedelta(days=3)))
    watched.poll()
    watched.add("on time", NOON, str(NOON))
    watched.poll()
    watched.add("late", NOON - 20 * HOUR, str(NOON - 20 * HOUR))

    assert watched.poll() == ["late"]


def test_a_duplicate_is_no_second_invocation(watched: Watched) -> None:
    watched.add("one", NOON, str(NOON))
    watched.poll()
    watched.add("one", NOON + HOUR, str(NOON + HOUR))

    assert watched.poll() == []


def test_times_in_text_are_read(watched: Watched) -> None:
    watched.change("ALTER TABLE dbt_invocations ALTER created_at TYPE VARCHAR")
    watched.add("iso", NOON, "2026-11-10T12:00:00.123Z")
    first = watched.poll()
    watched.add("no time", NOON + HOUR, "soon")

    assert (first, watched.poll(), watched.poll()) == (["iso"], ["no time"], [])


def test_the_end_of_a_run_is_read_in_any_form(watched: Watched) -> None:
    watched.change(
        "INSERT INTO dbt_invocations (invocation_id, run_completed_at, created_at) "
        "VALUES ('new', '2026-11-10T12:00:00.123456789+00:00', TIMESTAMP '2026-11-10 02:00:00')"
    )

    assert watched.sensed(NOON) == "new"
    assert watched.sensed(NOON + HOUR) is None


@pytest.mark.parametrize("kind", ["DATE", "VARCHAR USING strftime(created_at, '%Y-%m-%d')"])
class TestDates:
    def test_a_run_is_found_by_its_end_whatever_the_hour(self, watched: Watched, kind: str) -> None:
        watched.add("early", NOON, str(NOON))
        watched.add("new", NOON + 9 * HOUR, str(NOON))
        watched.change(f"ALTER TABLE dbt_invocations ALTER created_at TYPE {kind}")

        assert watched.sensed(NOON + 8 * HOUR) == "new"
        assert watched.sensed(NOON + 10 * HOUR) is None

    def test_a_run_without_an_end_is_refused_at_an_hour_of_its_day(self, watched: Watched, kind: str) -> None:
        watched.add("new", None, str(NOON))
        watched.change(f"ALTER TABLE dbt_invocations ALTER created_at TYPE {kind}")

        with pytest.raises(ConfigurationError, match="1 dbt invocations have only a date in created_at"):
            watched.sensed(NOON)
        assert watched.sensed(NOON.replace(hour=0)) == "new"
        assert watched.sensed(NOON + 12 * HOUR) is None

    def test_a_run_with_an_end_decides_for_those_without(self, watched: Watched, kind: str) -> None:
        watched.add("undated", None, str(NOON))
        watched.add("new", NOON + HOUR, str(NOON))
        watched.change(f"ALTER TABLE dbt_invocations ALTER created_at TYPE {kind}")

        assert watched.sensed(NOON) == "new"

    def test_every_run_of_a_day_is_reported_once(self, watched: Watched, kind: str) -> None:
        watched.change(f"ALTER TABLE dbt_invocations ALTER created_at TYPE {kind}")
        reported = []
        for number in range(3):
            watched.add(str(number), NOON + number * HOUR, NOON.date().isoformat())
            reported.append(watched.poll())

        assert (reported, watched.poll()) == ([["0"], ["1"], ["2"]], [])


def test_a_time_at_midnight_in_a_column_of_times_is_a_time(watched: Watched) -> None:
    watched.add("new", None, "2026-11-10 00:00:00")

    assert watched.sensed(NOON) is None
