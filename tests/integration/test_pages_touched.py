"""An increment reads the pages of its window, where an index on the watermark says which those are."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.window_reads import INDEXES, RUN_RESULTS, TABLE, MetricsTable

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


def test_a_late_commit_of_an_old_day_is_counted_and_not_missed(
    postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
) -> None:
    table = MetricsTable(postgres_server, postgres_database, tmp_path, 3_000, "none")
    table.execute(f"INSERT INTO elementary.{TABLE} VALUES ('late', 't', 'm', TIMESTAMP '2026-10-31 12:00:00')")

    late = table.run_and_take()

    assert late.manifest.reason == (
        f"{TABLE}: 1 row older than the overlap of 3600 s (committed late or dated back), of 2026-10-31"
    )
