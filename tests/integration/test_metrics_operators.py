"""The operators on a stored snapshot: shards, incidents from run to run, events per table, the circuit breaker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.incidents.store import incidents_of
from airflow_provider_elementary.snapshots import LocalKeys, open_store, write_snapshot
from airflow_provider_elementary.storage.layout import is_result
from airflow_provider_elementary.storage.records.results import find_result, read_result
from tests.support.connections import duckdb_file, local_store
from tests.support.dag_runs import parse_dag, run_once
from tests.support.datasets import write_duckdb
from tests.support.little_project import SMALL_WORLD_END, small_world
from tests.support.signing import opened

ORDERS = "SHOP.CORE.ORDERS"

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]

DAG_FILE = """
from datetime import UTC, datetime
from airflow.sdk import DAG, AssetAlias
from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.incidents import ElementaryIncidentOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from tests.support.signing import opened

STORE = {"store_conn_id": "store", "retries": 0}
METRICS = "{{ ti.xcom_pull(task_ids='metrics')['metrics'] }}"

with DAG("scored", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    metrics = ElementaryTableMetricsOperator(task_id="metrics", **STORE)
    whole = ElementaryAnomalyOperator(
        task_id="whole", metrics=METRICS, outlets=[AssetAlias("anomalous_tables")], **STORE
    )
    shards = ElementaryAnomalyOperator.partial(task_id="shards", metrics=METRICS, shards=3, **STORE).expand(
        shard=[0, 1, 2]
    )
    incidents = ElementaryIncidentOperator(task_id="incidents", verdicts=shards.output, **STORE)
    breaker = ElementaryAnomalyOperator(task_id="breaker", metrics=METRICS, fail_on="orders", **STORE)
    other = ElementaryAnomalyOperator(task_id="other", metrics=METRICS, fail_on="customers", **STORE)
    typo = ElementaryAnomalyOperator(task_id="typo", metrics=METRICS, fail_on="ordres", **STORE)
    robust = ElementaryAnomalyOperator(task_id="robust", metrics=METRICS, method="robust", **STORE)
    metrics >> [whole, shards, breaker, other, typo, robust]
"""


@dataclass(frozen=True)
class Lived:
    """Three runs of the DAG; before the third, the incidents of the second were removed from the store."""

    runs: tuple[Any, Any, Any]
    store: str
    keys: LocalKeys
    removed: str
    #: The states of the model after the second run, and the state that each continues.
    states: dict[str, str | None]


@pytest.fixture(scope="module")
def lived(airflow_db: None, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("lived")
    keys = LocalKeys.generate()
    store = (folder / "store").as_uri()
    (folder / "dags").mkdir()
    (folder / "dags" / "scored.py").write_text(DAG_FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_STORE", json.dumps(local_store(store, keys)))
        patch.setenv("AIRFLOW_CONN_DWH", json.dumps(duckdb_file(write_duckdb(small_world(), folder / "world.duckdb"))))
        with pytest.MonkeyPatch.context() as clock, ElementaryHook("dwh").source() as source:
            # Right after the newest run: later, dbt would be silent.
            clock.setattr("airflow_provider_elementary.snapshots.capture.utc_now", lambda: SMALL_WORLD_END)
            write_snapshot(source, opened(open_store(store), LocalKeys(keys)))
        scored = parse_dag("scored", folder / "dags")
        first, second = (run_once(scored, {}) for _ in range(2))
        removed = returned(second, "whole")["incidents"]
        with read_result(opened(open_store(store), LocalKeys(keys)), removed) as reader:
            assert len(incidents_of(reader.read_all())) == len(returned(first, "whole")["changes"])
        names = [entry.key for entry in open_store(store).list("results/memories/") if is_result(entry.key)]
        states = {name: find_result(opened(open_store(store)), name).parameters["before"] for name in names}
        open_store(store).delete(removed)
        return Lived((first, second, run_once(scored, {})), store, LocalKeys(keys), removed, states)


def returned(run: Any, task_id: str, map_index: int = -1) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(XComModel).where(
        XComModel.run_id == run.run_id, XComModel.task_id == task_id, XComModel.map_index == map_index,
        XComModel.key == "return_value",
    )  # fmt: skip
    with create_session() as session:
        found = session.scalars(query).first()
        return None if found is None else XComModel.deserialize_value(found)


def said(store: str, keys: LocalKeys, key: str) -> list[tuple[Any, ...]]:
    """Return the verdicts; a sum over rows in another order differs in the last of its 16 digits."""
    with read_result(opened(open_store(store), keys), key) as reader:
        rows = reader.read_all().to_pylist()
    return [(row["id"], f"{row['score']:.12g}", row["is_anomalous"], row["reason"], row["severity"]) for row in rows]


def test_a_day_in_the_life_of_the_operators(lived: Lived) -> None:
    run, store, keys = lived.runs[0], lived.store, lived.keys
    states = {(ti.task_id, ti.map_index): str(ti.state) for ti in run.get_task_instances()}

    whole, breaker, incidents = (returned(run, task) for task in ("whole", "breaker", "incidents"))
    shards = [returned(run, "shards", number) for number in range(3)]
    assert states["whole", -1] == states["other", -1] == states["incidents", -1] == "success"
    # The breaker fails after everything is recorded, and says what it found.
    assert states["breaker", -1] == states["typo", -1] == "failed"
    assert breaker["anomalous"] == whole["anomalous"] > 0
    assert find_result(opened(open_store(store)), breaker["verdicts"]) is not None
    # The verdicts of the shards are those of the whole, and so are the incidents made of them.
    together = [row for shard in shards for row in said(store, keys, shard["verdicts"])]
    assert sorted(together) == sorted(said(store, keys, whole["verdicts"]))
    assert [change["root"] for change in incidents["changes"]] == [change["root"] for change in whole["changes"]]
    assert ORDERS in {change["root"] for change in whole["changes"]}
    assert "CANARY" not in str((whole, breaker, incidents, shards))


def test_each_anomalous_table_gets_an_event(lived: Lived) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    run, store = lived.runs[0], lived.store

    with create_session() as session:
        events = [
            (event.asset.uri, event.extra)
            for event in session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id))
        ]
    found = {uri: extra for uri, extra in events if uri.startswith("elementary://tables/")}
    assert set(found) == {f"elementary://tables/{table}" for table in returned(run, "whole")["tables"]}
    assert found[f"elementary://tables/{ORDERS}"]["worst"]["metric"] == "row_count"
    assert found[f"elementary://tables/{ORDERS}"]["store"] == store


def test_an_incident_of_the_run_before_continues_and_its_removal_is_noticed(lived: Lived) -> None:
    first, second, third = (returned(run, "whole") for run in lived.runs)

    at_first, continued = (
        {change["incident_id"]: change["transition"] for change in run["changes"]} for run in (first, second)
    )
    assert set(at_first.values()) <= {"opened", "resolved"}
    assert {id_ for id_, transition in continued.items() if transition == "continues"} == {
        id_ for id_, transition in at_first.items() if transition == "opened"
    }

    assert {ti.task_id: str(ti.state) for ti in lived.runs[2].get_task_instances()}["whole"] == "failed"
    # What the run found is recorded all the same, after the number that is gone.
    assert third["incidents"] < lived.removed


def test_the_robust_method_saves_its_state_for_the_next_run(lived: Lived) -> None:
    first, second, _ = (returned(run, "robust") for run in lived.runs)

    [oldest] = [key for key, earlier in lived.states.items() if earlier is None]
    assert len(lived.states) == 2
    assert set(lived.states.values()) == {None, oldest}
    assert [first[name] for name in ("scored", "anomalous")] == [second[name] for name in ("scored", "anomalous")]
