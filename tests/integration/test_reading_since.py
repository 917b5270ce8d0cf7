"""What is read of a snapshot since a time is what reading all of it and filtering gives, whatever the row groups."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import LocalKeys, Policy, SnapshotSource, open_snapshot, write_snapshot
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.stores import local_rest

ROWS = 120_000
START = datetime(2026, 1, 1)
#: compiled_code belongs to another category than the rest and is wide, so its file has many more row groups.
WORLD = f"""
CREATE SCHEMA elementary;
CREATE TABLE elementary.dbt_run_results AS
SELECT
    format('m{{}}', n) AS model_execution_id,
    'run' AS invocation_id,
    TIMESTAMP '{START}' + n * INTERVAL 1 MINUTE + (n % 7) * INTERVAL 1 HOUR AS created_at,
    'success' AS status,
    repeat(md5(n::VARCHAR), 10) AS compiled_code
FROM range({ROWS}) AS rows (n);
CREATE TABLE elementary.dbt_invocations AS
SELECT 'run' AS invocation_id, max(created_at) AS created_at FROM elementary.dbt_run_results;
"""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> SnapshotSource:
    directory = tmp_path_factory.mktemp("since")
    path: Path = directory / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(WORLD)
    rest = local_rest(directory)
    assert isinstance(rest.keys, LocalKeys)
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        write_snapshot(source, rest.repository, policy=Policy(categories=tuple(Category)))
    return open_snapshot(rest.repository)


@pytest.mark.parametrize("rows", [0, 1, 30_000, 49_999, 50_000, 75_001, ROWS - 1, ROWS + 1_000])
@pytest.mark.parametrize("columns", [["model_execution_id", "compiled_code"], ["status"], ["compiled_code"]])
def test_reading_since_a_time_gives_the_rows_from_then_on(
    snapshot: SnapshotSource, rows: int, columns: list[str]
) -> None:
    since = START + timedelta(minutes=rows)
    whole = read_all(snapshot, "dbt_run_results", [*columns, "created_at"])

    with snapshot.read("dbt_run_results", columns=columns, since=since) as reader:
        found = reader.read_all()

    expected = whole.filter(pc.greater_equal(whole["created_at"], pa.scalar(since, pa.timestamp("us"))))
    assert found == expected.select(found.column_names).cast(found.schema)
