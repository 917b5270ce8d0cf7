"""Triggers, notifiers and tasks end in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.notifications import route
from airflow_provider_elementary.notifications.route import AlertRoute
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator
from airflow_provider_elementary.sensors.invocation import ElementaryInvocationSensor
from airflow_provider_elementary.timeouts import break_off_all, register
from airflow_provider_elementary.triggers import invocation
from airflow_provider_elementary.triggers.invocation import ElementaryInvocationTrigger
from tests.support.dag_runs import DAGS

LONG = 60.0


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """An event that lets what hangs end with the test."""
    event = threading.Event()
    yield event
    event.set()


class HangingSource:
    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        self.cancelled.set()


def test_a_poll_that_hangs_is_cancelled_and_raises(monkeypatch: pytest.MonkeyPatch, released: threading.Event) -> None:
    monkeypatch.setattr(invocation, "POLL_SECONDS", 0.2)
    trigger, source = ElementaryInvocationTrigger(), HangingSource()
    trigger._source = source  # type: ignore[assignment]

    with pytest.raises(WarehouseError, match=r"Reading elementary_default took more than 0\.2 s"):
        asyncio.run(trigger._poll(released.wait, LONG))

    assert source.cancelled.wait(5)


def test_a_notifier_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, released: threading.Event) -> None:
    class Hanging:
        def __deepcopy__(self, memo: Any) -> Hanging:
            return self

        def __call__(self, context: Any) -> None:
            released.wait(LONG)

    monkeypatch.setattr(route, "SEND_SECONDS", 0.2)

    with pytest.raises(TimeoutError):
        AlertRoute(Hanging()).send(None, {})  # type: ignore[arg-type]


def test_what_a_notifier_raises_is_raised() -> None:
    class Failing:
        def __call__(self, context: Any) -> None:
            raise KeyError(context["alert"])

    with pytest.raises(KeyError, match="orders"):
        AlertRoute(Failing()).send("orders", {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "task",
    [
        ElementarySnapshotOperator(task_id="snapshot", store_conn_id="store"),
        ElementaryInvocationSensor(task_id="sensor"),
    ],
    ids=["operator", "sensor"],
)
def test_a_task_that_is_killed_ends_what_is_under_way(task: Any) -> None:
    class Waiting:
        has_ended = False

        def break_off(self) -> None:
            self.has_ended = True

    waiting = Waiting()
    register(waiting)

    task.on_kill()

    assert waiting.has_ended


def test_what_a_killed_task_waits_for_is_ended_all_at_once() -> None:
    class Waiting:
        def __init__(self, together: threading.Barrier) -> None:
            self.together, self.has_ended = together, False

        def break_off(self) -> None:
            self.together.wait(LONG)
            self.has_ended = True

    together = threading.Barrier(3)
    waiting = [Waiting(together) for _ in range(3)]
    for one in waiting:
        register(one)

    break_off_all()

    assert [one.has_ended for one in waiting] == [True] * 3


@pytest.mark.parametrize("path", sorted(DAGS.glob("elementary_*.py")), ids=lambda path: path.stem)
def test_every_example_dag_sets_an_execution_timeout(path: Any) -> None:
    assert 'default_args={"execution_timeout": timedelta(hours=' in path.read_text()
