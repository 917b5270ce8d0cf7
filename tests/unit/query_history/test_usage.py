"""Usage counts runs, readers and what queries took, per table and per dbt node."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.query_history import read_query_history
from airflow_provider_elementary.query_history.usage import node_usage, query_metrics, table_usage
from tests.support.query_histories import NOW, ListingSession, query, updated
from tests.support.stores import Rest, local_rest

HOUR = timedelta(hours=1)
NODE = '/* {"node_id": "model.shop.orders"} */'


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Rest:
    rest = local_rest(tmp_path_factory.mktemp("usage"))
    queries = [
        query(1, NOW - HOUR, query_text="SELECT 1 FROM a.b JOIN c.d ON true"),
        query(2, NOW - HOUR, query_text="SELECT 2 FROM a.b", user_name="bob", queue_ms=500),
        query(3, NOW - HOUR, query_text=f"{NODE} CREATE TABLE x.y AS SELECT * FROM a.b", bytes=None),
        query(4, NOW - HOUR, query_text="SELECT 'not understood"),
    ]
    updated(rest, ListingSession(queries))
    return rest


def read(rest: Rest) -> pa.RecordBatchReader:
    return read_query_history(rest.repository)


def test_a_table_has_its_runs_its_readers_and_what_they_took(rest: Rest) -> None:
    first, second = table_usage(read(rest)).to_pylist()

    assert first == {
        "full_table_name": "A.B",
        "runs": 3,
        "readers": 2,
        "duration": 6.0,
        "queue_time": 0.5,
        "bytes": 2_048,
        "cost": None,
        "cost_unit": None,
        "last_at": NOW - HOUR,
    }
    assert (second["full_table_name"], second["runs"]) == ("C.D", 1)


def test_a_node_is_known_by_its_comment_or_by_the_query_id_of_a_run(rest: Rest) -> None:
    found = node_usage(read(rest), {"q2": "test.shop.unique", "q3": "model.other"}).to_pylist()

    assert {row["dbt_node"]: row["runs"] for row in found} == {"model.shop.orders": 1, "test.shop.unique": 1}


def test_daily_metrics_have_the_columns_that_detection_takes(rest: Rest) -> None:
    metrics = query_metrics(read(rest))

    of_table = {
        row["metric_name"]: row["metric_value"] for row in metrics.to_pylist() if row["full_table_name"] == "A.B"
    }
    assert of_table == {
        "query_runs": 3.0,
        "query_readers": 2.0,
        "query_duration": 6.0,
        "query_queue_time": 0.5,
        "query_bytes": 2_048.0,
    }
    assert detect(metrics, method="elementary").num_rows == metrics.num_rows
