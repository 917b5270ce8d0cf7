"""Runs a mail server that keeps the mails it gets."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers import HOST


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """Run the server until the block ends.

    :return: its port, and the mails received so far, headers and all.
    """
    mails: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            while line := self.rfile.readline():
                verb = line.split(maxsplit=1)[0].upper() if line.strip() else b""
                if verb == b"DATA":
                    self.wfile.write(b"354 send the mail\r\n")
                    mails.append("".join(text.decode() for text in iter(self.rfile.readline, b".\r\n")))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")

    with socketserver.ThreadingTCPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], mails
        finally:
            server.shutdown()
