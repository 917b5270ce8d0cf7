"""The configurations of series are those of the tests that watched them last."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations
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
