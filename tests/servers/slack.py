"""Runs a server that takes messages as the part of Slack's API that posts them."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers import HOST
from tests.servers.certificates import Certificates

TOKEN = "xoxb-1-token-of-the-app"
_LIMITS = {"header": 150, "section": 3000}


@dataclass
class Slack:
    """A workspace.

    :param port: where it listens.
    :param channels: ids by name.
    :param posted: the messages that it took, the oldest first, with their ``channel`` as an id and their ``ts``.
    :param busy: how many requests it answers with "too many", before it takes one.
    """

    port: int = 0
    channels: dict[str, str] = field(default_factory=lambda: {"#data-alerts": "C0DATA", "#finance": "C0FIN"})
    posted: list[dict[str, Any]] = field(default_factory=list)
    busy: int = 0

    def airflow_connection(self, token: str = TOKEN) -> dict[str, Any]:
        """Return a connection of type Slack API."""
        return {"conn_type": "slack", "password": token, "extra": {"base_url": f"https://localhost:{self.port}/api/"}}

    def delete(self, ts: str) -> None:
        """Delete a message, as a person does."""
        self.posted = [message for message in self.posted if message["ts"] != ts]

    def post(self, message: dict[str, Any]) -> dict[str, Any]:
        """Take a message, or answer what Slack answers: always with an ``ok``."""
        channel = self.channels.get(message["channel"], message["channel"])
        if channel not in self.channels.values():
            return {"ok": False, "error": "channel_not_found"}
        first = message.get("thread_ts")
        if first and (channel, first) not in {(each["channel"], each["ts"]) for each in self.posted}:
            return {"ok": False, "error": "thread_not_found"}
        if not message["text"] or not all(map(_is_valid, message["blocks"])):
            return {"ok": False, "error": "invalid_blocks"}
        ts = f"{1_764_417_600 + len(self.posted)}.{len(self.posted):06}"
        self.posted.append({**message, "channel": channel, "ts": ts})
        return {"ok": True, "channel": channel, "ts": ts, "message": {"text": message["text"], "ts": ts}}


def _is_valid(block: dict[str, Any]) -> bool:
    kinds = {"header": "plain_text", "section": "mrkdwn"}
    text = block["text"]
    return text["type"] == kinds[block["type"]] and 0 < len(text["text"]) <= _LIMITS[block["type"]]


@contextmanager
def slack_server(certificates: Certificates) -> Iterator[Slack]:
    """Run the server with TLS until the block ends."""
    slack = Slack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/api/chat.postMessage":
                self._answer(200, {"ok": False, "error": "unknown_method"})
            elif slack.busy:
                slack.busy -= 1
                self._answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "1"})
            elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._answer(200, {"ok": False, "error": "invalid_auth"})
            else:
                self._answer(200, slack.post(message))

        def _answer(self, status: int, answer: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            """Log nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        slack.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield slack
        finally:
            server.shutdown()
