"""What a task stored is removed by somebody: its next run knows the place from XCom, and fails after it has written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.exceptions import AlertsNotSentError
from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.incidents.store import current_incidents, update_incidents
from airflow_provider_elementary.notifications.route import AlertRoute
from airflow_provider_elementary.operators.alerts import ElementaryAlertOperator
from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.base import ElementaryFailException, ElementaryStoreOperator
from airflow_provider_elementary.operators.incidents import ElementaryIncidentAnswerOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.storage.layout import is_result, manifest_key
from tests.support.connections import local_store
from tests.support.incidents import failing_test, of_dbt
from tests.support.metric_series import daily
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
        before, self.returned = self.returned, None
        instance = SimpleNamespace(
            dag_id="dag",
            run_id=f"run {self.count}",
            task_id=self.operator.task_id,
            map_index=-1,
            get_previous_dagrun=lambda state=None: SimpleNamespace(run_id="before") if before else None,
            xcom_pull=lambda **_: before,
            xcom_push=lambda key, value: setattr(self, "returned", value),
        )
        context: Any = {"ti": instance, "outlet_events": {}, "dag_run": SimpleNamespace(conf={})}
        self.returned = self.operator.execute(context)
        return self.returned


@pytest.fixture
def rest(tmp_path: Path, airflow_connection: Connect) -> Rest:
    """A store of one snapshot, named by the connection ``store``."""
    masters = LocalKeys.generate()
    rest = Rest(open_store((tmp_path / "store").as_uri()), LocalKeys(masters), tmp_path / "store")
    take(rest, tmp_path / "warehouse.duckdb", world_after(8))
    airflow_connection("store", local_store(tmp_path / "store", masters))
    return rest


class Route:
    """A notifier that keeps what it sent, or cannot send."""

    sent: ClassVar[list[str]] = []
    works: ClassVar[bool] = True

    def __call__(self, context: Any) -> None:
        if not self.works:
            raise ConnectionError
        self.sent.append(context["alert"].title)


def incidents_of(rest: Rest, *tests: str) -> dict[str, str]:
    """Return what a task returns that saved the incidents of failing tests."""
    tracked = update_incidents(
        rest.repository,
        enrich(detect(daily([100.0] * 20)).slice(0, 0), Lineage()),
        Lineage(),
        of_dbt(*(failing_test(name, f"SHOP.CORE.{name}") for name in tests)),
        series="dag/incidents",
        run_key=" ".join(tests),
        origin={"snapshot_id": rest.repository.latest().snapshot_id},
    )
    return {"incidents": tracked.key}


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


def test_a_hidden_snapshot_is_noticed_by_the_next_run_of_metrics(rest: Rest, tmp_path: Path) -> None:
    taken = take(rest, tmp_path / "warehouse.duckdb", world_after(9))
    runs = Runs(metrics())
    runs.run()

    rest.store.delete(manifest_key(taken.sequence))
    with pytest.raises(ElementaryFailException, match="it ends at number 1, and snapshot number 2 was recorded"):
        runs.run()

    assert [each.key[-1] for each in rest.store.list("results/metrics/") if is_result(each.key)] == ["7", "8"]


@pytest.mark.parametrize("between", ["nothing", "a run that was skipped", "a run that could not send"])
def test_removed_records_of_what_was_sent_are_noticed_by_the_next_run(
    between: str, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Route, "sent", [])
    incidents = incidents_of(rest, "one")
    routes: Any = {"route": AlertRoute(Route())}  # type: ignore[arg-type]
    operator = ElementaryAlertOperator(task_id="alerts", store_conn_id="store", incidents=incidents, routes=routes)
    runs = Runs(operator)
    runs.run()
    runs.run()
    assert len(Route.sent) == 1

    if between == "a run that was skipped":
        operator.routes = {"route": AlertRoute(Route(), enabled=False)}  # type: ignore[arg-type]
        with pytest.raises(AirflowSkipException):
            runs.run()
        operator.routes = routes
    elif between == "a run that could not send":
        monkeypatch.setattr(Route, "works", False)
        operator.incidents = incidents_of(rest, "one", "two")
        with pytest.raises(AlertsNotSentError):
            runs.run()
        monkeypatch.setattr(Route, "works", True)
        operator.incidents = incidents
    for found in list(rest.store.list("results/alerts/")):
        rest.store.delete(found.key)
    with pytest.raises(ElementaryFailException, match=r"results/alerts/.* the newest were removed"):
        runs.run()

    assert runs.run()["sent"] == {"route": 0}


@pytest.mark.parametrize("recorded", [True, False], ids=["with XCom", "without XCom"])
def test_removed_answers_are_noticed_by_the_next_answer(recorded: bool, rest: Rest) -> None:
    incidents_of(rest, "one")
    [incident] = [each for each in current_incidents(rest.repository) if "one" in each.title]
    operator = ElementaryIncidentAnswerOperator(
        task_id="answer", store_conn_id="store", incident_id=incident.incident_id, answer="note", note="the loader"
    )
    runs = Runs(operator)
    runs.run()
    runs.run()
    incidents_of(rest, "one", "two")
    if not recorded:
        runs.returned = None

    # The incidents name the second.
    rest.store.delete(next(each.key for each in rest.store.list("feedback/")))
    with pytest.raises(ElementaryFailException, match=r"feedback/ .* ends at number 1, and an earlier run recorded"):
        runs.run()

    assert [each.key[-1] for each in rest.store.list("feedback/")] == ["6", "8"]
    assert runs.run()["store"] == rest.store.uri
