"""The command ``doctor`` names what works, what does not, and the next step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.storage.keys import LocalKeys
from tests.support.connections import duckdb_file, local_store

Connect = Callable[[str, Mapping[str, object]], str]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run ``doctor`` and return its exit status and what it found."""

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = main(["doctor", "--json", *arguments])
        return status, json.loads(capsys.readouterr().out)

    return run


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {check["part"]: check["status"] for check in found["checks"]}


def test_without_connections_the_store_comes_first(
    doctor: Callable[..., tuple[int, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", "nowhere")

    status, found = doctor("--conn-id", "nowhere_either")

    assert status == 1
    assert (statuses(found)["store"], statuses(found)["warehouse"]) == ("fail", "fail")
    assert found["next_step"].startswith("Connection nowhere: Airflow has no connection 'nowhere'")


def test_a_store_without_snapshots_asks_for_the_first(
    doctor: Callable[..., tuple[int, dict[str, Any]]],
    airflow_connection: Connect,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    airflow_connection("of_the_page", local_store(tmp_path / "store"))
    airflow_connection("sample", duckdb_file(build_sample(tmp_path / "sample.duckdb")))
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", "of_the_page")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example")

    status, found = doctor("--conn-id", "sample")

    shown = statuses(found)
    assert status == 0
    assert {shown[part] for part in ("airflow", "page", "store", "keys", "signing", "warehouse")} == {"pass"}
    assert shown["snapshots"] == "warning"
    assert found["next_step"].startswith("Trigger the DAG elementary_snapshot")


def test_a_category_without_its_key_is_named(
    doctor: Callable[..., tuple[int, dict[str, Any]]], airflow_connection: Connect, tmp_path: Path
) -> None:
    keys = LocalKeys.generate()
    airflow_connection("writer", local_store(tmp_path / "store", keys))
    airflow_connection("sample", duckdb_file(build_sample(tmp_path / "sample.duckdb")))
    assert main(["snapshot", "take", "--store-conn-id", "writer", "--conn-id", "sample", "--json"]) == 0
    del keys["failed_rows_sample"]
    airflow_connection("reader", local_store(tmp_path / "store", keys))

    _, found = doctor("--store-conn-id", "reader", "--conn-id", "sample")

    evidence = next(check["evidence"] for check in found["checks"] if check["part"] == "keys")
    assert statuses(found)["keys"] == "warning"
    assert evidence == "the keys open 5 of 6 categories of the newest (not failed_rows_sample)"
    assert found["next_step"].startswith("No master key for Failed rows sample")


def test_people_read_a_table_and_the_next_step(
    airflow_connection: Connect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conn_id = airflow_connection("unpinned", {"conn_type": "elementary_store", "extra": {"uri": tmp_path.as_uri()}})

    status = main(["doctor", "--store-conn-id", conn_id, "--conn-id", "nowhere"])

    assert status == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "next: Connection unpinned: " in printed
    assert "create the store with `airflow-elementary store init`" in printed
