"""A login that fails says in one sentence which of its causes it is, and never what the driver says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import duckdb
import pytest

from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ElementaryError,
    LoginRefusedError,
    WarehouseError,
)
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from tests.servers import free_port
from tests.servers.certificates import Certificates, issue_server_certificate
from tests.servers.refusing import closes, fatal, refusing_server, shows_certificate, speaks_http
from tests.support.connections import duckdb_file

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

Connect = Callable[[str, Mapping[str, object]], str]
Refusal = Callable[[Mapping[str, object]], ElementaryError]

SECRET = "wrong-pass-77"


@pytest.fixture
def refusal(airflow_connection: Connect) -> Refusal:
    """Return the error of a connection that cannot log in."""

    def refusal(connection: Mapping[str, object]) -> ElementaryError:
        with pytest.raises(ElementaryError) as raised:
            ElementaryHook(airflow_connection("reader", connection)).source()
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__ or raised.value.__context__ is None
        assert SECRET not in str(raised.value)
        return raised.value

    return refusal


class TestPostgres:
    @pytest.fixture
    def connection(self, postgres_server: PostgresServer, postgres_database: str) -> Iterator[dict[str, Any]]:
        role = f"role_{postgres_database}"
        password = postgres_server.create_role(role)
        postgres_server.execute(f'GRANT CONNECT ON DATABASE "{postgres_database}" TO "{role}"')
        yield postgres_server.airflow_connection(role, password, postgres_database)
        postgres_server.drop_role(role, database=postgres_database)

    @pytest.mark.parametrize(
        ("changed", "extra", "fact"),
        [
            ({"password": SECRET}, {}, "the server refused user 'role_.*' or its password"),
            ({"password": None}, {}, "the server asks for a password and the connection has none"),
            ({"login": "nobody"}, {}, "the server refused user 'nobody' or its password"),
            ({"schema": "nowhere"}, {}, "database 'nowhere' does not exist"),
            ({}, {"elementary_database": "nowhere"}, "database 'nowhere' does not exist"),
            ({}, {"sslrootcert": certifi.where()}, "signed by an authority that the connection does not trust"),
            ({}, {"sslrootcert": "/nowhere.pem"}, r"\(sslrootcert\) is missing or holds no certificate"),
            ({}, {"sslrootcert": __file__}, r"\(sslrootcert\) is missing or holds no certificate"),
            ({}, {"sslmode": "disable"}, "the server's access rules admit no login like this: by user 'role_.*' to"),
            ({}, {"sslmode": "verify"}, "a field of the connection has a value that the driver does not"),
            ({}, {"ssl_min_protocol_version": "TLSv9"}, "a field of the connection has a value that"),
            ({}, {"options": f"-c statement_timeout={SECRET}"}, "the server refuses a setting that the login asks for"),
            ({}, {"options": "-c no_such_setting=1"}, "the server refuses a setting that the login asks for"),
            ({}, {"options": "-c role=postgres"}, "the server refuses a setting that the login asks for"),
            ({}, {"target_session_attrs": "standby"}, "not of the kind that target_session_attrs asks for"),
        ],
    )
    def test_a_cause_that_no_retry_removes_is_named_and_permanent(
        self, changed: dict[str, Any], extra: dict[str, Any], fact: str, connection: dict[str, Any], refusal: Refusal
    ) -> None:
        error = refusal({**connection, **changed, "extra": {**connection["extra"], **extra}})

        assert error.permanent
        assert isinstance(error, LoginRefusedError)
        place = f"postgres at 127.0.0.1, port {connection['port']}"
        assert str(error).startswith(f"Cannot log in to the warehouse of connection 'reader' ({place}): ")
        assert re.search(fact, str(error))

    @pytest.mark.parametrize(
        ("statement", "permanent", "fact"),
        [
            ('ALTER ROLE "{role}" NOLOGIN', True, "user 'role_.*' may not log in"),
            ("ALTER ROLE \"{role}\" VALID UNTIL '2020-01-01'", True, "the password may also have expired"),
            ('ALTER ROLE "{role}" CONNECTION LIMIT 0', False, "no connection free for user 'role_.*'"),
            ('ALTER DATABASE "{database}" ALLOW_CONNECTIONS false', False, "accepts no connections now"),
            (
                'REVOKE CONNECT ON DATABASE "{database}" FROM "{role}"',
                True,
                "user 'role_.*' may not connect to database",
            ),
            (
                "ALTER ROLE \"{role}\" SET statement_timeout = '1ms'",
                False,
                r"queries that a login begins with \(SQLSTATE 57014\).*ALTER ROLE … SET statement_timeout",
            ),
        ],
    )
    def test_a_setting_of_the_role_is_named(
        self,
        statement: str,
        permanent: bool,
        fact: str,
        connection: dict[str, Any],
        postgres_server: PostgresServer,
        postgres_database: str,
        refusal: Refusal,
    ) -> None:
        postgres_server.execute(statement.format(role=connection["login"], database=postgres_database))

        error = refusal(connection)
        postgres_server.execute(f'ALTER DATABASE "{postgres_database}" ALLOW_CONNECTIONS true')

        assert error.permanent == permanent
        assert isinstance(error, WarehouseError)
        assert re.search(fact, str(error))


class TestTheWayToTheServer:
    """What stands between: a server that never gets to the password, spoken to as PostgreSQL."""

    CONNECTION: Mapping[str, Any] = {"conn_type": "postgres", "login": "reader", "password": SECRET, "schema": "dwh"}

    def test_a_host_that_does_not_resolve_is_named_and_may_be_retried(self, refusal: Refusal) -> None:
        error = refusal({**self.CONNECTION, "host": "no-such-host.invalid"})

        assert "(postgres at no-such-host.invalid): the host name does not resolve" in str(error)
        assert not error.permanent

    def test_a_port_that_nobody_listens_on_is_named_and_may_be_retried(self, refusal: Refusal) -> None:
        error = refusal({**self.CONNECTION, "host": "127.0.0.1", "port": (port := free_port())})

        assert f"(postgres at 127.0.0.1, port {port}): nothing accepts connections there" in str(error)
        assert not error.permanent

    def test_a_local_socket_that_is_not_there_is_named(self, refusal: Refusal) -> None:
        assert "there is no such local socket" in str(refusal({**self.CONNECTION, "host": "/no/such/directory"}))

    @pytest.mark.parametrize(
        ("answers", "permanent", "fact"),
        [
            (closes, False, "the server closed the connection during the login"),
            (speaks_http, True, "what answers there is not this kind of warehouse"),
            (fatal("57P03", "the database system is starting up"), False, "the server is starting up"),
            (fatal("57014", "canceling statement due to statement timeout"), False, "ALTER ROLE … SET statement_time"),
            (fatal("53300", "sorry, too many clients already"), False, "the server has no connection free"),
            (fatal("28P01", "Benutzer \u00bbreader\u00ab fehlgeschlagen"), True, "user 'reader' or its passw"),
            (fatal("3D000", "Datenbank \u00bbdwh\u00ab existiert nicht"), True, "database 'dwh' does not exist"),
            (fatal("28000", "Benutzer \u00bbreader\u00ab, Datenbank \u00bbdwh\u00ab"), True, "rules admit no login"),
            (fatal("XX000", f"secret {SECRET} in words of their own"), False, "a failure that it does not name"),
        ],
    )  # fmt: skip
    def test_what_answers_instead_of_asking_for_the_password_is_named(
        self, answers: Any, permanent: bool, fact: str, refusal: Refusal
    ) -> None:
        with refusing_server(answers) as port:
            error = refusal({**self.CONNECTION, "host": "127.0.0.1", "port": port, "extra": {"sslmode": "prefer"}})

        assert (error.permanent, fact in str(error)) == (permanent, True), str(error)

    @pytest.mark.parametrize("host", ["::1", "[::1]"])
    def test_an_address_of_ipv6_is_reached_with_and_without_brackets(self, host: str, refusal: Refusal) -> None:
        with refusing_server(fatal("57P03", "starting up"), address="::1") as port:
            error = refusal({**self.CONNECTION, "host": host, "port": port, "extra": {"sslmode": "prefer"}})

        assert f"(postgres at ::1, port {port}): the server is starting up" in str(error)

    @pytest.mark.parametrize(
        ("names", "days", "fact"),
        [
            (["elsewhere.example.com"], 2, "the server's certificate is for another host name"),
            (["localhost", "127.0.0.1"], -1, "the server's certificate has expired or is not valid yet"),
        ],
    )
    def test_what_is_wrong_with_the_certificate_is_named(
        self, names: list[str], days: int, fact: str, tmp_path: Path, refusal: Refusal
    ) -> None:
        shown = issue_server_certificate(tmp_path, names, days)
        with refusing_server(shows_certificate(shown)) as port:
            error = refusal(
                {**self.CONNECTION, "host": "127.0.0.1", "port": port, "extra": {"sslrootcert": str(shown.ca)}}
            )

        assert (error.permanent, fact in str(error)) == (True, True), str(error)

    def test_a_server_without_tls_is_named(self, refusal: Refusal) -> None:
        with refusing_server(fatal("57P03", "starting up")) as port:
            error = refusal({**self.CONNECTION, "host": "127.0.0.1", "port": port})

        assert "the server does not offer TLS" in str(error)

    def test_a_host_field_that_holds_more_than_a_name_is_not_repeated(self, refusal: Refusal) -> None:
        for host in (f"postgresql://reader:{SECRET}@db/dwh", f"postgresql://reader:{SECRET}/dwh", f"reader:{SECRET}"):
            assert "a host that is no plain name" in str(
                refusal({**self.CONNECTION, "host": host, "port": free_port()})
            )


class TestRedshift:
    """Redshift's own driver, before PostgreSQL, which says what Redshift says; its words come with SQLSTATE."""

    @pytest.fixture
    def connection(
        self,
        postgres_server: PostgresServer,
        postgres_database: str,
        certificates: Certificates,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[dict[str, Any]]:
        from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

        # Airflow's hook tries five times, and waits 15 seconds in between.
        monkeypatch.setattr(RedshiftSQLHook.get_conn.retry, "sleep", lambda seconds: None)
        role = f"redshift_{postgres_database}"
        password = postgres_server.create_role(role, md5=True)
        postgres_server.execute(f'GRANT CONNECT ON DATABASE "{postgres_database}" TO "{role}"')
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
        connection = postgres_server.airflow_connection(role, password, postgres_database)
        yield {**connection, "conn_type": "redshift", "extra": {}}
        postgres_server.drop_role(role, database=postgres_database)

    @pytest.mark.parametrize(
        ("changed", "permanent", "fact"),
        [
            ({"password": SECRET}, True, r"refused user 'redshift_.*' or its password \(SQLSTATE 28P01\)"),
            ({"schema": "nowhere"}, True, r"database 'nowhere' does not exist \(SQLSTATE 3D000\)"),
            ({"host": "no-such-host.invalid"}, False, "the host name does not resolve"),
            ({"host": "::1"}, True, "the driver of this warehouse cannot use an IPv6 address"),
            ({"port": 1}, False, "nothing accepts connections there"),
        ],
    )
    def test_the_cause_is_named(
        self, changed: dict[str, Any], permanent: bool, fact: str, connection: dict[str, Any], refusal: Refusal
    ) -> None:
        error = refusal({**connection, **changed})

        assert re.search(fact, str(error)), str(error)
        assert error.permanent == permanent

    def test_an_authority_that_is_not_trusted_is_named(
        self, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch, refusal: Refusal
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", certifi.where())

        assert "signed by an authority that the connection does not trust" in str(refusal(connection))


class TestSnowflake:
    @pytest.mark.parametrize(
        ("code", "message", "fact"),
        [
            (
                "390100",
                "Incorrect username or password was specified.",
                "the server refused user 'admin' or its password",
            ),
            ("390101", "User access disabled.", "the account of user 'admin' is locked or disabled"),
            ("390102", "Your user account has been temporarily locked.", "is locked or disabled"),
            ("390106", "Password expired.", "the password of user 'admin' has expired"),
            ("390144", "JWT token is invalid.", "the server refused the key pair of user 'admin'"),
            ("394304", "JWT token: fingerprint mismatch.", "the server refused the key pair of user 'admin'"),
            (
                "390189",
                "Role 'R' specified in the connect string does not exist.",
                "role 'ACCOUNTADMIN' does not exist",
            ),
            ("390201", "The requested database does not exist.", "does not exist or is not granted"),
            ("390303", "Invalid OAuth access token.", "the server refused the token"),
            ("394400", "Programmatic access token is invalid.", "the server refused the token"),
            ("390422", "IP 192.0.2.1 is not allowed to access Snowflake.", "no login from this worker's address"),
            (
                "390999",
                "Your user account has been temporarily locked due to too many failed attempts.",
                "is locked or",
            ),
        ],
    )
    def test_the_error_number_says_which_cause_it_is(
        self, code: str, message: str, fact: str, snowflake_server: SnowflakeServer, refusal: Refusal
    ) -> None:
        snowflake_server.refusals.append((f"{message} {SECRET}", code))

        error = refusal(snowflake_server.airflow_connection())

        assert error.permanent
        assert fact in str(error)
        assert f"(error {code})" in str(error)

    def test_a_private_key_that_does_not_open_is_named(
        self, snowflake_server: SnowflakeServer, refusal: Refusal
    ) -> None:
        connection = snowflake_server.airflow_connection(private_key_content=f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n")

        assert "the private key of the connection cannot be opened" in str(refusal(connection))


class TestDuckDB:
    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path, refusal: Refusal) -> None:
        error = refusal(duckdb_file(tmp_path / "missing.duckdb"))

        assert str(error).startswith(f"There is no file {tmp_path}/missing.duckdb on this worker")
        assert error.permanent

    @pytest.mark.parametrize("content", [b"", b"PAR1", b"SQLite format 3\0" * 500, b"not a database " * 1000])
    def test_a_file_of_another_kind_is_named(self, content: bytes, tmp_path: Path, refusal: Refusal) -> None:
        (tmp_path / "other").write_bytes(content)

        error = refusal(duckdb_file(tmp_path / "other"))

        assert f"{tmp_path}/other is not a DuckDB database" in str(error)
        assert error.permanent

    def test_a_directory_is_named(self, tmp_path: Path, refusal: Refusal) -> None:
        assert f"{tmp_path} is a directory" in str(refusal(duckdb_file(tmp_path)))

    def test_a_damaged_file_is_named(self, tmp_path: Path, refusal: Refusal) -> None:
        path = tmp_path / "damaged.duckdb"
        duckdb.connect(str(path)).close()
        path.write_bytes(path.read_bytes()[:4096] + b"x" * 8192)

        error = refusal(duckdb_file(path))

        assert f"{path} is a damaged DuckDB file" in str(error)
        assert error.permanent

    def test_a_file_without_its_end_is_damaged(self, tmp_path: Path, refusal: Refusal) -> None:
        path = tmp_path / "short.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE rows AS SELECT range AS id, repeat('x', 100) AS text FROM range(100_000)")
        path.write_bytes(path.read_bytes()[:20_000])

        assert f"{path} is a damaged DuckDB file" in str(refusal(duckdb_file(path)))

    def test_a_file_that_another_process_writes_is_named_and_may_be_retried(
        self, tmp_path: Path, refusal: Refusal
    ) -> None:
        path = tmp_path / "busy.duckdb"
        writer = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", writer], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            error = refusal(duckdb_file(path))
            process.communicate()

        assert f"{path} is locked: another process has it open for writing" in str(error)
        assert not error.permanent


def test_a_type_whose_provider_is_not_installed_is_named(refusal: Refusal) -> None:
    error = refusal({"conn_type": "vertica", "host": "db.example.com", "login": "reader", "password": SECRET})

    assert isinstance(error, ConfigurationError)
    assert str(error).startswith("Airflow has no SQL hook for connection 'reader' of type 'vertica' on this worker")
