"""Lists every warehouse with its facts, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_elementary.warehouses import connection_fields as fields
from airflow_provider_elementary.warehouses.connection_fields import ConnectionForm
from airflow_provider_elementary.warehouses.drivers import Driver
from airflow_provider_elementary.warehouses.kind import (
    CHECK,
    GRANTS,
    OPEN,
    OPEN_DBAPI,
    KnownFailure,
    Proof,
    QueryHistory,
    WarehouseKind,
)

_SPARK_HEAP = "Raise spark.driver.memory of the Thrift server, start it again and retry."

_ROWS = (
    WarehouseKind(
        "snowflake",
        "Snowflake",
        dialect="snowflake",
        adapters=("snowflake",),
        connection_types=("snowflake",),
        form=ConnectionForm(
            hidden=("host", "port", "schema"),
            labels=(("login", "User"), ("password", "Password, or passphrase of the private key")),
            placeholders=(("login", "ELEMENTARY_READER"),),
            fields=fields.SNOWFLAKE,
        ),
        opener=f"{OPEN}:open_snowflake",
        inspector=f"{CHECK}.snowflake",
        grants=f"{GRANTS}.snowflake",
        driver=Driver(has_own_session=True),
        reading=Proof("stand-in", "fakesnow, with roles and chunked results added"),
        access=Proof("stand-in", "fakesnow, with roles added after the documentation"),
        namespace="account",
        scheme="snowflake",
        counts_rows_for_free=True,
        has_read_timeout=True,
        history=QueryHistory(
            '{database}.{schema}."QUERY_HISTORY"',
            schema="ELEMENTARY_HISTORY",
            is_own=True,
            delay=45,
            finished=("success",),
            proof=Proof("stand-in", "fakesnow, a table with the columns of the documentation"),
        ),
    ),
    WarehouseKind(
        "postgres",
        "PostgreSQL",
        dialect="postgres",
        adapters=("postgres",),
        connection_types=("postgres",),
        form=ConnectionForm(
            placeholders=(("host", "db.example.com"), ("port", "5432"), ("login", "elementary_reader")),
            fields=fields.POSTGRES,
        ),
        opener=f"{OPEN}:open_postgres_warehouse",
        inspector=f"{CHECK}.postgres",
        grants=f"{GRANTS}.postgres",
        driver=Driver("$", "list", has_own_session=True),
        extra="postgres",
        reading=Proof("real engine", "PostgreSQL 15"),
        access=Proof("real engine", "PostgreSQL 15"),
        namespace="host and port",
        scheme="postgres",
        port=5432,
        driver_port=5432,
        default_host="localhost",
        keeps_locks=True,
        has_one_view=True,
        has_pg_catalog=True,
        counts_changes=True,
        uses_youngs_cramer=True,
        history=QueryHistory(
            "{schema}.query_history",
            schema="elementary_history",
            is_own=True,
            is_cumulative=True,
            delay=0,
            proof=Proof("real engine", "PostgreSQL 15, pg_stat_statements 1.10"),
        ),
    ),
    WarehouseKind(
        "redshift",
        "Redshift",
        dialect="redshift",
        adapters=("redshift",),
        connection_types=("redshift",),
        form=ConnectionForm(
            placeholders=(
                ("host", "dwh.abc123.eu-central-1.redshift.amazonaws.com"),
                ("port", "5439"),
                ("login", "elementary_reader"),
            ),
            fields=fields.REDSHIFT,
        ),
        opener=f"{OPEN}:open_redshift",
        inspector=f"{CHECK}.redshift",
        grants=f"{GRANTS}.redshift",
        driver=Driver(parameters="list", has_sql_cursors=True),
        extra="redshift",
        reading=Proof("stand-in", "PostgreSQL 15, through Redshift's own driver"),
        namespace="host and port",
        scheme="redshift",
        port=5439,
        driver_port=5439,
        keeps_locks=True,
        history=QueryHistory("sys_query_history", schema="pg_catalog", finished=("success",)),
    ),
    WarehouseKind(
        "duckdb",
        "DuckDB",
        dialect="duckdb",
        adapters=("duckdb",),
        connection_types=("duckdb",),
        form=ConnectionForm(
            hidden=("schema", "port", "login", "password"),
            labels=(("host", "Path of the DuckDB file"),),
            placeholders=(("host", "/data/observability.duckdb"),),
            # The file is the database.
            asks_database=False,
        ),
        opener=f"{OPEN}:open_duckdb",
        inspector=f"{CHECK}.duckdb",
        grants=f"{GRANTS}.duckdb",
        driver=Driver("?", "list", has_own_session=True),
        reading=Proof("real engine", "DuckDB"),
        access=Proof("real engine", "DuckDB"),
        namespace="path",
        scheme="duckdb",
        counts_rows_for_free=True,
        has_read_timeout=True,
    ),
    WarehouseKind(
        "bigquery",
        "BigQuery",
        dialect="bigquery",
        adapters=("bigquery",),
        connection_types=("gcpbigquery",),
        form=ConnectionForm(
            hidden=("host", "schema", "port", "login", "password"),
            labels=(),
            placeholders=(),
            fields=fields.BIGQUERY,
        ),
        opener=f"{OPEN}:open_bigquery",
        inspector=f"{CHECK}.bigquery",
        grants=f"{GRANTS}.bigquery",
        driver=Driver("@p1", "dict", has_transactions=False, has_own_session=True),
        extra="bigquery",
        reading=Proof(
            "stand-in", "a server of its REST protocol over DuckDB, through Google's client; never the Storage Read API"
        ),
        access=Proof("stand-in", "the check, over that server, which answers as documented; the grants never"),
        system_catalog="the dataset's INFORMATION_SCHEMA",
        namespace="scheme alone",
        scheme="bigquery",
        counts_rows_for_free=True,
        instants=("timestamp",),
        sorts_nulls_first=True,
        week_starts_on_sunday=True,
        # The schema is the region: a project's list of jobs belongs to one.
        history=QueryHistory("{database}.{schema}.INFORMATION_SCHEMA.JOBS", schema="region-us", finished=("done",)),
    ),
    WarehouseKind(
        "databricks",
        "Databricks",
        dialect="databricks",
        adapters=("databricks",),
        connection_types=("databricks",),
        form=ConnectionForm(
            hidden=("schema", "port"),
            labels=(("login", "Client id of the service principal"), ("password", "Access token, or client secret")),
            placeholders=(("host", "adb-1234567890.1.azuredatabricks.net"),),
            fields=fields.DATABRICKS,
        ),
        opener=f"{OPEN_DBAPI}:open_databricks",
        inspector=f"{CHECK}.databricks",
        hook="airflow.providers.databricks.hooks.databricks_sql:DatabricksSqlHook",
        grants=f"{GRANTS}.databricks",
        driver=Driver("?", "list", has_transactions=False, arrow="fetchmany_arrow", batch_rows=50_000),
        extra="databricks",
        reading=Proof("stand-in", "a server of its Thrift protocol over DuckDB, through Databricks' own driver"),
        access=Proof("stand-in", "the check, over that server, which answers as documented; the grants never"),
        system_catalog="the database's information_schema",
        table_types=("MANAGED", "EXTERNAL", "BASE TABLE"),
        databases_without_information_schema=("hive_metastore", "spark_catalog"),
        namespace="host",
        scheme="databricks",
        counts_rows_for_free=True,
        instants=("timestamp",),
        sorts_nulls_first=True,
        history=QueryHistory(
            "system.query.history", schema="query", database="system", delay=60, finished=("finished",)
        ),
    ),
    WarehouseKind(
        "clickhouse",
        "ClickHouse",
        dialect="clickhouse",
        adapters=("clickhouse",),
        connection_types=("clickhouse",),
        form=ConnectionForm(
            placeholders=(("host", "clickhouse.example.com"), ("port", "8443"), ("login", "elementary_reader")),
            fields=fields.CLICKHOUSE,
            # ClickHouse has no level above the schema.
            asks_database=False,
        ),
        opener=f"{OPEN}:open_clickhouse",
        inspector=f"{CHECK}.clickhouse",
        grants=f"{GRANTS}.clickhouse",
        driver=Driver("%(p1)s", "dict", has_transactions=False, has_own_session=True),
        extra="clickhouse",
        reading=Proof("real engine", "ClickHouse 26.9 (chdb)"),
        access=Proof("real engine", "ClickHouse 26.9 (chdb), the check of a user with every right; the grants never"),
        counts_time_since_1970=True,
        driver_port=8123,
        namespace="host and port",
        scheme="clickhouse",
        counts_rows_for_free=True,
        port=8123,
        standard_deviation="population",
        history=QueryHistory(
            "system.query_log",
            schema="system",
            delay=1,
            finished=("queryfinish",),
            proof=Proof("stand-in", "ClickHouse 26.9 (chdb), a table with the columns of the documentation"),
        ),
    ),
    WarehouseKind(
        "trino",
        "Trino",
        dialect="trino",
        adapters=("trino",),
        connection_types=("trino",),
        form=ConnectionForm(
            placeholders=(("host", "trino.example.com"), ("port", "443"), ("login", "elementary_sync")),
            fields=fields.TRINO,
        ),
        opener=f"{OPEN_DBAPI}:open_trino",
        inspector=f"{CHECK}.trino",
        grants=f"{GRANTS}.trino",
        driver=Driver("?", "list", has_transactions=False),
        extra="trino",
        reading=Proof("stand-in", "a server of its client protocol over DuckDB, through Trino's own client"),
        access=Proof("stand-in", "the check, over that server, which answers as documented; the grants never"),
        system_catalog="the database's information_schema",
        namespace="host and port",
        scheme="trino",
        port=8080,
        # Of the coordinator's memory: only the newest queries.
        history=QueryHistory(
            "system.runtime.queries", schema="runtime", database="system", delay=0, finished=("finished",)
        ),
    ),
    WarehouseKind(
        "presto",
        "Presto",
        dialect="presto",
        adapters=("presto",),
        connection_types=("presto",),
        # Its client ignores parameters.
        driver=Driver("", has_transactions=False),
        system_catalog="the database's information_schema",
        namespace="host and port",
        scheme="presto",
    ),
    WarehouseKind(
        "athena",
        "Athena",
        dialect="athena",
        adapters=("athena",),
        connection_types=("athena",),
        form=ConnectionForm(
            hidden=("host", "port", "schema"),
            labels=(("login", "AWS access key id"), ("password", "AWS secret access key")),
            placeholders=(("login", "empty with the machine's own role"),),
            fields=fields.ATHENA,
        ),
        opener=f"{OPEN_DBAPI}:open_athena",
        inspector=f"{CHECK}.athena",
        grants=f"{GRANTS}.athena",
        driver=Driver("%(p1)s", "dict", has_transactions=False, batch_rows=1_000),
        extra="athena",
        reading=Proof("stand-in", "a server of its API over DuckDB, through PyAthena"),
        access=Proof("stand-in", "the check, over that server, which answers as documented; the policy never"),
        system_catalog="the database's information_schema",
        namespace="region",
        scheme="awsathena",
    ),
    WarehouseKind(
        "sqlserver",
        "SQL Server",
        dialect="tsql",
        adapters=("sqlserver", "fabric"),
        connection_types=("mssql",),
        form=ConnectionForm(
            hidden=(), labels=(("schema", "Database"), ("login", "User of the read-only role")), asks_database=False
        ),
        namespace="host and port",
        scheme="mssql",
        port=1433,
        sorts_nulls_first=True,
        # Under the usual DATEFIRST.
        week_starts_on_sunday=True,
    ),
    WarehouseKind(
        "vertica",
        "Vertica",
        dialect="postgres",
        adapters=("vertica",),
        connection_types=("vertica",),
        form=ConnectionForm(
            hidden=(), labels=(("schema", "Database"), ("login", "User of the read-only role")), asks_database=False
        ),
        system_catalog="v_catalog",
        keeps_locks=True,
        standard_deviation="sample, 6 digits",
    ),
    WarehouseKind(
        "spark",
        "Spark",
        dialect="databricks",
        adapters=("spark", "fabricspark"),
        connection_types=("hiveserver2",),
        inspector=f"{CHECK}.spark",
        driver=Driver(
            "%(p1)s",
            "dict",
            has_transactions=False,
            opening=(
                # PyHive returns times as the session's zone shows them, without it.
                "SET TIME ZONE 'UTC'",
                # By default the server holds a whole result in memory, and ends where it does not fit. So it holds the
                # rows of one partition, an eighth of the default; as many small files as by default make one.
                "SET spark.sql.thriftServer.incrementalCollect=true",
                "SET spark.sql.files.maxPartitionBytes=16m",
                "SET spark.sql.files.openCostInBytes=512k",
            ),
        ),
        extra="spark",
        reading=Proof("real engine", "Spark 4.3, by its Thrift server"),
        system_catalog="SHOW",
        instants=("timestamp",),
        sorts_nulls_first=True,
        failures=(
            KnownFailure("OutOfMemoryError", "its server ran out of memory", _SPARK_HEAP),
            KnownFailure(
                "TaskResultLost", "its server lost a part, as it does when it runs out of memory", _SPARK_HEAP
            ),
            KnownFailure(
                "stopped SparkContext", "its server has stopped, as it does when it runs out of memory", _SPARK_HEAP
            ),
        ),
    ),
    WarehouseKind("dremio", "Dremio", dialect="dremio", adapters=("dremio",), standard_deviation="population"),
)

#: Every warehouse by its key.
WAREHOUSES: Mapping[str, WarehouseKind] = MappingProxyType({row.key: row for row in _ROWS})
#: Those that an Airflow connection can open.
CONNECTABLE = tuple(row for row in _ROWS if row.connection_types)

#: The facts of a warehouse that has no row: those of most.
_UNKNOWN = WarehouseKind("", "the warehouse")
_BY_DIALECT = {row.dialect: row for row in reversed(_ROWS)}
_BY_ADAPTER = {adapter: row for row in _ROWS for adapter in row.adapters}
_BY_CONNECTION_TYPE = {name: row for row in CONNECTABLE for name in (*row.connection_types, row.connection_type)}


def by_dialect(dialect: str) -> WarehouseKind:
    """Return the warehouse whose SQL sqlglot calls so; the defaults where no row has that dialect."""
    return _BY_DIALECT.get(dialect, _UNKNOWN)


def by_adapter(adapter: str | None) -> WarehouseKind:
    """Return the warehouse of a dbt adapter; the defaults where no row has that adapter."""
    return _BY_ADAPTER.get(adapter or "", _UNKNOWN)


def by_connection_type(name: str) -> WarehouseKind | None:
    """Return the warehouse of a connection type, Airflow's own or one of this package; None for any other type."""
    return _BY_CONNECTION_TYPE.get(name)
