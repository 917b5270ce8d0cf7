"""Writes Elementary schemas to test with into DuckDB, PostgreSQL, ClickHouse and fakesnow.

A world is a mapping of table names to Arrow tables: a small one, or the real one from the shared inputs.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import Connection, sql
from pyarrow import csv

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.elementary_schema.table_model import ColumnType
from airflow_provider_elementary.source import arrow_schema
from tests.support.little_project import World

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

_SQL_TYPES: dict[str, dict[ColumnType, str]] = {
    # What the dbt package declares on each adapter: ddl/columns_all_adapters.csv of the shared inputs.
    "duckdb": {
        "string": "VARCHAR",
        "float64": "FLOAT",
        "int64": "BIGINT",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
    },
    "postgres": {
        "string": "text",
        "float64": "double precision",
        "int64": "bigint",
        "boolean": "boolean",
        "timestamp": "timestamp without time zone",
    },
    "clickhouse": {
        "string": "Nullable(String)",
        "float64": "Nullable(Float64)",
        "int64": "Nullable(Int64)",
        "boolean": "Nullable(Bool)",
        "timestamp": "Nullable(DateTime64(6))",
    },
    "snowflake": {
        "string": "VARCHAR",
        "float64": "FLOAT",
        "int64": "INTEGER",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP_NTZ",
    },
}


#: Files that were written last, by schema and tables; a little project's tables are always the same objects.
_WRITTEN: dict[tuple[object, ...], tuple[list[pa.Table], bytes]] = {}
_FILES_KEPT = 16


def world_a(shared: Path) -> World:
    """Read the 17 tables of the real world A, whole, in the catalog's columns and types."""
    world = {}
    for name, table in TABLES.items():
        schema = arrow_schema(table, [column.name for column in table.columns])
        stored = pq.read_table(shared / "world" / "parquet" / f"{name}.parquet", columns=schema.names)
        world[name] = stored.cast(schema)
    return world


def many_metrics(rows: int, *, batch_rows: int = 50_000) -> pa.RecordBatchReader:
    """Stream rows of data_monitoring_metrics that nobody holds in memory: hourly buckets of a thousand series.

    From 2020 on, one row created every 3.6 seconds, so that each series has one row an hour, of a weekly shape.
    """
    schema = arrow_schema(
        TABLES["data_monitoring_metrics"], [column.name for column in TABLES["data_monitoring_metrics"].columns]
    )
    generated = duckdb.connect().sql(_MANY_METRICS, params={"rows": rows}).to_arrow_reader(batch_rows)
    batches = (batch.cast(schema) for batch in generated)
    return pa.RecordBatchReader.from_batches(schema, batches)


def write_duckdb(world: World, path: Path, schema: str = "elementary") -> Path:
    """Write a world into a schema of a DuckDB file, made where it is missing, and return the file's path."""
    if path.exists():
        _insert(world, path, schema)
        return path
    key = (schema, *((name, id(table)) for name, table in world.items()))
    if key not in _WRITTEN:
        _insert(world, path, schema)
        # The tables stay, so that no other gets the id of one.
        _WRITTEN[key] = [*world.values()], path.read_bytes()
        if len(_WRITTEN) > _FILES_KEPT:
            del _WRITTEN[next(iter(_WRITTEN))]
    else:
        path.write_bytes(_WRITTEN[key][1])
    return path


def _insert(world: World, path: Path, schema: str) -> None:
    # In small blocks, small tables make a small file; one that is open elsewhere has its own.
    with duckdb.connect(str(path), config={} if path.exists() else {"default_block_size": "16384"}) as connection:
        connection.execute(f'BEGIN; CREATE SCHEMA IF NOT EXISTS "{schema}"')
        for name, table in world.items():
            connection.execute(create_table("duckdb", name, f'"{schema}"."{name}"'))
            connection.register("incoming", table)
            connection.execute(f'INSERT INTO "{schema}"."{name}" SELECT * FROM incoming')
            connection.unregister("incoming")
        connection.execute("COMMIT")


def write_postgres(world: World, server: PostgresServer, database: str, schema: str = "elementary") -> None:
    """Write a world into a new schema of a PostgreSQL database, in the types that the catalog gives its columns."""
    with server.connect(database=database) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for name, table in world.items():
            place = sql.Identifier(schema, name).as_string(connection)
            connection.execute(create_table("postgres", name, place).encode())
            _copy(table.to_reader(), connection, schema, name)


def write_clickhouse(world: World, client: Any, schema: str = "elementary") -> None:
    """Write a world into a schema of ClickHouse, made where it is missing; ``client`` is one of clickhouse-connect."""
    client.command(f"CREATE DATABASE IF NOT EXISTS `{schema}`")
    for name, table in world.items():
        statement = create_table("clickhouse", name, f"`{schema}`.`{name}`")
        client.command(f"{statement} ENGINE = MergeTree ORDER BY tuple()")
        client.insert_arrow(name, table, database=schema)


def write_snowflake(world: World, server: SnowflakeServer, database: str, schema: str = "ELEMENTARY") -> None:
    """Write a world into a schema of fakesnow, made where it is missing; past the wire, straight into its DuckDB."""
    server.create_schema(database, schema)
    for name, table in world.items():
        server.execute(create_table("snowflake", name, f'"{database}"."{schema}"."{name.upper()}"'))
        server.insert(table.to_reader(), database, schema, name.upper())


def declare_postgres(server: PostgresServer, database: str, shared: Path) -> None:
    """Make schema ``elementary`` as dbt-postgres made it: real types, views and indexes, no rows."""
    statements = (shared / "world" / "ddl" / "postgres_schema.sql").read_text()
    _psql(server, database, statements.encode())


def restore_postgres(server: PostgresServer, database: str, shared: Path) -> None:
    """Restore the dump of the schema ``elementary`` that dbt-postgres wrote during two weeks."""
    _psql(server, database, lzma.decompress((shared / "world" / "elementary_pg15.sql.xz").read_bytes()))


def load_world_a_postgres(server: PostgresServer, database: str, shared: Path) -> None:
    """Load world A whole, all 70 days, into schema ``elementary`` in the types that dbt-postgres declares."""
    declare_postgres(server, database, shared)
    for name, table in world_a(shared).items():
        copy_postgres(table.to_reader(), server, database, "elementary", name)


def copy_postgres(reader: pa.RecordBatchReader, server: PostgresServer, database: str, schema: str, table: str) -> None:
    """Append Arrow batches to an existing PostgreSQL table by COPY, one batch in memory at a time."""
    with server.connect(database=database) as connection:
        _copy(reader, connection, schema, table)


def _copy(reader: pa.RecordBatchReader, connection: Connection[Any], schema: str, table: str) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, reader.schema.names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(schema, table), columns)
    # Every string is quoted and a null is not, which is how PostgreSQL distinguishes an empty string from a null.
    options = csv.WriteOptions(include_header=False)
    with connection.cursor().copy(statement) as copy:
        for batch in reader:
            lines = pa.BufferOutputStream()
            csv.write_csv(batch, lines, options)
            copy.write(lines.getvalue().to_pybytes())


def copy_duckdb_world(shared: Path, directory: Path, name: str = "world_a_elementary") -> Path:
    """Copy a DuckDB world (``world_a_elementary`` or ``world_a_with_raw``) into a directory, and return its path."""
    path = directory / f"{name}.duckdb"
    shutil.copyfile(shared / "world" / path.name, path)
    return path


def create_table(dialect: str, table: str, qualified_name: str) -> str:
    """Return the statement that makes one of the catalog's tables.

    :param dialect: ``duckdb``, ``postgres`` or ``snowflake``.
    :param table: the catalog's name of the table.
    :param qualified_name: the quoted name under which it is made.
    """
    types = _SQL_TYPES[dialect]
    case = str.upper if dialect == "snowflake" else str.lower
    columns = ", ".join(f'"{case(column.name)}" {types[column.type]}' for column in TABLES[table].columns)
    return f"CREATE TABLE {qualified_name} ({columns})"


def _psql(server: PostgresServer, database: str, script: bytes) -> None:
    from tests.servers.postgres import find_programs

    programs = find_programs()
    psql = str(programs / "psql") if programs else "psql"
    command = [psql, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--output", "/dev/null"]
    subprocess.run([*command, server.uri(database=database)], input=script, check=True, capture_output=True)


_MANY_METRICS = """
SELECT
    md5(n::VARCHAR) AS id,
    'SHOP.CORE.TABLE_' || lpad(((n % 1000) // 4)::VARCHAR, 3, '0') AS full_table_name,
    CASE WHEN n % 4 = 0 THEN NULL ELSE 'column_' || (n % 4) END AS column_name,
    CASE WHEN n % 4 = 0 THEN 'row_count' ELSE 'average' END AS metric_name,
    metric_name AS metric_type,
    round(1000 + 100 * sin(2 * pi() * (n // 1000) / 168) + hash(n) % 50, 3) AS metric_value,
    NULL AS source_value,
    TIMESTAMP '2020-01-01' + to_hours(n // 1000) AS bucket_start,
    bucket_start + to_hours(1) AS bucket_end,
    1 AS bucket_duration_hours,
    TIMESTAMP '2020-01-01 01:00:00' + to_microseconds(3600000 * n) AS updated_at,
    NULL AS dimension,
    NULL AS dimension_value,
    '{"time_bucket": {"count": 1, "period": "hour"}, "timestamp_column": "loaded_at", "where_expression": null}'
        AS metric_properties,
    TIMESTAMP '2020-01-01 01:00:00' + to_microseconds(3600000 * n) AS created_at
FROM range($rows) AS numbers(n)
"""
