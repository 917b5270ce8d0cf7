"""The DAG of the query history reads PostgreSQL through the second role, and never through the sync's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.query_history import read_query_history
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from tests.support.connections import local_store
from tests.support.dag_runs import run_dag
from tests.support.history_roles import history_shop
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]


def test_two_runs_store_what_ran_between_them(
    postgres_server: PostgresServer, airflow_connection: Connect, tmp_path: Path
) -> None:
    masters, store = LocalKeys.generate(), (tmp_path / "store").as_uri()
    airflow_connection("store", local_store(store, masters))
    airflow_connection("sync", postgres_server.airflow_connection("another_user", "x", "postgres"))
    form = {
        "elementary_conn_id": "sync",
        "store_conn_id": "store",
        "include_text": False,
        "include_users": False,
        "first_days": 1,
        "days": 30,
    }
    with history_shop(postgres_server) as shop:
        history = postgres_server.airflow_connection(shop.user, shop.password, shop.database)
        form["history_conn_id"] = airflow_connection("history", history)
        first = run_dag("elementary_query_history", form)
        shop.run("SELECT email FROM shop.orders WHERE email = 'ada@example.com'")
        second = run_dag("elementary_query_history", form)

    assert (first.state, second.state) == ("success", "success")
    assert first.returned["query_history"]["rows"] == 0
    rows = read_query_history(opened(open_store(store), LocalKeys(masters))).read_all().to_pylist()
    (row,) = [row for row in rows if row["tables"] == '["SHOP.ORDERS"]']
    assert (row["runs"], row["statement_text"]) == (1, None)
    assert row["user"].startswith("user-")
