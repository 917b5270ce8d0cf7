"""Runs a server that records what is posted to it, as a webhook."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers import HOST

#: What Slack's and Opsgenie's clients take for success.
_ANSWER = json.dumps({"ok": True, "result": "Request will be processed", "took": 0.1, "requestId": "1"}).encode()


@dataclass
class Webhook:
    """What the server got, and what it answers.

    :param port: where it listens.
    :param posted: the path and the JSON document of each request that it took, the oldest first.
    :param status: what it answers; what it answers with an error is not kept.
    """

    port: int = 0
    posted: list[tuple[str, Any]] = field(default_factory=list)
    status: int = 200

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://{HOST}:{self.port}"

    def airflow_connection(self) -> dict[str, Any]:
        """Return a connection for Airflow's HTTP notifier."""
        return {"conn_type": "http", "host": f"http://{HOST}", "port": self.port}


@contextmanager
def webhook_server() -> Iterator[Webhook]:
    """Run the server until the block ends."""
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if webhook.status < 400:
                webhook.posted.append((self.path, json.loads(content)))
            self.send_response(webhook.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(_ANSWER)))
            self.end_headers()
            self.wfile.write(_ANSWER)

        def log_message(self, *arguments: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        webhook.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield webhook
        finally:
            server.shutdown()
