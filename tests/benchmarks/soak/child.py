"""Runs a piece of work in a child process at a simulated time, measures it, and may kill it."""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from tests.benchmarks.measure import peak_mb, resident_mb

_PACKAGE = "airflow_provider_elementary."
#: It compares this machine's clock with the server's.
_REAL_CLOCK = _PACKAGE + "storage.object_store.s3"


@dataclass(frozen=True)
class Doom:
    """When a process dies.

    :param request: with this request, 0 for never: before it is sent, or once it is answered.
    :param seconds: after so long in any case; None for never.
    """

    request: int = 0
    is_after: bool = False
    seconds: float | None = None


NEVER = Doom()


@dataclass(frozen=True)
class Ended:
    """How a piece of work ended.

    :param answer: what it returned; None where it was killed.
    :param cpu: seconds, user and system.
    :param peak_mb: memory at most, above what the process began with.
    :param requests: to the store, by HTTP's method.
    """

    answer: Any
    cpu: float = 0.0
    peak_mb: float = 0.0
    requests: Mapping[str, int] | None = None

    @property
    def total(self) -> int:
        """All requests."""
        return sum((self.requests or {}).values())


class FailedError(Exception):
    """The work failed, with its traceback."""


class _Clock(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


def simulate(now: datetime) -> None:
    """Let the package take this for the time, UTC without a zone; the difference to the store's clock is real."""

    class Simulated(datetime, metaclass=_Clock):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return now if tz is None else now.replace(tzinfo=UTC).astimezone(tz)

    def simulated() -> datetime:
        return now

    def real() -> datetime:
        return datetime.now(UTC).replace(tzinfo=None)

    known = sys.modules[_PACKAGE + "times"].utc_now
    sys.modules[_REAL_CLOCK].utc_now = real  # type: ignore[attr-defined]
    for name, module in list(sys.modules.items()):
        if not name.startswith(_PACKAGE) or name == _REAL_CLOCK:
            continue
        if getattr(module, "utc_now", None) is known:
            module.utc_now = simulated  # type: ignore[attr-defined]
        if isinstance(found := getattr(module, "datetime", None), type) and issubclass(found, datetime):
            module.datetime = Simulated  # type: ignore[attr-defined]


def count_requests(client: Any, doom: Doom) -> Counter[str]:
    """Count the requests of a boto3 client, and die with the one that is doomed."""
    counted: Counter[str] = Counter()

    def die() -> None:
        if doom.request and counted.total() == doom.request:
            os.kill(os.getpid(), signal.SIGKILL)

    def sending(request: Any, **facts: Any) -> None:
        counted[request.method.lower() if "list-type" not in request.url else "list"] += 1
        if not doom.is_after:
            die()

    def received(**facts: Any) -> None:
        if doom.is_after:
            die()

    client.meta.events.register_first("before-send.s3", sending)
    client.meta.events.register_first("response-received.s3", received)
    return counted


def in_child(work: Callable[[], Any], now: datetime, client: Any, doom: Doom = NEVER) -> Ended:
    """Do the work in a child of this process, which has no threads.

    :param client: the boto3 client of the store, which this process does not use itself.
    :raises FailedError: the work raised.
    """
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(reading)
        _work(work, now, client, doom, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        if doom.seconds is not None and not select.select([answer], [], [], doom.seconds)[0]:
            os.kill(pid, signal.SIGKILL)
        said = answer.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) == signal.SIGKILL and doom != NEVER:
            return Ended(None)
        raise FailedError(f"ended by signal {os.WTERMSIG(status)}")
    found = json.loads(said)
    if "failed" in found:
        raise FailedError(found["failed"])
    # The next child has what this one imported: what is measured is the work.
    for name in found.pop("imported"):
        with suppress(ImportError):
            importlib.import_module(name)
    return Ended(**found)


def _work(work: Callable[[], Any], now: datetime, client: Any, doom: Doom, writing: int) -> None:
    try:
        simulate(now)
        counted, before, known = count_requests(client, doom), peak_mb(), set(sys.modules)
        answer = work()
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = used.ru_utime + used.ru_stime
        found = {"answer": answer, "cpu": cpu, "peak_mb": peak_mb() - before, "requests": dict(counted)}
        found["imported"] = sorted(set(sys.modules) - known)
    except BaseException:
        found = {"failed": traceback.format_exc()}
    with os.fdopen(writing, "wb") as target:
        target.write(json.dumps(found).encode())
    os._exit(0)


class Resident:
    """A child that lives on, does the same work at each given time, and says what it takes.

    :param work: what it does.
    :param client: the boto3 client of the store.
    """

    def __init__(self, work: Callable[[], Any], client: Any) -> None:
        asking, self._asked = os.pipe()
        self._said, saying = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(self._asked)
            os.close(self._said)
            _serve(work, client, asking, saying)
        os.close(asking)
        os.close(saying)
        self._pid = pid
        self._answers = os.fdopen(self._said, "r")

    def ask(self, now: datetime) -> Ended:
        """Do the work once.

        :raises FailedError: it raised.
        """
        os.write(self._asked, f"{now.isoformat()}\n".encode())
        found = json.loads(self._answers.readline() or '{"failed": "the child is gone"}')
        if "failed" in found:
            raise FailedError(found["failed"])
        return Ended(**found)

    def close(self) -> None:
        """End the child."""
        os.close(self._asked)
        self._answers.close()
        os.waitpid(self._pid, 0)


def _serve(work: Callable[[], Any], client: Any, asking: int, saying: int) -> None:
    counted = count_requests(client, NEVER)
    with os.fdopen(asking) as asked, os.fdopen(saying, "w") as said:
        for line in asked:
            try:
                simulate(datetime.fromisoformat(line.strip()))
                counted.clear()
                began = time.process_time()
                answer = work()
                cpu = time.process_time() - began
                found = {"answer": answer, "cpu": cpu, "peak_mb": resident_mb(), "requests": dict(counted)}
            except BaseException:
                found = {"failed": traceback.format_exc()}
            said.write(json.dumps(found) + "\n")
            said.flush()
    os._exit(0)
