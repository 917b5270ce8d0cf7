"""The configurations of series are those of the tests that watched them last."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.elementary.configured_tests import (
    configurations_of_tests,
    read_test_configurations,
    read_tests,
)
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.source import arrow_schema
from tests.support.little_project import small_world
from tests.support.table_source import TableSource


class NotesTables(TableSource):
    """Notes which tables were read."""

    def read(self, table: str, **given: Any) -> pa.RecordBatchReader:
        read.append(table)
        return super().read(table, **given)


read: list[str] = []


@pytest.mark.parametrize("is_generic", [False, True])
def test_commands_are_read_only_where_their_variables_are_arguments(is_generic: bool) -> None:
    world = dict(small_world(days=3))
    results = world["elementary_test_results"]
    place = results.schema.get_field_index("test_sub_type")
    kind = pa.array(["generic" if is_generic else "row_count"] * results.num_rows)
    world["elementary_test_results"] = results.set_column(place, "test_sub_type", kind)
    read.clear()

    read_test_configurations(NotesTables(world))

    assert read == ["elementary_test_results", *(["dbt_invocations"] if is_generic else [])]


Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def source_of(rows: Rows) -> TableSource:
    """Return a source of rows by table."""
    return TableSource(
        {
            name: pa.Table.from_pylist(
                [dict(row) for row in held],
                schema=arrow_schema(TABLES[name], [column.name for column in TABLES[name].columns]),
            )
            for name, held in rows.items()
        }
    )


def random_rows(choose: random.Random) -> dict[str, list[Mapping[str, Any]]]:
    """Return results of some tests of two tables, and the commands of most of their runs."""
    results: list[Mapping[str, Any]] = []
    began = datetime(2026, 3, 2)
    for number in range(choose.randint(1, 40)):
        test, run = choose.randint(0, 3), choose.choice([None, *range(6)])
        kind = choose.choice(["generic", "row_count", "freshness", None])
        params: dict[str, Any] = {"anomaly_sensitivity": choose.choice([1, 2, 3]), "days_back": choose.choice([7, 14])}
        params |= {"anomaly_direction": "both"} if choose.random() < 0.8 else {}
        if choose.random() < 0.5:
            params["time_bucket"] = {"period": "day", "count": choose.choice([1, 2])}
        moment = began + timedelta(minutes=choose.randint(0, 5))
        results.append(
            {
                "id": f"{number}",
                "test_type": choose.choice(["anomaly_detection"] * 4 + ["dbt_test"]),
                "test_sub_type": kind,
                "test_short_name": "dimension_anomalies" if kind == "generic" else f"test_{test % 2}",
                "test_unique_id": choose.choice([None, f"test.{test}"]),
                "test_params": choose.choice(["no JSON", *[json.dumps(params)] * 9]),
                "invocation_id": None if run is None else f"run-{run}",
                "detected_at": choose.choice([None, *[moment] * 5]),
                "created_at": moment + timedelta(seconds=choose.randint(0, 2)),
                "schema_name": "core",
                "table_name": choose.choice(["orders", "payments", None]),
            }
        )
    commands = [
        {"invocation_id": f"run-{run}", "vars": choose.choice([None, json.dumps({"days_back": 9, "sensitivity": 2})])}
        for run in choose.sample(range(6), choose.randint(0, 6))
    ]
    return {"elementary_test_results": results, "dbt_invocations": commands}


@pytest.mark.parametrize("seed", range(60))
def test_tests_are_the_same_however_their_rows_are_divided(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - no secret
    rows = random_rows(choose)
    whole = read_tests(source_of(rows), source_of(rows), None)
    parts: list[dict[str, list[Any]]] = [{name: [] for name in rows} for _ in range(choose.randint(1, 4))]
    for name, held in rows.items():
        for row in held:
            # A part may repeat what earlier ones have.
            for part in choose.sample(parts, choose.choice([1, 1, 2]) if len(parts) > 1 else 1):
                part[name].append(row)

    tests = None
    for number, part in enumerate(parts, 1):
        so_far = {name: [row for one in parts[:number] for row in one[name]] for name in rows}
        tests = read_tests(source_of(so_far), source_of(part), tests)

    assert tests is not None
    assert whole is not None
    assert tests.equals(whole)
    assert configurations_of_tests(tests).equals(read_test_configurations(source_of(rows)))
