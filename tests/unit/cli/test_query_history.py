"""The commands print grants, stored queries and usage."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.cli import main
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from tests.support.connections import local_store
from tests.support.query_histories import ListingSession, query, updated
from tests.support.stores import Rest

Connect = Callable[[str, Mapping[str, object]], str]


@pytest.fixture
def store(tmp_path: Path, airflow_connection: Connect) -> str:
    """A store with two queries of an hour ago."""
    masters, now = LocalKeys.generate(), datetime.now(UTC).replace(tzinfo=None)
    uri = (tmp_path / "store").as_uri()
    airflow_connection("store", local_store(uri, masters))
    ended = now - timedelta(hours=1)
    session = ListingSession([query(1, ended), query(2, ended, query_text='/* {"node_id": "model.a.b"} */ SELECT 1')])
    updated(Rest(open_store(uri), LocalKeys(masters), tmp_path), session, now=now)
    return "store"


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main.main(["query-history", *words]) == 0
    return capsys.readouterr().out


def test_show_prints_a_line_of_json_for_each_query(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "show", "--store-conn-id", store).splitlines()

    assert [json.loads(line)["query_id"] for line in lines] == ["q1", "q2"]
    assert len(printed(capsys, "show", "--store-conn-id", store, "--limit", "1").splitlines()) == 1


def test_usage_is_by_table_or_by_node(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    (table,) = json.loads(printed(capsys, "usage", "--store-conn-id", store, "--json"))
    (node,) = json.loads(printed(capsys, "usage", "--store-conn-id", store, "--json", "--by", "node"))

    assert (table["full_table_name"], table["runs"], table["readers"]) == ("SHOP.ORDERS", 1, 1)
    assert (node["dbt_node"], node["runs"]) == ("model.a.b", 1)
    assert "SHOP.ORDERS" in printed(capsys, "usage", "--store-conn-id", store)


def test_grants_are_printed_for_each_warehouse(capsys: pytest.CaptureFixture[str]) -> None:
    assert "SECURITY DEFINER" in printed(capsys, "grants", "postgres", "--database", "dwh")
    assert "ACCOUNT_USAGE" in printed(capsys, "grants", "snowflake", "--database", "DWH", "--warehouse", "WH")


def test_check_access_refuses_the_login_of_the_sync(
    airflow_connection: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    login = {"conn_type": "postgres", "host": "localhost", "port": 1, "login": "sync", "password": "secret"}
    airflow_connection("sync", login)
    airflow_connection("history", {**login, "schema": "another"})

    status = main.main(["query-history", "check-access", "--conn-id", "history", "--elementary-conn-id", "sync"])

    assert status == 3
    assert "of the same user as the sync's, 'sync'" in capsys.readouterr().err


def test_check_access_says_where_the_login_was_not_compared(
    airflow_connection: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow_connection("history", {"conn_type": "duckdb", "host": "/nowhere.duckdb"})

    main.main(["query-history", "check-access", "--conn-id", "history", "--elementary-conn-id", "nowhere"])

    assert "The login was not compared with the sync's." in capsys.readouterr().err
