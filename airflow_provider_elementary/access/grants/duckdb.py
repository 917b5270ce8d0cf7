"""Exports the Elementary schema to its own DuckDB file."""

from __future__ import annotations

import shlex

from airflow_provider_elementary.access.grants.request import GrantRequest, commented
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.quoting import identifier, literal

_COPY = "elementary_only"


def statements(reader: GrantRequest) -> list[str]:
    """Return the statements; run them in the warehouse's file after each dbt run, then connect to the new file."""
    schema = identifier(reader.schema, "duckdb")
    source = f"{identifier(reader.database, 'duckdb')}.{schema}" if reader.database else schema
    path = f"{reader.schema}.duckdb".replace("/", "_")
    return [
        commented(
            f"ATTACH IF NOT EXISTS {literal(path, 'duckdb')} AS {_COPY};",
            "DuckDB has no roles: who may open a file reads all of it, so the schema moves to a file of its own.",
            f"In a shell, so that {reader.user} reads it and nobody else does:",
            f"  chgrp {shlex.quote(reader.role)} {shlex.quote(path)} && chmod 640 {shlex.quote(path)}",
        ),
        f"CREATE SCHEMA IF NOT EXISTS {_COPY}.{schema};",
        *_copies(source, schema),
        f"DETACH {_COPY};",
    ]


def _copies(source: str, schema: str) -> list[str]:
    copies = []
    for name in TABLES:
        copies.append(f"DROP TABLE IF EXISTS {_COPY}.{schema}.{name};")
        copies.append(f"CREATE TABLE {_COPY}.{schema}.{name} AS FROM {source}.{name};")
    return copies
