"""Runs a gate before PostgreSQL that lets Redshift's driver in: PostgreSQL refuses settings that it does not know."""

from __future__ import annotations

import asyncio
import re
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.servers import HOST
from tests.servers.certificates import Certificates

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
#: What PostgreSQL knows of what the driver says at login; the others are Redshift's own.
_KNOWN = (b"user", b"database", b"application_name")
_VERSION = re.compile(rb"(server_version\0[\d.]+)( [^\0]*)\0")
#: More than any message, so that no reader has to be paused.
_LIMIT = 2**26


@contextmanager
def redshift_gate(port: int, certificates: Certificates) -> Iterator[int]:
    """Pass on what comes over TLS to the PostgreSQL on a port until the block ends; yield the gate's own port."""
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(certificates.certificate, certificates.key)
    trusted = ssl.create_default_context(cafile=str(certificates.ca))

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(_SSL_REQUEST))
        writer.write(b"S")
        await writer.start_tls(shown)
        (size,) = struct.unpack("!i", await reader.readexactly(4))
        login = await reader.readexactly(size - 4)
        texts = login[4:].split(b"\0")
        kept = [part for pair in zip(texts[::2], texts[1::2], strict=False) if pair[0] in _KNOWN for part in pair]
        login = login[:4] + b"\0".join(kept) + b"\0\0"

        inner_reader, inner_writer = await asyncio.open_connection(HOST, port, limit=_LIMIT)
        inner_writer.write(_SSL_REQUEST)
        await inner_reader.readexactly(1)
        await inner_writer.start_tls(trusted, server_hostname="localhost")
        inner_writer.write(struct.pack("!i", len(login) + 4) + login)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer, rewrite=_plain_version))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(enter, HOST, 0, limit=_LIMIT))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        waiting = asyncio.all_tasks(loop)
        for task in waiting:
            task.cancel()
        # Of nothing, gather makes a future of another loop.
        if waiting:
            loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        loop.close()


def _plain_version(data: bytes) -> bytes:
    """Return what PostgreSQL says with its version padded: the driver reads a number, and Debian says more."""
    return _VERSION.sub(lambda found: found[1] + b" " * len(found[2]) + b"\0", data)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rewrite: Callable[[bytes], bytes] = bytes
) -> None:
    # A side that hangs up ends the other too.
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(2**16):
            writer.write(rewrite(data))
            await writer.drain()
    writer.close()
