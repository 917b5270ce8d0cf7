"""Runs Ceph's S3 gateway over TLS, with one monitor and one storage daemon in memory: a real S3, not a look-alike.

Debian's packages `radosgw`, `ceph-mon` and `ceph-osd` have the programs. Ceph 16 has its limits, for which
:data:`CEPH_CONFIG` and :data:`CEPH_KMS_KEY` are: no checksums in trailers, and SSE-KMS only.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from botocore.config import Config

from tests.servers import HOST, free_port, is_listening, running
from tests.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer
from tests.servers.certificates import Certificates

_PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
#: The key with which the gateway encrypts objects.
CEPH_KMS_KEY = "testkey-1"
CEPH_CONFIG = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
_READY_SECONDS = 120.0

_SETTINGS = """
[global]
fsid = {cluster}
mon initial members = a
mon host = v2:{host}:{monitor}
public addr = {host}
cluster addr = {host}
ms bind msgr1 = false
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
run dir = {directory}
admin socket = {directory}/$name.asok
log file = {directory}/$name.log
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 4294967296
osd class dir = {classes}

[mon]
mon data = {directory}/mon

[osd]
osd data = {directory}/osd

[client.rgw.a]
rgw data = {directory}/rgw
rgw frontends = beast ssl_endpoint={host}:{gateway} ssl_certificate={directory}/both.pem
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = {kms_key}={secret}
"""


def ceph_is_installed() -> bool:
    """Return whether all of Ceph's programs are here."""
    return all(shutil.which(program) for program in _PROGRAMS)


@contextmanager
def ceph_server(certificates: Certificates) -> Iterator[AwsServer]:
    """Make a cluster with one user, run it, and remove it at the end."""
    # The path of a socket has at most 107 bytes: not below pytest's own directory.
    directory = Path(tempfile.mkdtemp(prefix="ceph-"))
    cluster = _Cluster(directory, monitor=free_port(), gateway=free_port())
    try:
        (directory / "both.pem").write_bytes(certificates.certificate.read_bytes() + certificates.key.read_bytes())
        cluster.make()
        with ExitStack() as servers:
            for server in cluster.servers():
                servers.enter_context(server)
            yield AwsServer(endpoint_url=f"https://{HOST}:{cluster.gateway}", ca=certificates.ca, region="us-east-1")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class _Cluster:
    """A cluster in a directory, with the ports of its monitor and its gateway."""

    directory: Path
    monitor: int
    gateway: int

    def make(self) -> None:
        """Write the settings and make the monitor."""
        identity = str(uuid.uuid4())
        self._settings.write_text(
            _SETTINGS.format(
                cluster=identity,
                host=HOST,
                monitor=self.monitor,
                gateway=self.gateway,
                directory=self.directory,
                classes=next(Path("/usr/lib").glob("*/rados-classes"), "/usr/lib/rados-classes"),
                kms_key=CEPH_KMS_KEY,
                secret=base64.b64encode(bytes(range(32))).decode(),
            )
        )
        for folder in ("mon", "osd", "rgw"):
            (self.directory / folder).mkdir()
        monmap, address = str(self.directory / "monmap"), f"[v2:{HOST}:{self.monitor}]"
        self._run("monmaptool", "--create", "--fsid", identity, "--addv", "a", address, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)

    def servers(self) -> Iterator[AbstractContextManager[object]]:
        """Yield the servers, each to be run before the next is asked for."""
        yield self._server("ceph-mon", "-i", "a", port=self.monitor)
        self._run("ceph", "osd", "create")
        self._run("ceph-osd", "-i", "0", "--mkfs")
        yield self._server("ceph-osd", "-i", "0", port=self.monitor)
        user = ("--uid", "test", "--display-name", "test", "--access-key", ACCESS_KEY, "--secret", SECRET_KEY)
        self._run("radosgw-admin", "user", "create", *user)
        yield self._server("radosgw", "-n", "client.rgw.a", port=self.gateway)

    @property
    def _settings(self) -> Path:
        return self.directory / "ceph.conf"

    def _run(self, program: str, *arguments: str) -> None:
        command = [program, "-c", str(self._settings), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=_READY_SECONDS)

    def _server(self, program: str, *arguments: str, port: int) -> AbstractContextManager[object]:
        return running(
            [program, "-f", "-c", str(self._settings), *arguments],
            log=self.directory / f"{program}.out",
            is_ready=lambda: is_listening(port),
            ready_seconds=_READY_SECONDS,
        )
