"""Every snapshot of a random history is the consistent state of the source, and stores nothing twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, settings

from tests.support.history_databases import Database, InDuckDB, InPostgres
from tests.support.random_histories import History, Statistics

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

#: How many histories are run on each database, and how long they are; set the variables for a long search. Without
#: them, they are always the same few.
SEARCHED = "ELEMENTARY_HISTORIES" in os.environ
HISTORIES = int(os.environ.get("ELEMENTARY_HISTORIES", "4"))
STEPS = int(os.environ.get("ELEMENTARY_HISTORY_STEPS", "12"))


def run_histories(new_database: Callable[[], Database]) -> Statistics:
    statistics = Statistics()

    @settings(
        max_examples=HISTORIES,
        deadline=None,
        derandomize=not SEARCHED,
        phases=tuple(Phase) if SEARCHED else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        history = History(new_database(), data.draw, statistics)
        try:
            history.go_on(STEPS)
        finally:
            history.end()
        statistics.histories += 1

    run()
    return statistics


class TestRandomHistories:
    def test_on_postgres_every_snapshot_is_the_consistent_state_at_its_point(
        self, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        statistics = run_histories(lambda: InPostgres(postgres_server, postgres_database))

        print(statistics)
        assert statistics.histories >= HISTORIES
        assert statistics.incremental > 0

    def test_on_duckdb_every_snapshot_is_the_consistent_state_at_its_point(self, tmp_path: Path) -> None:
        statistics = run_histories(lambda: InDuckDB(tmp_path))

        print(statistics)
        assert statistics.histories >= HISTORIES
        assert statistics.incremental > 0
