"""Runs a TLS proxy that injects faults into requests to an AWS look-alike.

It also does what S3 does and moto does not: a body whose SHA-256 is not the one in its header is refused.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, urlsplit

from tests.servers import HOST
from tests.servers.aws import AwsServer
from tests.servers.certificates import Certificates

_CHECKSUM = "x-amz-checksum-sha256"
_NOT_PASSED_ON = frozenset({"expect", "connection", "content-length"})


@dataclass(frozen=True)
class Request:
    """A request as the client made it.

    :param operation: boto3's name of it, like ``UploadPart`` or ``GenerateDataKey``.
    """

    operation: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)


class ResetError(Exception):
    """The connection is to be reset now, after these bytes of the answer's body where there are any."""

    def __init__(self, answer: Answer | None = None, after: int = 0) -> None:
        super().__init__()
        self.answer = answer
        self.after = after


#: What happens in place of asking the server; may ask it.
Fault = Callable[[Request, Callable[[Request], Answer]], Answer]


def refuses(status: int, code: str) -> Fault:
    """Answer with an error, as S3 or KMS words it."""

    def fault(request: Request, ask: Callable[[Request], Answer]) -> Answer:
        if "x-amz-target" in request.headers:
            body = f'{{"__type": "{code}", "message": "injected"}}'.encode()
            return Answer(status, [("Content-Type", "application/x-amz-json-1.1")], body)
        return Answer(status, [("Content-Type", "application/xml")], f"<Error><Code>{code}</Code></Error>".encode())

    return fault


def resets(request: Request, ask: Callable[[Request], Answer]) -> Answer:
    """Reset the connection; the server does not get the request."""
    raise ResetError


def loses_the_answer(request: Request, ask: Callable[[Request], Answer]) -> Answer:
    """Pass the request to the server, and reset the connection."""
    ask(request)
    raise ResetError


def breaks_off(request: Request, ask: Callable[[Request], Answer]) -> Answer:
    """Reset the connection in the middle of the answer."""
    answer = ask(request)
    raise ResetError(answer, len(answer.body) // 2)


def stalls(seconds: float) -> Fault:
    """Answer late."""

    def fault(request: Request, ask: Callable[[Request], Answer]) -> Answer:
        time.sleep(seconds)
        return ask(request)

    return fault


def changes_a_byte(request: Request, ask: Callable[[Request], Answer]) -> Answer:
    """Change a byte of what the client sent."""
    body = bytearray(request.body)
    body[len(body) // 2] ^= 1
    return ask(Request(request.operation, request.method, request.target, request.headers, bytes(body)))


@dataclass
class _Planned:
    operation: str | None
    fault: Fault
    skip: int
    times: float


class FaultyAws:
    """The proxy while it runs.

    :param behind: the server that it asks.
    :param server: the same as reached through the proxy.
    """

    def __init__(self, behind: AwsServer, port: int) -> None:
        self.behind = behind
        self.server = AwsServer(f"https://{HOST}:{port}", behind.ca, behind.region)
        self.requests: list[Request] = []
        self._planned: list[_Planned] = []
        self._lock = Lock()
        self._trust = ssl.create_default_context(cafile=str(behind.ca))

    def plan(self, fault: Fault, operation: str | None = None, *, skip: int = 0, times: float = float("inf")) -> None:
        """Let a fault happen.

        :param operation: to requests of this operation; to all by default.
        :param skip: the number of such requests that pass before the first fault.
        :param times: how often it happens.
        """
        self._planned.append(_Planned(operation, fault, skip, times))

    def heal(self) -> None:
        """Remove the planned faults and the recorded requests."""
        self._planned.clear()
        self.requests.clear()

    def asked(self, operation: str) -> list[Request]:
        """Return the requests of an operation, those that failed included."""
        return [request for request in self.requests if request.operation == operation]

    def answer(self, request: Request) -> Answer:
        """Answer a request, by the server or by a fault."""
        with self._lock:
            self.requests.append(request)
            fault = self._next_fault(request.operation)
        return fault(request, self._ask) if fault else self._ask(request)

    def _next_fault(self, operation: str) -> Fault | None:
        for planned in self._planned:
            if planned.operation not in (None, operation) or planned.times < 1:
                continue
            if planned.skip:
                planned.skip -= 1
                continue
            planned.times -= 1
            return planned.fault
        return None

    def _ask(self, request: Request) -> Answer:
        promised = request.headers.get(_CHECKSUM)
        if promised is not None and base64.b64decode(promised) != hashlib.sha256(request.body).digest():
            return refuses(400, "BadDigest")(request, self._ask)
        behind = urlsplit(self.behind.endpoint_url)
        connection = http.client.HTTPSConnection(behind.hostname or "", behind.port, context=self._trust, timeout=60)
        try:
            passed_on = {name: value for name, value in request.headers.items() if name not in _NOT_PASSED_ON}
            connection.request(request.method, request.target, body=request.body, headers=passed_on)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()


@contextmanager
def faulty_aws(behind: AwsServer, certificates: Certificates) -> Iterator[FaultyAws]:
    """Run the proxy in threads of this process until the block ends.

    :param certificates: what it shows.
    """
    server = ThreadingHTTPServer((HOST, 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    faulty = _Handler.faulty = FaultyAws(behind, server.server_address[1])
    thread = Thread(target=server.serve_forever, name="faulty-aws", daemon=True)
    thread.start()
    try:
        yield faulty
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faulty: FaultyAws

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(_operation(self.command, self.path, headers), self.command, self.path, headers, body)
        try:
            answer = self.faulty.answer(request)
        except ResetError as error:
            if error.answer is not None:
                self._send(error.answer, error.after)
            self._reset()
            return
        self._send(answer, len(answer.body))

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _send(self, answer: Answer, until: int) -> None:
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers:
            if self.command == "HEAD" and name.lower() == "content-length":
                length = value
            elif name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(answer.body[:until])
        self.wfile.flush()

    def _reset(self) -> None:
        self.close_connection = True
        # A lingering time of zero makes closing a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def _operation(method: str, target: str, headers: dict[str, str]) -> str:
    if "x-amz-target" in headers:
        return headers["x-amz-target"].rpartition(".")[2]
    query = parse_qs(urlsplit(target).query, keep_blank_values=True)
    kinds = {
        ("PUT", "partNumber"): "UploadPart",
        ("POST", "uploads"): "CreateMultipartUpload",
        ("POST", "uploadId"): "CompleteMultipartUpload",
        ("DELETE", "uploadId"): "AbortMultipartUpload",
        ("GET", "list-type"): "ListObjectsV2",
    }
    named = [name for (verb, parameter), name in kinds.items() if verb == method and parameter in query]
    plain = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject", "POST": "Post"}
    return named[0] if named else plain[method]
