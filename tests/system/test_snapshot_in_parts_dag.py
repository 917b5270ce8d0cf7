"""The DAG of a snapshot in parts ends with the snapshot that one task takes, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import LocalKeys, open_store, write_snapshot
from tests.support.connections import local_store, postgres_reader
from tests.support.dag_runs import run_dag
from tests.support.datasets import copy_postgres, load_world_a_postgres, many_metrics
from tests.support.parts import differing_tables, facts_of
from tests.support.signing import opened
from tests.support.stores import local_rest

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]

_ROWS = 200_000


def test_world_a_and_many_metrics_in_parts_equal_the_snapshot_of_one_task(
    postgres_server: PostgresServer,
    postgres_database: str,
    shared: Path,
    tmp_path: Path,
    airflow_connection: Connect,
) -> None:
    load_world_a_postgres(postgres_server, postgres_database, shared)
    copy_postgres(many_metrics(_ROWS), postgres_server, postgres_database, "elementary", "data_monitoring_metrics")
    reader = airflow_connection("reader", postgres_reader(postgres_server, postgres_database))
    keys = LocalKeys.generate()
    form = {
        "elementary_conn_id": reader,
        "store_conn_id": airflow_connection("store", local_store(tmp_path / "parts", keys)),
        "accept_unknown": ["client-address"],
        "rows_per_part": 50_000,
    }
    whole = local_rest(tmp_path / "whole").repository
    with ElementaryHook(reader).source() as source:
        expected = write_snapshot(source, whole)

    outcome = run_dag("elementary_snapshot_in_parts", form)

    taken = opened(open_store((tmp_path / "parts").as_uri()), LocalKeys(keys))
    manifest = taken.latest()
    planned = outcome.returned["snapshot.plan"]
    assert set(outcome.states.values()) == {"success"}
    assert len(planned) == len({file.part for file in manifest.files}) >= 4
    assert all(reference.keys() == {"plan", "sha256", "part"} for reference in planned)
    assert outcome.returned["snapshot.commit"]["snapshot_id"] == manifest.snapshot_id
    assert facts_of(manifest)["tables"] == facts_of(expected)["tables"]
    assert differing_tables(taken.source(manifest), whole.source(expected)) == []
