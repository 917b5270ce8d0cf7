"""Runs servers for tests on free ports of 127.0.0.1, and stops them."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
_STOP_SECONDS = 20.0


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which no server listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Return whether a server accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    is_ready: Callable[[], bool],
    stop_signal: signal.Signals = signal.SIGTERM,
    ready_seconds: float = 60.0,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as a child process until the block ends, however it ends.

    :param command: the server in the foreground, not a daemon.
    :param log: the file that takes its output; its end is quoted when the server does not come up.
    :param is_ready: asked every 50 ms until it says yes.
    :param stop_signal: what asks this server to stop at once; it is killed when that takes too long.
    :param ready_seconds: how long it may take to come up.
    :param user: the account to run as, where that is not our own; needs root.
    :param environment: its whole environment; ours by default.
    :param directory: its working directory; ours by default.
    :raises RuntimeError: the server ended or did not get ready in time.
    """
    # The kernel stops the server when the test process is killed and no `finally` runs.
    setpriv = shutil.which("setpriv")
    leash = [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"] if setpriv else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*leash, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=directory,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    try:
        _wait_until_ready(process, is_ready, ready_seconds, log)
        yield process
    finally:
        _stop(process, stop_signal)


def _wait_until_ready(
    process: subprocess.Popen[bytes], is_ready: Callable[[], bool], seconds: float, log: Path
) -> None:
    deadline = time.monotonic() + seconds
    while not is_ready():
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            state = f"ended with status {process.returncode}" if ended else f"was not ready after {seconds:.0f} s"
            raise RuntimeError(f"{process.args!r} {state}:\n{tail}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    if process.poll() is not None:
        return
    process.send_signal(stop_signal)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
