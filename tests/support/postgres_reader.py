"""Provides a PostgreSQL database with an Elementary schema and a reader that the grants created."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from airflow_provider_elementary.access import AccessReport, check_access, grants
from airflow_provider_elementary.access.check.session import StatementDeniedError, TransportFacts

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

VERIFIED = TransportFacts(True, None, True, "sslmode=verify-full")

SCHEMAS = """
CREATE SCHEMA elementary AUTHORIZATION {dbt};
CREATE SCHEMA raw;
CREATE SCHEMA closed;
CREATE TABLE raw.users (id int, email text);
INSERT INTO raw.users VALUES (1, 'someone@example.com');
CREATE TABLE closed.secrets (id int);
SET ROLE {dbt};
CREATE TABLE elementary.dbt_models (unique_id text);
INSERT INTO elementary.dbt_models VALUES ('model.one');
CREATE VIEW elementary.models AS SELECT unique_id FROM elementary.dbt_models;
RESET ROLE;
"""


class PsycopgSession:
    """A session as the access check wants it, over psycopg."""

    adapter = dialect = "postgres"
    database: str | None = None
    schema = "elementary"
    placeholder = "%s"

    def __init__(
        self, connection: psycopg.Connection[tuple[Any, ...]], transport: TransportFacts | None = VERIFIED
    ) -> None:
        self.transport = transport
        self._connection = connection

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement.encode(), parameters or None).fetchall()
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable) as error:
            raise StatementDeniedError(error.sqlstate) from None


@dataclass(frozen=True)
class Warehouse:
    """A database with an Elementary schema, its dbt role, and a reader that :func:`grants` made."""

    server: PostgresServer
    database: str
    other_database: str
    user: str
    role: str
    dbt: str
    wide: str
    password: str

    def run(self, sql: str, *, database: str | None = None) -> None:
        """Run SQL as the superuser; names in braces are this warehouse's."""
        self.server.execute(sql.format(**vars(self)), database=database or self.database)

    def grant(self, *, harden: bool = True) -> None:
        """Run the grants once more."""
        with self.server.connect(database=self.database) as connection:
            for statement in grants(
                "postgres",
                role=self.role,
                user=self.user,
                schema="elementary",
                database=self.database,
                dbt_role=self.dbt,
                harden=harden,
            ):
                connection.execute(statement.encode())

    def read(self, sql: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as the reader, in a transaction that may write: only its rights stand in the way."""
        with self.server.connect(self.user, self.password, database or self.database) as connection:
            connection.execute("SET default_transaction_read_only = off")
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def check(self, **arguments: Any) -> AccessReport:
        """Check the reader's access."""
        with self.server.connect(self.user, self.password, self.database) as connection:
            return check_access(PsycopgSession(connection), **arguments)

    def failed(self, **arguments: Any) -> set[str]:
        """Return the names of the checks that fail for the reader."""
        return {finding.name for finding in self.check(**arguments).failed}


@pytest.fixture(scope="module")
def other_database(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"other_{uuid.uuid4().hex[:8]}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def warehouse(postgres_server: PostgresServer, other_database: str) -> Iterator[Warehouse]:
    mark = uuid.uuid4().hex[:8]
    database = f"wh_{mark}"
    roles = {name: f"{name}_{mark}" for name in ("user", "role", "dbt", "wide")}
    warehouse = Warehouse(postgres_server, database, other_database, password=f"p{mark}", **roles)
    postgres_server.execute(f"CREATE DATABASE {database}")
    postgres_server.execute(f"GRANT CONNECT ON DATABASE {other_database} TO PUBLIC")
    warehouse.run("CREATE ROLE {dbt} LOGIN;" + SCHEMAS)
    warehouse.grant()
    # Roles that exist when the grants run keep what they had through PUBLIC; this one comes later.
    warehouse.run("CREATE ROLE {wide}; ALTER ROLE {user} PASSWORD '{password}'")
    yield warehouse
    postgres_server.drop_database(database)
    # What was granted on the cluster itself goes with the roles.
    of_all = ", ".join(roles.values())
    postgres_server.execute(f"DROP OWNED BY {of_all} CASCADE", database=other_database)
    postgres_server.execute(f"DROP OWNED BY {of_all}; DROP ROLE {of_all}")
