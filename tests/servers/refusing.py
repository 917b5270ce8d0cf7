"""Runs a server that ends a PostgreSQL login before the password."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.servers import HOST
from tests.servers.certificates import Certificates

Answer = Callable[[socket.socket], None]


def closes(client: socket.socket) -> None:
    """Close the connection after the first bytes."""
    client.recv(8)


def speaks_http(client: socket.socket) -> None:
    """Answer as a web server does that takes the bytes for a bad request."""
    client.recv(8)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def fatal(sqlstate: str, text: str) -> Answer:
    """Return an answer that declines TLS and then reports an error, as a server does before it asks for a password."""
    fields = (b"SFATAL", b"VFATAL", f"C{sqlstate}".encode(), f"M{text}".encode())
    body = b"".join(field + b"\0" for field in fields) + b"\0"

    def answer(client: socket.socket) -> None:
        client.recv(8)
        client.sendall(b"N")
        client.recv(4096)
        client.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)

    return answer


def shows_certificate(certificates: Certificates) -> Answer:
    """Return an answer that begins TLS with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)

    def answer(client: socket.socket) -> None:
        client.recv(8)
        client.sendall(b"S")
        context.wrap_socket(client, server_side=True).recv(4096)

    return answer


@contextmanager
def refusing_server(answer: Answer, address: str = HOST) -> Iterator[int]:
    """Answer every connection like this until the block ends; the value is the port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        thread = threading.Thread(target=_serve, args=(listener, answer), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            # Wakes up the accept that the thread waits in.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _serve(listener: socket.socket, answer: Answer) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, suppress(OSError):
            client.settimeout(10)
            answer(client)
