"""What columns of dbt commands say is what each row says by itself."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.incidents.dbt_commands import BUILDING, COMMAND_COLUMNS, Commands
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.source import arrow_schema
from airflow_provider_elementary.times import without_zone
from tests.support.table_source import TableSource

Row = Mapping[str, Any]
FIRST = datetime(2026, 2, 26, 22)
SCOPE = ("project_name", "target_database", "target_schema")
#: How an orchestrator or another version may write a time; the last ones are none.
WRITTEN = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "  %Y-%m-%d %H:%M:%S\u2003", "%Y-%m-%d %H:%M:%S.5", "%Y%m%dT%H%M%S"),
    *("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+05:30", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S.1234567"),
    *("%Y-%m-%d 24:00:01", "0000-01-01 00:00:00", "never", "", None),
)
NO_DAYS = ("2026-02-30 10:00:00", "2026-02-29 10:00:00")


def table(name: str, rows: Iterable[Row], columns: Iterable[str]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(TABLES[name], list(columns)))


def random_rows(seed: int, rows: int = 120) -> list[Row]:
    """Return commands of several sessions' zones, a few of them twice, without an id or a time, or with odd texts."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    written = (WRITTEN[:1], WRITTEN, (*WRITTEN, *NO_DAYS))[seed % 3]
    found: list[Row] = []
    for number in range(rows):
        at = FIRST + timedelta(minutes=chance.randrange(60 * 24 * 9), microseconds=chance.choice([0, 1, 500_000]))
        style, zone = chance.choice(written), chance.choice([0, 0, 15, 30, -300, 330, 840, 855, -60])
        found.append(
            {
                "invocation_id": chance.choice([f"i{number}", f"i{number}", f"i{number // 9}", "", None]),
                "created_at": chance.choice([None, *[at + timedelta(minutes=zone, seconds=chance.randrange(200))] * 9]),
                "generated_at": style and f"{at:{style}}",
                "command": chance.choice(["build", " RUN ", "test", "docs", "", None]),
                "job_name": chance.choice([None, "", "  ", "nightly", "\u00a0hourly "]),
                "job_id": chance.choice([None, " ", "17", "nightly"]),
                **{name: chance.choice([None, " a", "b"]) if seed % 2 else "a" for name in SCOPE},
            }
        )
        if chance.random() < 0.1:
            found.append(chance.choice(found))
    return found


def plain(text: str | None) -> str:
    return (text or "").strip()


def ahead_of(row: Row) -> timedelta:
    try:
        apart = row["created_at"] - without_zone(datetime.fromisoformat(plain(row["generated_at"])))
    except ValueError:
        return timedelta(0)
    steps = round(apart / timedelta(minutes=15))
    is_zone = abs(steps) >= 2 and abs(apart) <= timedelta(hours=14)
    return steps * timedelta(minutes=15) if is_zone else timedelta(0)


def each_by_itself(rows: Iterable[Row]) -> list[Row]:
    """Return what each row says, the oldest first."""
    found = [
        {
            "invocation_id": row["invocation_id"],
            "at": row["created_at"] - ahead_of(row),
            "seen_at": row["created_at"],
            "ahead": ahead_of(row),
            "name": plain(row["command"]).lower(),
            "job": plain(row["job_name"]) or plain(row["job_id"]) or None,
            **{name: plain(row[name]) for name in SCOPE},
        }
        for row in rows
        if row["created_at"] is not None
    ]
    return sorted(found, key=lambda row: (row["at"], row["invocation_id"] or ""))


@pytest.mark.parametrize("seed", range(12))
def test_commands_are_what_each_row_says(seed: int) -> None:
    rows = random_rows(seed)
    expected = each_by_itself(rows)
    commands = Commands.of(table("dbt_invocations", rows, COMMAND_COLUMNS))
    named = [row for row in expected if row["invocation_id"]]
    jobs = sorted({row["job"] for row in expected if row["job"]})
    begin, end = expected[30]["at"], expected[70]["at"]

    assert commands.rows.to_pylist() == expected
    assert commands.times([FIRST, end]) == sorted({FIRST, *(row["at"] for row in expected)})
    assert commands.between(begin, end).rows.to_pylist() == [row for row in expected if begin <= row["at"] <= end]
    assert {row["invocation_id"]: row["ahead"] for row in commands.ahead_by_id().to_pylist()} == {
        row["invocation_id"]: row["ahead"] for row in named
    }
    assert {name: one.at for name, one in commands.by_id([None, "", "i3", "i5", "unknown"]).items()} == {
        row["invocation_id"]: row["at"] for row in named if row["invocation_id"] in ("i3", "i5")
    }
    assert {job: own.rows.to_pylist() for job, own in commands.by_job.items()} == {
        job: [row for row in expected if row["job"] == job] for job in jobs
    }
    assert commands.without_jobs(jobs[:1]).rows.to_pylist() == [row for row in expected if row["job"] != jobs[0]]
    building = [row for row in expected if row["name"] in BUILDING]
    assert commands.building.newest is not None
    assert commands.building.newest.at == building[-1]["at"]
    assert commands.building.is_of_one_scope == (len({tuple(row[name] for name in SCOPE) for row in building}) == 1)


def test_without_rows_there_is_no_newest_command() -> None:
    commands = Commands.of(table("dbt_invocations", [], COMMAND_COLUMNS))

    assert (commands.newest, commands.times(), commands.by_job, commands.building.is_of_one_scope) == (
        None,
        [],
        {},
        False,
    )


def streaks(
    rows: Iterable[Row], recorded: set[str | None]
) -> Iterator[tuple[str, datetime, datetime, int, datetime | None]]:
    """Yield, of each name, the unbroken runs of commands without results after one that has some."""
    for name in BUILDING:
        found = sorted((row["seen_at"], row["invocation_id"] in recorded) for row in rows if row["name"] == name)
        grouped = [(has, [at for at, _ in group]) for has, group in groupby(found, key=lambda each: each[1])]
        for place, (has_results, times) in enumerate(grouped):
            if not has_results and place:
                ended_at = grouped[place + 1][1][0] if place + 1 < len(grouped) else None
                yield f"dbt {name}", times[0], times[-1], len(times), ended_at


@pytest.mark.parametrize("seed", range(6))
def test_commands_without_results_are_found_as_one_by_one(seed: int) -> None:
    rows = random_rows(seed)
    chance = random.Random(seed)  # noqa: S311 - repeatable
    recorded = {row["invocation_id"] for row in rows if chance.random() < 0.3} - ({None} if seed % 2 else set())
    results = [
        {"model_execution_id": f"e{number}", "unique_id": "model.shop.a", "invocation_id": name, "status": "success"}
        for number, name in enumerate(sorted(recorded, key=str))
    ]
    held = {name: table(name, (), (column.name for column in known.columns)) for name, known in TABLES.items()}
    held |= {
        "dbt_invocations": table("dbt_invocations", rows, COMMAND_COLUMNS),
        "dbt_run_results": table("dbt_run_results", results, held["dbt_run_results"].column_names),
    }

    found = dbt_conditions(TableSource(held)).conditions

    assert sorted(
        (one.subject, one.started_at, one.last_seen, one.times, one.ended_at or datetime.max)
        for one in found
        if one.state == "no results"
    ) == sorted((*streak[:4], streak[4] or datetime.max) for streak in streaks(each_by_itself(rows), recorded))
