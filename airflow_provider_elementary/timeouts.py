"""Gives every wait for a warehouse or a store a deadline."""

from __future__ import annotations

import contextvars
import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from typing import Any, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from airflow_provider_elementary.exceptions import WarehouseError

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds to connect, TLS included: two lost SYN packets and a slow handshake fit in.
CONNECT_SECONDS = 30.0
#: Seconds without an answer or a row of a warehouse. A suspended warehouse starts, and a large sort ends, within it.
READ_SECONDS = 600.0
#: Seconds without a byte of an AWS service, which answers within one when it is well.
AWS_READ_SECONDS = 60.0
#: Seconds after which a request to an AWS service is not repeated any more.
AWS_REQUEST_SECONDS = 120.0
#: Seconds for one part of an upload, whatever the client was configured to.
UPLOAD_SECONDS = 900.0
#: Seconds for a notifier to send one alert.
SEND_SECONDS = 120.0
#: Seconds for a trigger to poll once: a login, the access check and one read.
POLL_SECONDS = 1800.0
#: Seconds to ask a server to cancel a statement, and then for the statement to end.
CANCEL_SECONDS = 3.0
#: Seconds for cleaning up, whose failure costs nothing but an open session or an unfinished upload.
CLOSE_SECONDS = 5.0
#: A dead peer is noticed after 60 s + 6 x 10 s of silence, and data that it does not acknowledge after 60 s.
KEEPALIVES = {"keepalives_idle": "60", "keepalives_interval": "10", "keepalives_count": "6"}
TCP_USER_TIMEOUT_MILLISECONDS = "60000"
# The main thread looks this often whether there was progress; a signal wakes it up at once.
_SLICE_SECONDS = 1.0


def in_background(name: str, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> Future[T]:
    """Call a function in a daemon thread: unlike an executor's, it keeps no process from ending."""
    future: Future[T] = Future()
    # A call that runs cannot be cancelled.
    future.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(function, *arguments, **options)
        except BaseException as error:
            with suppress(Exception):
                future.set_exception(error)
        else:
            # The caller may have stopped waiting meanwhile.
            with suppress(Exception):
                future.set_result(result)

    Thread(target=work, name=name, daemon=True).start()
    return future


def ends_within(future: Future[Any], seconds: float) -> bool:
    """Return whether a call ended within a time, well or not."""
    with suppress(TimeoutError):
        future.exception(seconds)
    return future.done()


class Sockets:
    """The sockets that a driver opens to one server, to shut down beneath a call that does not return.

    Native drivers neither show their sockets nor end a read; a socket that is shut down ends it for them.

    :param host: a name, an address, or the directory of a Unix socket.
    """

    def __init__(self, host: str | None, port: int | None) -> None:
        self._host, self._port = host, port
        self._addresses: set[str] = set()
        self._ours: set[tuple[int, int]] = set()
        self._opening: list[set[tuple[int, int]]] = []

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Take the sockets that are opened to the server in the block for ours."""
        if not self._addresses and self._host and self._port:
            with suppress(OSError):
                self._addresses = {str(found[4][0]) for found in socket.getaddrinfo(self._host, self._port)}
        before = set(self._to_server())
        self._opening.append(before)
        try:
            yield
        finally:
            self._ours |= set(self._to_server()) - before
            self._opening.remove(before)

    def shut_down(self) -> None:
        """End every read and write on our sockets, those of a block that has not ended included."""
        held = set(self._to_server())
        ours = self._ours.union(*(held - before for before in self._opening))
        for descriptor, inode in held & ours:
            with _duplicate(descriptor) as found:
                if found is not None and os.fstat(found.fileno()).st_ino == inode:
                    with suppress(OSError):
                        found.shutdown(socket.SHUT_RDWR)

    def _to_server(self) -> Iterator[tuple[int, int]]:
        """Yield descriptor and inode of this process's sockets to the server."""
        try:
            names = os.listdir("/dev/fd")
        except OSError:
            return
        for name in names:
            with _duplicate(int(name)) as found:
                if found is not None and self._is_server(found):
                    yield int(name), os.fstat(found.fileno()).st_ino

    def _is_server(self, found: socket.socket) -> bool:
        try:
            peer = found.getpeername()
        except OSError:
            return False
        if isinstance(peer, tuple):
            return str(peer[0]).removeprefix("::ffff:") in self._addresses and peer[1] == self._port
        return bool(self._host) and str(self._host).startswith("/") and str(peer).startswith(str(self._host))


@contextmanager
def _duplicate(descriptor: int) -> Iterator[socket.socket | None]:
    """Open a second descriptor of a socket; closing it leaves the first alone. None where it is no socket."""
    try:
        copy = os.dup(descriptor)
    except OSError:
        yield None
        return
    if not stat.S_ISSOCK(os.fstat(copy).st_mode):
        os.close(copy)
        yield None
        return
    with socket.socket(fileno=copy) as found:
        yield found


class Calls:
    """Runs a session's blocking calls one at a time in daemon threads, each with a deadline.

    The waiting thread stays in Python, so that a signal such as Airflow's execution_timeout reaches it at once,
    whatever the driver does meanwhile.

    :param name: of the warehouse, for messages.
    :param read_seconds: the longest time without an answer or a row.
    :param connect_seconds: the longest time for logging in.
    :param sockets: what to shut down where a call does not end.
    """

    def __init__(
        self,
        name: str,
        *,
        read_seconds: float = READ_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        sockets: Sockets | None = None,
    ) -> None:
        self.name = name
        #: Asks the server to cancel what is under way; over a connection of its own, if it needs one.
        self.cancel: Callable[[], object] | None = None
        self._read_seconds = read_seconds
        # Drivers connect twice, or to several addresses of a name.
        self._login_seconds = 2 * connect_seconds
        self._sockets = sockets or Sockets(None, None)
        self._turn = Lock()
        self._running: Future[Any] | None = None
        self._moved = 0.0
        self._has_ended = False
        register(self)

    @property
    def has_ended(self) -> bool:
        """Whether the session was ended: what runs in it has to start no further statement."""
        return self._has_ended

    def log_in(self, log_in: Callable[[], T]) -> T:
        """Return the session that logging in gives.

        :raises WarehouseError: it took too long.
        """

        def opening() -> T:
            with self._sockets.opening():
                return log_in()

        return self.run("logging in", opening, seconds=self._login_seconds, setting="connect_timeout")

    def run(
        self, doing: str, function: Callable[[], T], *, seconds: float | None = None, setting: str = "read_timeout"
    ) -> T:
        """Return what a blocking call returns, or raise what it raises.

        :param doing: what the call does, as in ``reading dbt_models``.
        :raises WarehouseError: it did not return in time, or the session was ended before; a retry may help.
        """
        if self._has_ended:
            raise WarehouseError(
                f"The {self.name} session was ended before {doing}. Nothing was committed. Retry with a new session."
            )
        limit = seconds or self._read_seconds
        future = self._start(function)
        self.progress()
        try:
            while not ends_within(future, min(limit, _SLICE_SECONDS)):
                if time.monotonic() - self._moved >= limit:
                    raise WarehouseError(
                        f"The {self.name} warehouse gave no answer for {limit:g} s while {doing}. Nothing was "
                        "committed. Check the network and the warehouse, and retry; if it is only slow, raise "
                        f"{setting} in the connection's extra."
                    )
            return future.result()
        except BaseException:
            # A time-out, or a signal: what waits no longer must not run on.
            if not future.done():
                self.break_off()
            raise

    def iterate(self, doing: str, batches: Generator[T, None, None]) -> Iterator[T]:
        """Yield what a generator yields, each item with its own deadline; also its clean-up has one."""
        try:
            while (item := self.run(doing, lambda: next(batches, None))) is not None:
                yield item
        finally:
            self.finish(batches.close)

    def progress(self) -> None:
        """Note that the call under way moves on, which starts its time-out again."""
        self._moved = time.monotonic()

    def finish(self, function: Callable[[], object]) -> None:
        """Clean up for a few seconds at most; that it failed helps nobody."""
        if self._has_ended and self._running is not None and not self._running.done():
            log.warning("abandoned a %s session whose driver does not return", self.name)
            return
        try:
            future = self._start(function)
        except RuntimeError:
            # The interpreter is shutting down and starts no thread: the operating system cleans up.
            return
        if ends_within(future, CLOSE_SECONDS):
            return
        future.cancel()
        self._sockets.shut_down()
        if self._running is not None and not ends_within(self._running, CANCEL_SECONDS):
            log.warning("abandoned a %s session that does not close", self.name)

    def break_off(self) -> None:
        """End the call under way, and the session: cancel it at the server, else shut down its sockets."""
        self._has_ended = True
        running = self._running
        if running is None or running.done():
            return
        if self.cancel is not None:
            cancelling = in_background(f"cancel-{self.name}", self._cancel, self.cancel)
            if ends_within(cancelling, CANCEL_SECONDS) and ends_within(running, CANCEL_SECONDS):
                return
        self._sockets.shut_down()
        ends_within(running, CANCEL_SECONDS)

    def _cancel(self, cancel: Callable[[], object]) -> None:
        with self._sockets.opening():
            cancel()

    def _start(self, function: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()

        def in_turn() -> None:
            with self._turn:
                if not future.set_running_or_notify_cancel():
                    return
                self._running = future
                try:
                    result = function()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)

        Thread(target=in_turn, name=f"session-{self.name}", daemon=True).start()
        return future


class Breakable(Protocol):
    """Something that waits for a server, and can be made to stop waiting from a signal handler."""

    def break_off(self) -> None:
        """End what is under way, within seconds."""
        ...


_BREAKABLE: WeakSet[Breakable] = WeakSet()


def register(waiting: Breakable) -> None:
    """Let :func:`break_off_all` end this."""
    _BREAKABLE.add(waiting)


def break_off_all() -> None:
    """End what this process waits for right now: a task that is killed leaves no query running."""
    # At once, not one after the other: Airflow waits 5 s before it kills, and a dead link takes 3 s of them.
    ending = [in_background("break-off", waiting.break_off) for waiting in list(_BREAKABLE)]
    for one in ending:
        ends_within(one, 3 * CANCEL_SECONDS)
