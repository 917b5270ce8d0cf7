"""Names the drivers of other warehouses, the servers of their protocols, and Airflow's connections to these."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import HOST
from tests.servers.athena import athena_server
from tests.servers.databricks import databricks_server
from tests.servers.engine import Engine
from tests.servers.trino import trino_server
from tests.support.drivers import DATABASE

Serve = Callable[[Path], AbstractContextManager[tuple[Engine, int]]]


@dataclass(frozen=True)
class Wire:
    """A driver, the server that it talks to, and Airflow's connection for a port."""

    key: str
    module: str
    serve: Serve
    connection: Callable[[int], dict[str, Any]]


def _trino(port: int) -> dict[str, Any]:
    return {"host": HOST, "port": port, "login": "elementary_sync", "extra": {"catalog": DATABASE}}


def _athena(port: int) -> dict[str, Any]:
    extra = {"endpoint_url": f"http://{HOST}:{port}", "region_name": "eu-west-1", "work_group": "elementary"}
    return {"login": "AKIA", "password": "secret-key", "extra": {**extra, "elementary_database": DATABASE}}


def _databricks(port: int) -> dict[str, Any]:
    extra = {"http_path": "/sql/1.0/warehouses/1", "catalog": DATABASE, "enable_telemetry": False}
    # The driver's own way to an address without TLS.
    extra["_connection_uri"] = f"http://{HOST}:{port}/sql/1.0/warehouses/1"
    return {"host": "localhost", "password": "dapi-token", "extra": extra}


WIRES = (
    Wire("trino", "trino", trino_server, _trino),
    Wire("athena", "pyathena", athena_server, _athena),
    Wire("databricks", "databricks.sql", databricks_server, _databricks),
)
