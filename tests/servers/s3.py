"""Runs a small S3 look-alike over TLS that keeps objects in memory and answers in a millisecond.

For runs of many thousand requests, where moto is too slow. It knows what a store asks for and nothing else: objects,
ranges, conditions, checksums, lists, uploads in parts. It checks no credentials. ``python -m tests.servers.s3
PORT CERTIFICATE KEY`` serves until it is ended.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import sys
import uuid
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.servers import HOST, free_port, is_listening, running
from tests.servers.aws import AwsServer
from tests.servers.certificates import Certificates

_PAGE = 1_000
_ENCRYPTION = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id")


@dataclass(frozen=True)
class _Object:
    content: bytes
    headers: Mapping[str, str]

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


@dataclass
class _Upload:
    key: str
    headers: Mapping[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


class _RefusedError(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class _Bucket:
    objects: dict[str, _Object] = field(default_factory=dict)
    uploads: dict[str, _Upload] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def put(self, key: str, content: bytes, headers: Mapping[str, str], kept: Mapping[str, str]) -> _Object:
        """Write an object under the conditions of the request."""
        with self.lock:
            there = self.objects.get(key)
            if "if-none-match" in headers and there is not None:
                raise _RefusedError(412, "PreconditionFailed")
            if (wanted := headers.get("if-match")) is not None:
                if there is None:
                    raise _RefusedError(404, "NoSuchKey")
                if there.etag.strip('"') != wanted.strip('"'):
                    raise _RefusedError(412, "PreconditionFailed")
            self.objects[key] = _Object(content, kept)
            return self.objects[key]

    def get(self, key: str) -> _Object:
        """Return an object."""
        if (found := self.objects.get(key)) is None:
            raise _RefusedError(404, "NoSuchKey")
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    bucket: _Bucket

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: answers are buffered."""
        went_well = super().handle_expect_100()
        self.wfile.flush()
        return went_well

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_DELETE(self) -> None:
        self._answer(self._delete)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing."""

    def _answer(self, act: Any) -> None:
        self.received = {name.lower(): value for name, value in self.headers.items()}
        self.body = self.rfile.read(int(self.received.get("content-length", 0)))
        parts = urlsplit(self.path)
        self.key = unquote(parts.path).partition("/")[2].partition("/")[2]
        self.values = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            status, headers, body = act()
        except _RefusedError as refused:
            status, headers = refused.status, {"Content-Type": "application/xml"}
            body = f"<Error><Code>{refused.code}</Code><Message>{refused.code}</Message></Error>".encode()
        self.send_response(status)
        length = headers.pop("Content-Length", str(len(body)))
        for name, value in {**headers, "Content-Length": length}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _get(self) -> tuple[int, dict[str, str], bytes]:
        if not self.key:
            return 200, {}, self._uploads() if "uploads" in self.values else self._list()
        found = self.bucket.get(self.key)
        headers = {"ETag": found.etag, "Last-Modified": self.date_time_string(), **found.headers}
        status, content = 200, found.content
        if (selected := self.received.get("range")) is not None:
            first, last = (int(each) for each in selected.removeprefix("bytes=").split("-"))
            if first >= len(content):
                raise _RefusedError(416, "InvalidRange")
            headers["Content-Range"] = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
            status, content = 206, content[first : last + 1]
        return status, {**headers, "Content-Length": str(len(content))}, content

    def _put(self) -> tuple[int, dict[str, str], bytes]:
        if (said := self.received.get("x-amz-checksum-sha256")) is not None and said != _checksum(self.body):
            raise _RefusedError(400, "BadDigest")
        if not self.key:
            return 200, {}, b""
        if (upload := self.values.get("uploadId")) is not None:
            self._upload(upload).parts[int(self.values["partNumber"])] = self.body
            return 200, {"ETag": _Object(self.body, {}).etag}, b""
        stored = self.bucket.put(self.key, self.body, self.received, self._kept())
        return 200, {"ETag": stored.etag, **stored.headers}, b""

    def _post(self) -> tuple[int, dict[str, str], bytes]:
        if "delete" in self.values:
            for named in ElementTree.fromstring(self.body).iter():  # noqa: S314 - of our own client
                if named.tag.endswith("Key"):
                    self.bucket.objects.pop(named.text or "", None)
            return 200, {}, b"<DeleteResult/>"
        if "uploads" in self.values:
            name = uuid.uuid4().hex
            self.bucket.uploads[name] = _Upload(self.key, self._kept())
            body = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            return 200, dict(self._kept()), body.encode()
        upload = self._upload(self.values["uploadId"])
        content = b"".join(upload.parts[number] for number in sorted(upload.parts))
        stored = self.bucket.put(self.key, content, self.received, upload.headers)
        del self.bucket.uploads[self.values["uploadId"]]
        etag = f"<ETag>{escape(stored.etag)}</ETag>"
        return 200, {}, f"<CompleteMultipartUploadResult>{etag}</CompleteMultipartUploadResult>".encode()

    def _delete(self) -> tuple[int, dict[str, str], bytes]:
        if (upload := self.values.get("uploadId")) is not None:
            self.bucket.uploads.pop(upload, None)
        else:
            self.bucket.objects.pop(self.key, None)
        return 204, {}, b""

    def _upload(self, name: str) -> _Upload:
        if (found := self.bucket.uploads.get(name)) is None:
            raise _RefusedError(404, "NoSuchUpload")
        return found

    def _kept(self) -> dict[str, str]:
        return {name: self.received[name] for name in _ENCRYPTION if name in self.received}

    def _list(self) -> bytes:
        prefix = self.values.get("prefix", "")
        names = sorted(key for key in list(self.bucket.objects) if key.startswith(prefix))
        after = self.values.get("continuation-token") or self.values.get("start-after", "")
        names = names[bisect_right(names, after) :]
        page, is_whole = names[:_PAGE], len(names) <= _PAGE
        contents = "".join(
            f"<Contents><Key>{quote(key)}</Key><Size>{len(self.bucket.objects[key].content)}</Size></Contents>"
            for key in page
        )
        more = "" if is_whole else f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        truncated = "false" if is_whole else "true"
        text = f"<EncodingType>url</EncodingType><IsTruncated>{truncated}</IsTruncated>{more}{contents}"
        return f"<ListBucketResult>{text}</ListBucketResult>".encode()

    def _uploads(self) -> bytes:
        found = "".join(
            f"<Upload><Key>{quote(upload.key)}</Key><UploadId>{name}</UploadId>"
            "<Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>"
            for name, upload in self.bucket.uploads.items()
        )
        text = f"<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{found}"
        return f"<ListMultipartUploadsResult>{text}</ListMultipartUploadsResult>".encode()


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


@contextmanager
def s3_server(directory: Path, certificates: Certificates) -> Iterator[AwsServer]:
    """Run the look-alike in a process of its own until the block ends; one bucket, whatever its name."""
    port = free_port()
    command = [sys.executable, "-m", "tests.servers.s3", str(port)]
    with running(
        [*command, str(certificates.certificate), str(certificates.key)],
        log=directory / "s3.log",
        is_ready=lambda: is_listening(port),
        directory=Path(__file__).parents[2],
    ):
        yield AwsServer(endpoint_url=f"https://{HOST}:{port}", ca=certificates.ca)


def main(arguments: list[str]) -> None:
    """Serve."""
    port, certificate, key = arguments
    _Handler.bucket = _Bucket()
    server = ThreadingHTTPServer((HOST, int(port)), _Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # The handshake is of the thread that reads first: one that is slow holds up nobody.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
