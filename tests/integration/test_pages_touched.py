"""An increment reads the pages of its window, where an index on the watermark says which those are."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.window_reads import END, INDEXES, RUN_RESULTS, TABLE, TEST_RESULTS, MetricsTable

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer


@pytest.mark.parametrize(
    ("name", "index"), [*((TABLE, index) for index in INDEXES), (RUN_RESULTS, "none"), (RUN_RESULTS, "brin")]
)
def test_an_increment_touches_the_pages_of_its_window_or_scans_once(
    name: str,
    index: str,
    postgres_server: PostgresServer,
    postgres_database: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = MetricsTable(postgres_server, postgres_database, tmp_path, 60_000, index, name)

    with caplog.at_level(logging.INFO):
        increment = table.run_and_take()

    assert (increment.manifest.kind, increment.manifest.tables[name].new_rows) == ("incremental", 1)
    assert len(increment.pages) == 1
    advice = [record.getMessage() for record in caplog.records if "CREATE INDEX" in record.getMessage()]
    if index == "none":
        assert increment.pages.total() == table.pages
        assert len(advice) == 1
        assert f'CREATE INDEX CONCURRENTLY ON "elementary"."{name}" USING brin ("created_at");' in advice[0]
    else:
        assert increment.pages.total() < table.pages / 10
        assert advice == []


@pytest.mark.parametrize("index", ["none", "brin"])
def test_a_sample_of_a_result_before_the_window_costs_no_second_query(
    index: str, postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
) -> None:
    table = MetricsTable(postgres_server, postgres_database, tmp_path, 60_000, index, TEST_RESULTS)
    table.execute(
        "CREATE TABLE elementary.test_result_rows "
        "(elementary_test_results_id text, result_row text, row_index int, test_type text, created_at timestamp)"
    )
    table.take([])
    window_from = END - timedelta(hours=1)
    # Row 59,900 is 100 minutes older than the newest one.
    table.execute(
        "INSERT INTO elementary.test_result_rows VALUES "
        f"('m59900', '{{}}', 1, 'dbt_test', TIMESTAMP '{window_from + timedelta(minutes=5)}')"
    )

    increment = table.run_and_take()

    tables = increment.manifest.tables
    assert (increment.manifest.kind, tables[TEST_RESULTS].new_rows, tables["test_result_rows"].new_rows) == (
        "incremental",
        1,
        1,
    )
    assert len(increment.pages) == 1
    assert (increment.pages.total() == table.pages) == (index == "none")


@pytest.mark.parametrize("index", INDEXES)
def test_an_increment_reads_the_markers_of_sixty_days(
    index: str, postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
) -> None:
    table = MetricsTable(postgres_server, postgres_database, tmp_path, 1_000, "brin")
    table.watched = "dbt_invocations"
    created_at = f"TIMESTAMP '{END}' - n * INTERVAL '1 hour'"
    table.execute(
        f"INSERT INTO elementary.dbt_invocations SELECT repeat('i', 200) || n, {created_at} "
        f"FROM generate_series({24 * 900}, 1, -1) AS n",
        INDEXES[index].format("dbt_invocations"),
        "VACUUM ANALYZE elementary.dbt_invocations",
    )
    table.take([], full_every_days=0)

    increment = table.run_and_take()

    assert (increment.manifest.kind, increment.manifest.tables["dbt_invocations"].new_rows) == ("incremental", 1)
    assert (increment.pages.total() < table.pages / 3) == (index != "none")


def test_a_late_commit_of_an_old_day_is_counted_and_not_missed(
    postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
) -> None:
    table = MetricsTable(postgres_server, postgres_database, tmp_path, 3_000, "none")
    table.execute(f"INSERT INTO elementary.{TABLE} VALUES ('late', 't', 'm', TIMESTAMP '2026-10-31 12:00:00')")

    late = table.run_and_take()

    assert late.manifest.reason == (
        f"{TABLE}: 1 row older than the overlap of 3600 s (committed late or dated back), of 2026-10-31"
    )
