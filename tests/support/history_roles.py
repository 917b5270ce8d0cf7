"""Provides a database whose query history a second role reads."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import adbc_driver_postgresql.dbapi as adbc

from airflow_provider_elementary.access import AccessReport
from airflow_provider_elementary.query_history.access import check_history_access
from airflow_provider_elementary.query_history.grants import query_history_grants
from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
from tests.support.postgres_reader import VERIFIED

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

SCHEMA = "elementary_history"


@dataclass(frozen=True)
class Shop:
    """A database with a table, and the role that its grants created."""

    server: PostgresServer
    database: str
    role: str
    user: str
    password: str

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.execute(statement.format(**vars(self)), database=self.database)

    def grant(self) -> None:
        with self.server.connect(database=self.database) as connection:
            for statement in query_history_grants(
                "postgres", role=self.role, user=self.user, database=self.database, harden=True
            ):
                connection.execute(statement.encode())

    @contextmanager
    def session(self) -> Iterator[PostgresWarehouse]:
        connection = adbc.connect(self.server.uri(self.user, self.password, self.database))
        warehouse = PostgresWarehouse(connection, SCHEMA, self.database, VERIFIED)
        try:
            yield warehouse
        finally:
            warehouse.close()

    def check(self) -> AccessReport:
        with self.session() as session:
            return check_history_access(session)

    def failed(self) -> set[str]:
        return {finding.name for finding in self.check().failed}


@contextmanager
def history_shop(server: PostgresServer) -> Iterator[Shop]:
    """Create a database and the role of the grants; both are dropped at the end."""
    mark = uuid.uuid4().hex[:8]
    shop = Shop(server, f"history_{mark}", f"history_role_{mark}", f"history_user_{mark}", f"p{mark}")
    server.create_database(shop.database)
    shop.run("CREATE EXTENSION pg_stat_statements; CREATE SCHEMA shop; CREATE TABLE shop.orders (id int, email text)")
    shop.grant()
    shop.run("ALTER ROLE {user} PASSWORD '{password}'")
    try:
        yield shop
    finally:
        server.drop_database(shop.database)
        for role in (shop.user, shop.role, f"{shop.role}_owner"):
            server.drop_role(role)
