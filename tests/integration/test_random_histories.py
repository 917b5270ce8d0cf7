"""Every snapshot of a random history is the consistent state of the source, and stores nothing twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support.histories_in_parts import HistoryInParts
from tests.support.history_databases import Database, InDuckDB, InPostgres
from tests.support.random_histories import History, Statistics

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

#: How many histories are run on each database, and how long they are; set the variables for a long search.
#: Without them, they are always the same few.
SEARCHED = "ELEMENTARY_HISTORIES" in os.environ
HISTORIES = int(os.environ.get("ELEMENTARY_HISTORIES", "4"))
STEPS = int(os.environ.get("ELEMENTARY_HISTORY_STEPS", "12"))


def run_histories(new_database: Callable[[], Database], number: int, history_of: type[History] = History) -> Statistics:
    """Run histories of a seed: of the number, or of any where a search is asked for."""
    statistics = Statistics()

    @settings(
        max_examples=HISTORIES,
        deadline=None,
        phases=tuple(Phase) if SEARCHED else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        history = history_of(new_database(), data.draw, statistics)
        try:
            history.go_on(STEPS)
        finally:
            history.end()
        statistics.histories += 1

    (run if SEARCHED else seed(number)(run))()
    return statistics


class TestRandomHistories:
    def test_on_postgres_every_snapshot_is_the_consistent_state_at_its_point(
        self, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        statistics = run_histories(lambda: InPostgres(postgres_server, postgres_database), 2)

        print(statistics)
        assert statistics.histories >= HISTORIES
        assert statistics.incremental > 0

    def test_on_duckdb_every_snapshot_is_the_consistent_state_at_its_point(self, tmp_path: Path) -> None:
        statistics = run_histories(lambda: InDuckDB(tmp_path), 1)

        print(statistics)
        assert statistics.histories >= HISTORIES
        assert statistics.incremental > 0

    def test_in_parts_every_snapshot_has_the_epoch_and_rows_of_one_task(self, tmp_path: Path) -> None:
        statistics = run_histories(lambda: InDuckDB(tmp_path), 3, HistoryInParts)

        print(statistics)
        assert statistics.full.total() > statistics.incremental > 0
