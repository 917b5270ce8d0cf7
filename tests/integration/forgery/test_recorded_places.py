"""What a task stored is removed by somebody: its next run knows the place from XCom, and fails after it has written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.base import ElementaryFailException, ElementaryStoreOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.storage.layout import is_result
from tests.support.connections import local_store
from tests.support.stores import Rest, take, world_after

Connect = Callable[[str, Mapping[str, object]], str]


class Runs:
    """The runs of one task: each knows what the one before returned or, where it failed, pushed."""

    def __init__(self, operator: ElementaryStoreOperator) -> None:
        self.operator = operator
        self.returned: Any = None
        self.count = 0

    def run(self) -> Any:
        self.count += 1
        before = self.returned
        instance = SimpleNamespace(
            dag_id="dag",
            run_id=f"run {self.count}",
            task_id=self.operator.task_id,
            map_index=-1,
            get_previous_dagrun=lambda state=None: SimpleNamespace(run_id="before") if before else None,
            xcom_pull=lambda **_: before,
            xcom_push=lambda key, value: setattr(self, "returned", value),
        )
        self.returned = self.operator.execute({"ti": instance, "outlet_events": {}})  # type: ignore[typeddict-item]
        return self.returned


@pytest.fixture
def rest(tmp_path: Path, airflow_connection: Connect) -> Rest:
    """A store of one snapshot, named by the connection ``store``."""
    masters = LocalKeys.generate()
    rest = Rest(open_store((tmp_path / "store").as_uri()), LocalKeys(masters), tmp_path / "store")
    take(rest, tmp_path / "warehouse.duckdb", world_after(8))
    airflow_connection("store", local_store(tmp_path / "store", masters))
    return rest


def metrics() -> ElementaryStoreOperator:
    return ElementaryTableMetricsOperator(task_id="metrics", store_conn_id="store")


def anomalies() -> ElementaryStoreOperator:
    return ElementaryAnomalyOperator(task_id="anomalies", store_conn_id="store", method="robust")


@pytest.mark.parametrize(
    ("operator", "kinds"),
    [(metrics, ["metrics"]), (anomalies, ["verdicts", "memories", "incidents"])],
    ids=["metrics", "anomalies"],
)
def test_a_removed_result_is_noticed_by_the_next_run(
    operator: Callable[[], ElementaryStoreOperator], kinds: list[str], rest: Rest
) -> None:
    runs = Runs(operator())
    runs.run()
    runs.run()

    for kind in kinds:
        newest = next(each.key for each in rest.store.list(f"results/{kind}/") if is_result(each.key))
        rest.store.delete(newest)
    with pytest.raises(ElementaryFailException) as error:
        runs.run()

    for kind in kinds:
        assert f"results/{kind}/" in str(error.value)
    assert "ends at number 1, and an earlier run recorded number 2" in str(error.value)
    # The run has written what it found, after the numbers that are gone, and the next one is well.
    for kind in kinds:
        assert next(each.key for each in rest.store.list(f"results/{kind}/") if is_result(each.key)).endswith("6")
    assert runs.run()["store"] == rest.store.uri
