"""Usage and cost on the page, from the query history of a real PostgreSQL, without the key of Query logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.snapshots import LocalKeys
from tests.support.connections import local_store
from tests.support.dag_runs import run_dag
from tests.support.history_roles import Shop, history_shop
from tests.support.little_project import small_world
from tests.support.page import fill_store
from tests.support.page_answers import ORDERS, words

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

pytestmark = pytest.mark.usefixtures("airflow_db")

NODE = '/* {"app": "dbt", "node_id": "model.shop.orders"} */'
USED = {
    "elementary_conn_id": "sync",
    "include_text": False,
    "include_users": False,
    "first_days": 1,
    "days": 30,
}


@dataclass(frozen=True)
class Taken:
    """A store with a query history.

    :param keys: of every category but Query logs.
    """

    uri: str
    keys: Mapping[str, str]
    returned: Mapping[str, Any]


@pytest.fixture
def taken(postgres_server: PostgresServer, airflow_connection: Connect, tmp_path: Path) -> Taken:
    masters = LocalKeys.generate()
    uri = fill_store(tmp_path, LocalKeys(masters), world=small_world(days=2), snapshots=1, with_results=False)
    form = {**USED, "store_conn_id": airflow_connection("written", local_store(uri, masters))}
    airflow_connection("sync", postgres_server.airflow_connection("another_user", "x", "postgres"))
    with history_shop(postgres_server) as shop:
        of_history = postgres_server.airflow_connection(shop.user, shop.password, shop.database)
        form["history_conn_id"] = airflow_connection("history", of_history)
        shop.run("CREATE SCHEMA core; CREATE TABLE core.orders (id int); CREATE TABLE core.salaries (id int)")
        run_dag("elementary_query_history", form)
        with _used_by_two(shop):
            second = run_dag("elementary_query_history", form)
    assert second.state == "success"
    keys = {name: key for name, key in masters.items() if name != "query_logs"}
    return Taken(uri, keys, second.returned["query_history"])


@contextmanager
def _used_by_two(shop: Shop) -> Iterator[None]:
    """Build the table twice as dbt does, and read it as two users, who are there until the block ends."""
    for _ in range(2):
        statement = f"{NODE} INSERT INTO core.orders SELECT generate_series(1, 1000)"
        shop.server.execute(statement, database=shop.database)
    shop.run("SELECT count(*) FROM core.orders")
    analyst = f"analyst_{shop.database}"
    password = shop.server.create_role(analyst)
    shop.run(f"GRANT CONNECT ON DATABASE {shop.database} TO {analyst}")
    shop.run(f"GRANT USAGE ON SCHEMA core TO {analyst}; GRANT SELECT ON ALL TABLES IN SCHEMA core TO {analyst}")
    with shop.server.connect(analyst, password, shop.database) as connection:
        for statement in ("SELECT id FROM core.orders WHERE id = 1", "SELECT id FROM core.salaries"):
            connection.execute(statement.encode())
    yield
    shop.run(f"DROP OWNED BY {analyst}")
    shop.server.drop_role(analyst)


def test_the_page_shows_what_a_model_took_and_who_reads_it(
    taken: Taken, stores: Callable[..., list[str]], admin: TestClient
) -> None:
    stores(taken.uri, keys=taken.keys)

    of_table = admin.get(f"/elementary/api/table?name={ORDERS}").json()
    of_runs = admin.get("/elementary/api/runs").json()
    table, runs = (words(admin.get(f"/elementary/{path}").text) for path in (f"table?name={ORDERS}", "runs"))

    used = of_table["used"]
    assert (used["unique_id"], used["runs"], used["reads"], used["readers"]) == ("model.shop.orders", 2, 2, 2)
    assert used["duration"] > 0
    assert used["bytes"] > 0
    assert (used["cost"], used["queue_time"]) == (None, None)
    assert [each["usage"]["unique_id"] for each in of_runs["used"]] == ["model.shop.orders"]
    assert "Readers 2 users, in 2 queries" in table
    assert "Their cost not known" in table
    assert "Queries of the 30 days before" in runs
    assert not [
        word for word in ("salaries", "analyst", "user-") if word in f"{of_table}{of_runs}{table}{runs}".lower()
    ]
    assert not taken.returned["notes"]


def test_without_a_history_the_page_says_that_it_is_not_taken(
    store: str, stores: Callable[..., list[str]], admin: TestClient
) -> None:
    stores(store)

    for path in (f"table?name={ORDERS}", "runs"):
        assert "Not taken: this store holds no query history." in words(admin.get(f"/elementary/{path}").text)
        assert admin.get(f"/elementary/api/{path}").json()["usage"] is None


def test_usage_that_no_key_opens_is_not_called_not_taken(
    taken: Taken, stores: Callable[..., list[str]], admin: TestClient
) -> None:
    stores(taken.uri, keys={name: key for name, key in taken.keys.items() if name != "table_metrics"})

    shown = words(admin.get("/elementary/runs").text)

    assert "Not known: see above what cannot be read." in shown
    assert "Not taken" not in shown
