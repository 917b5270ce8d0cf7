"""Runs ``airflow-elementary`` in forks of one process that has imported Airflow, which takes seconds.

``python -m tests.servers.commands SOCKET`` serves. Each command imports this package again, as its script does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [request[:1]], [0, 1, 2])
    server.sendall(request[1:])
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(16) or b"70"))
"""


@contextmanager
def command_server(folder: Path) -> Iterator[Path]:
    """Serve until the block ends.

    :return: a folder for the start of ``PATH``, with the program that asks the server.
    """
    from tests.servers import running

    address = folder / "socket"
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "airflow-elementary"
    program.write_text(_CLIENT.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    command = [sys.executable, "-m", "tests.servers.commands", str(address)]
    root = Path(__file__).parents[2]
    with running(command, log=folder / "log", is_ready=address.exists, ready_seconds=240, directory=root):
        yield programs


def serve(address: Path) -> None:
    """Answer each client in a fork."""
    from airflow_provider_elementary.cli.airflow_context import enable_metadata_db_connections

    # What each command does first; it imports Airflow.
    enable_metadata_db_connections()
    # Nobody waits for a fork that answers; it waits for its command.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen()
        Path(f"{address}.new").rename(address)
        while True:
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(client)
            client.close()


def _answer(client: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    start, streams, _, _ = socket.recv_fds(client, 1, 3)
    request = b"".join([start, *iter(lambda: client.recv(1 << 16), b"")])
    command = os.fork()
    if command == 0:
        client.close()
        _run(streams, *json.loads(request))
    _, status = os.waitpid(command, 0)
    client.sendall(str(os.waitstatus_to_exitcode(status) % 256).encode())
    os._exit(0)


def _run(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = arguments
    from airflow_provider_elementary.cli.main import program

    try:
        program()
    finally:
        os._exit(70)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
