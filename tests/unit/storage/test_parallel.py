"""Threads of requests: bounded, waited for by what fails, and by nothing that ends a task."""

from __future__ import annotations

import subprocess
import sys
from contextvars import ContextVar
from threading import Event, current_thread
from time import sleep

import pytest

from airflow_provider_elementary.storage.parallel import Threads, in_parallel

ASKED_BY: ContextVar[str] = ContextVar("asked_by", default="nobody")


class EndedError(BaseException):
    """What ends a task, as Airflow's time-out does."""


def test_a_bounded_number_of_threads_is_begun_and_a_free_one_taken_again() -> None:
    names: list[str] = []

    def work(number: int) -> int:
        names.append(current_thread().name + str(current_thread().ident))
        sleep(0.01)
        return number

    with Threads(3) as threads:
        assert threads.submit(work, 0).result() == 0
        sleep(0.05)
        assert threads.submit(work, 1).result() == 1
        assert len(set(names)) == 1
    assert list(in_parallel(work, range(20), 3)) == list(range(20))
    assert len(set(names[2:])) <= 3


def test_work_has_the_context_of_who_submits_it() -> None:
    ASKED_BY.set("an answer")

    with Threads(1) as threads:
        assert threads.submit(ASKED_BY.get).result() == "an answer"


def test_an_error_waits_for_what_was_begun() -> None:
    ended: list[int] = []

    def work(number: int) -> None:
        sleep(0.05)
        ended.append(number)

    def fail() -> None:
        with Threads(1) as threads:
            threads.submit(work, 1)
            threads.submit(work, 2)
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert ended == [1, 2]


def test_what_ends_a_task_waits_for_no_thread_that_hangs() -> None:
    go_on, begun, waiting = Event(), Event(), []

    def hang() -> bool:
        begun.set()
        return go_on.wait(60)

    def end() -> None:
        with Threads(1) as threads:
            threads.submit(hang)
            waiting.append(threads.submit(hang))
            assert begun.wait(10)
            raise EndedError

    with pytest.raises(EndedError):
        end()
    assert waiting[0].cancelled()
    go_on.set()


HANGING = """
from threading import Event
from airflow_provider_elementary.storage.parallel import Threads

with Threads(1) as threads:
    threads.submit(Event().wait)
    raise SystemExit(3)
"""


def test_a_thread_that_hangs_keeps_no_process_from_ending() -> None:
    assert subprocess.run([sys.executable, "-c", HANGING], check=False, timeout=120).returncode == 3
