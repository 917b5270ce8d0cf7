"""Runs a TCP proxy that can stop forwarding, as a broken network does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread

from tests.servers import HOST

_PIECE = 16 * 1024


class StallingProxy:
    """The proxy while it runs.

    :param port: the port of 127.0.0.1 behind it.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_open = Event()
        self._is_open.set()
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._left: dict[str, int | None] = {"sent": None, "received": None}
        self._is_closed = False
        self.stalled_at: float | None = None
        Thread(target=self._accept, name="stalling-proxy", daemon=True).start()

    def stall(self) -> None:
        """Forward nothing from now on; connections stay open, and new ones are accepted in silence."""
        self._is_open.clear()
        self.stalled_at = self.stalled_at or time.monotonic()

    def stall_after(self, *, sent: int | None = None, received: int | None = None) -> None:
        """Stall once clients sent, or received, this number of bytes from now on."""
        with self._lock:
            self._left = {"sent": sent, "received": received}

    def resume(self) -> None:
        """Forward what waits, and everything from now on."""
        self._left = {"sent": None, "received": None}
        self.stalled_at = None
        self._is_open.set()

    def drop(self) -> None:
        """Close every connection through the proxy, as a network does that comes back after minutes."""
        with self._lock:
            for found in self._sockets:
                with suppress(OSError):
                    found.shutdown(socket.SHUT_RDWR)
                found.close()
            self._sockets.clear()

    def close(self) -> None:
        """Close every connection through the proxy, and refuse new ones."""
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        self._is_open.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._sockets.append(client)
            Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        # Servers that shake hands one after the other would be stalled for everybody by a silent connection.
        self._is_open.wait()
        if self._is_closed:
            return
        with suppress(OSError):
            server = socket.create_connection((HOST, self._behind))
            with self._lock:
                self._sockets.append(server)
            for source, target, way in ((client, server, "sent"), (server, client, "received")):
                Thread(target=self._forward, args=(source, target, way), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with suppress(OSError):
            while self._is_open.wait() and (piece := source.recv(_PIECE)):
                self._count(way, len(piece))
                self._is_open.wait()
                target.sendall(piece)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _count(self, way: str, size: int) -> None:
        with self._lock:
            left = self._left[way]
            if left is not None:
                self._left[way] = left = left - size
                if left < 0:
                    self.stall()


@contextmanager
def stalling_proxy(port: int) -> Iterator[StallingProxy]:
    """Run a proxy before a port of 127.0.0.1 in threads of this process until the block ends."""
    proxy = StallingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
