"""Runs a temporary PostgreSQL cluster with TLS and scram-sha-256."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from tests.servers import HOST, free_port, running
from tests.servers.certificates import Certificates

#: Members of this role, and nobody else, may connect without TLS: for tests of what happens then.
PLAINTEXT_ROLE = "may_connect_without_tls"
#: Members of this role have passwords as drivers without SCRAM want them: Redshift's is one.
MD5_ROLE = "has_an_md5_password"

_SETTINGS = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = '{directory}'
ssl = on
ssl_cert_file = '{directory}/server.pem'
ssl_key_file = '{directory}/server.key'
password_encryption = 'scram-sha-256'
max_connections = 60
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
shared_buffers = '128MB'
max_wal_size = '2GB'
timezone = 'UTC'
"""
_STATISTICS = "pg_stat_statements"
_HOST_BASED_AUTHENTICATION = f"""
hostssl   all +{MD5_ROLE} 127.0.0.1/32 md5
hostssl   all all              127.0.0.1/32 scram-sha-256
hostnossl all +{PLAINTEXT_ROLE} 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class PostgresServer:
    """A running cluster.

    :param port: where it listens on 127.0.0.1.
    :param password: of the superuser.
    :param ca: the authority that signed the server's certificate, in PEM.
    """

    port: int
    password: str = field(repr=False)
    ca: Path
    host: str = HOST
    superuser: str = "postgres"

    def connect(
        self,
        user: str | None = None,
        password: str | None = None,
        database: str = "postgres",
        sslmode: str = "verify-full",
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect with psycopg in autocommit; as the superuser where no user is named."""
        return psycopg.connect(self.uri(user, password, database, sslmode), autocommit=True)

    def execute(
        self, statement: str, parameters: Sequence[object] | None = None, *, database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run SQL as the superuser (several statements where there are no parameters); return the last one's rows."""
        with self.connect(database=database) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str) -> str:
        """Create an empty database that nobody but the superuser may enter, and return its name."""
        database = sql.Identifier(name)
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(database))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, and end the sessions that are connected to it."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def create_role(self, name: str, *, plaintext: bool = False, md5: bool = False) -> str:
        """Create a role that may log in and nothing else, and return its password.

        :param plaintext: the role may also connect without TLS.
        :param md5: its password is kept as MD5, for a driver without SCRAM.
        """
        password = secrets.token_urlsafe(12)
        role = sql.Identifier(name)
        with self.connect() as connection:
            if md5:
                connection.execute("SET password_encryption = 'md5'")
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
            for group in [PLAINTEXT_ROLE] * plaintext + [MD5_ROLE] * md5:
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), role))
        return password

    def drop_role(self, name: str, *, database: str = "postgres") -> None:
        """Drop a role with all that it owns or was granted in one database."""
        role = sql.Identifier(name)
        with self.connect(database=database) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))

    def uri(
        self,
        user: str | None = None,
        password: str | None = None,
        database: str = "postgres",
        sslmode: str = "verify-full",
    ) -> str:
        """Return a libpq URI for a role; for the superuser where no user is named."""
        name = self.superuser if user is None else user
        secret = self.password if user is None else password or ""
        options = urlencode(self._tls_options(sslmode), safe="/")
        return f"postgresql://{quote(name)}:{quote(secret)}@{self.host}:{self.port}/{quote(database)}?{options}"

    def airflow_connection(
        self,
        user: str | None = None,
        password: str | None = None,
        database: str = "postgres",
        sslmode: str = "verify-full",
        **extra: object,
    ) -> dict[str, object]:
        """Return what ``AIRFLOW_CONN_<ID>`` holds as JSON for a role; for the superuser where no user is named."""
        return {
            "conn_type": "postgres",
            "host": self.host,
            "port": self.port,
            "login": self.superuser if user is None else user,
            "password": self.password if user is None else password,
            "schema": database,
            "extra": {**self._tls_options(sslmode), **extra},
        }

    def _tls_options(self, sslmode: str) -> dict[str, str]:
        return {"sslmode": sslmode, **({"sslrootcert": str(self.ca)} if sslmode.startswith("verify") else {})}


def find_programs() -> Path | None:
    """Return the directory of PostgreSQL's server programs (the newest), or None where it is not installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def postgres_cluster(programs: Path, certificates: Certificates) -> Iterator[PostgresServer]:
    """Make a cluster, run it, and remove it at the end.

    :param programs: where ``initdb`` and ``postgres`` are.
    :param certificates: what the server shows; copied, since PostgreSQL wants to own its key.
    """
    # PostgreSQL refuses to run as root, and its user must be able to enter the directory: not below pytest's own,
    # which is closed to other users.
    user = "postgres" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = PostgresServer(port=free_port(), password=secrets.token_urlsafe(12), ca=certificates.ca)
        data = _make_cluster(programs, directory, server, certificates, user)
        with running(
            [str(programs / "postgres"), "-D", str(data)],
            log=directory / "log",
            is_ready=lambda: _accepts(server),
            stop_signal=signal.SIGINT,
            user=user,
            directory=directory,
        ):
            server.execute(
                f"CREATE ROLE {PLAINTEXT_ROLE}; CREATE ROLE {MD5_ROLE}; "
                "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC"
            )
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _make_cluster(
    programs: Path, directory: Path, server: PostgresServer, certificates: Certificates, user: str | None
) -> Path:
    password = directory / "password"
    password.write_text(server.password)
    shutil.copy(certificates.certificate, directory / "server.pem")
    shutil.copy(certificates.key, directory / "server.key")
    if user is not None:
        for path in (directory, *directory.iterdir()):
            shutil.chown(path, user, user)
    data = directory / "data"
    superuser = ["-U", server.superuser, "--pwfile", str(password), "-A", "scram-sha-256"]
    subprocess.run(
        [str(programs / "initdb"), "-D", str(data), *superuser, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=directory,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS.format(host=HOST, port=server.port, directory=directory))
        # Part of PostgreSQL's own distribution, and not of every package of it.
        if (programs.parent / "lib" / f"{_STATISTICS}.so").exists():
            settings.write(f"shared_preload_libraries = '{_STATISTICS}'\n")
    (data / "pg_hba.conf").write_text(_HOST_BASED_AUTHENTICATION)
    return data


def _accepts(server: PostgresServer) -> bool:
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return False
    return True
