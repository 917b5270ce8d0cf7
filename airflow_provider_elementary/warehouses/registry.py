"""Lists every warehouse with its facts, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from airflow_provider_elementary.warehouses import connection_fields as fields
from airflow_provider_elementary.warehouses.connection_fields import ConnectionForm
from airflow_provider_elementary.warehouses.drivers import Driver

_PACKAGE = "airflow_provider_elementary"
_CHECK = f"{_PACKAGE}.access.check"
_GRANTS = f"{_PACKAGE}.access.grants"
_OPEN = f"{_PACKAGE}.hooks.connections"

_PLAIN_FORM = ConnectionForm()
_PLAIN_DRIVER = Driver()

NamespaceRule = Literal["host and port", "host", "account", "region", "path", "scheme alone"]
CatalogName = Literal[
    "information_schema",
    "the database's information_schema",
    "the dataset's INFORMATION_SCHEMA",
    "v_catalog",
    "SHOW",
]


@dataclass(frozen=True)
class Proof:
    """What the code for a warehouse was run against.

    :param on: the real engine; something that imitates it, or another engine; or nothing, as the code follows the
        documentation.
    :param what: its name and release.
    """

    on: Literal["real engine", "stand-in", "documentation"] = "documentation"
    what: str = ""

    def __str__(self) -> str:
        if self.on == "documentation":
            return "written to its documentation, never run"
        return f"run on {'the real engine' if self.on == 'real engine' else 'a stand-in'}: {self.what}"


_NEVER_RUN = Proof()


@dataclass(frozen=True)
class WarehouseKind:
    """The facts of one warehouse. Code that differs by warehouse stands in modules that a row names.

    :param key: the name in this package: the value of ``warehouse_kind`` and the end of the connection type.
    :param label: the name that people read.
    :param dialect: sqlglot's name of its SQL; two warehouses may share one, and the first row is its owner.
    :param adapters: dbt's names of it, the usual one first.
    :param connection_types: Airflow's own connection types of it, the one that its SQL hook uses first; empty where
        the facts are only needed to evaluate results that dbt wrote there.
    :param form: the form of its connection type ``elementary_<key>``.
    :param opener: the function that opens a session, as ``module:function``.
    :param inspector: the module of its access check.
    :param grants: the module that writes the statements for a dedicated role; None where they are not known.
    :param driver: how its driver takes statements and returns rows.
    :param extra: the extra of this distribution that installs its driver and Airflow provider; None where they are
        installed always, or not by this distribution.
    :param system_catalog: where it lists its tables.
    :param table_types: what its catalog calls a table that is stored.
    :param databases_without_information_schema: databases that only SHOW and DESCRIBE list.
    :param reading: what reading was run against.
    :param access: what the grants and the access check were run against.
    :param namespace: what OpenLineage's integration with dbt builds the namespace of its tables from.
    :param scheme: the scheme of that namespace.
    :param port: the port of a dbt profile that names none.
    :param driver_port: the port that the driver uses where the connection names none, if that is known.
    :param default_host: the host that the driver uses where the connection names none, if that is known.
    :param has_read_timeout: the driver ends its reads itself.
    :param keeps_locks: a transaction keeps its locks, and DDL waits for them, until it ends.
    :param has_one_view: every statement of one session sees the tables as of one moment, and the clock says which.
    :param counts_rows_for_free: it answers ``count(*)`` of a whole table from metadata, without a scan.
    :param counts_changes: it counts the rows inserted, updated and deleted, and lets every role read the counts.
    :param has_pg_catalog: PostgreSQL's own system catalog names the tables that a role may not read.
    :param instants: names of types with a time zone that elsewhere have none.
    :param counts_time_since_1970: every type of time is a count since 1970, which the session's time zone only shows.
    :param sorts_nulls_first: ascending order puts nulls first.
    :param week_starts_on_sunday: a truncation to weeks starts them on Sunday.
    :param standard_deviation: what Elementary's ``stddev`` computes.
    :param uses_youngs_cramer: it adds up sums of squares by Youngs and Cramer.
    """

    key: str
    label: str
    dialect: str | None = None
    adapters: tuple[str, ...] = ()
    connection_types: tuple[str, ...] = ()
    form: ConnectionForm = _PLAIN_FORM
    opener: str = f"{_OPEN}:open_with_dbapi_hook"
    inspector: str = f"{_CHECK}.information_schema"
    grants: str | None = None
    driver: Driver = _PLAIN_DRIVER
    extra: str | None = None
    system_catalog: CatalogName = "information_schema"
    table_types: tuple[str, ...] = ("BASE TABLE",)
    databases_without_information_schema: tuple[str, ...] = ()
    reading: Proof = _NEVER_RUN
    access: Proof = _NEVER_RUN
    namespace: NamespaceRule | None = None
    scheme: str | None = None
    port: int | None = None
    driver_port: int | None = None
    default_host: str | None = None
    has_read_timeout: bool = False
    keeps_locks: bool = False
    has_one_view: bool = False
    has_pg_catalog: bool = False
    counts_rows_for_free: bool = False
    counts_changes: bool = False
    instants: tuple[str, ...] = ()
    counts_time_since_1970: bool = False
    sorts_nulls_first: bool = False
    week_starts_on_sunday: bool = False
    standard_deviation: str = "sample"
    uses_youngs_cramer: bool = False

    @property
    def connection_type(self) -> str:
        """The connection type of this package."""
        return f"elementary_{self.key}"

    @property
    def hook_class(self) -> str:
        """The name of that type's hook class in ``hooks.warehouse_types``."""
        return f"Elementary{self.key.capitalize()}Hook"

    @property
    def hook_name(self) -> str:
        """The name of that type in the form."""
        return f"Elementary: {self.label}"


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
        opener=f"{_OPEN}:open_snowflake",
        inspector=f"{_CHECK}.snowflake",
        grants=f"{_GRANTS}.snowflake",
        driver=Driver(has_own_session=True),
        reading=Proof("stand-in", "fakesnow, with roles and chunked results added"),
        access=Proof("stand-in", "fakesnow, with roles added after the documentation"),
        namespace="account",
        scheme="snowflake",
        counts_rows_for_free=True,
        has_read_timeout=True,
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
        opener=f"{_OPEN}:open_postgres_warehouse",
        inspector=f"{_CHECK}.postgres",
        grants=f"{_GRANTS}.postgres",
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
        opener=f"{_OPEN}:open_redshift",
        inspector=f"{_CHECK}.redshift",
        grants=f"{_GRANTS}.redshift",
        driver=Driver(parameters="list", has_sql_cursors=True),
        extra="redshift",
        reading=Proof(
            "stand-in", "PostgreSQL 15, through Redshift's own driver; dividing results by SQL's cursor was not tried"
        ),
        namespace="host and port",
        scheme="redshift",
        port=5439,
        driver_port=5439,
        keeps_locks=True,
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
        opener=f"{_OPEN}:open_duckdb",
        inspector=f"{_CHECK}.duckdb",
        grants=f"{_GRANTS}.duckdb",
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
        opener=f"{_OPEN}:open_bigquery",
        grants=f"{_GRANTS}.bigquery",
        driver=Driver("@p1", "dict", has_transactions=False, has_own_session=True),
        extra="bigquery",
        reading=Proof("stand-in", "bqemulator 1.4.0, by REST; the Storage Read API was never run"),
        system_catalog="the dataset's INFORMATION_SCHEMA",
        namespace="scheme alone",
        scheme="bigquery",
        counts_rows_for_free=True,
        instants=("timestamp",),
        sorts_nulls_first=True,
        week_starts_on_sunday=True,
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
        grants=f"{_GRANTS}.databricks",
        driver=Driver("?", "list", has_transactions=False, arrow="fetchmany_arrow", batch_rows=50_000),
        extra="databricks",
        system_catalog="the database's information_schema",
        table_types=("MANAGED", "EXTERNAL", "BASE TABLE"),
        databases_without_information_schema=("hive_metastore", "spark_catalog"),
        namespace="host",
        scheme="databricks",
        counts_rows_for_free=True,
        instants=("timestamp",),
        sorts_nulls_first=True,
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
        opener=f"{_OPEN}:open_clickhouse",
        grants=f"{_GRANTS}.clickhouse",
        driver=Driver("%(p1)s", "dict", has_transactions=False, has_own_session=True),
        extra="clickhouse",
        reading=Proof("real engine", "ClickHouse 26.9 (chdb)"),
        counts_time_since_1970=True,
        driver_port=8123,
        namespace="host and port",
        scheme="clickhouse",
        counts_rows_for_free=True,
        port=8123,
        standard_deviation="population",
    ),
    WarehouseKind(
        "trino",
        "Trino",
        dialect="trino",
        adapters=("trino",),
        connection_types=("trino",),
        grants=f"{_GRANTS}.trino",
        driver=Driver("?", "list", has_transactions=False),
        extra="trino",
        system_catalog="the database's information_schema",
        namespace="host and port",
        scheme="trino",
        port=8080,
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
        driver=Driver("%(p1)s", "dict", has_transactions=False, batch_rows=1_000),
        extra="athena",
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
        driver=Driver("%(p1)s", "dict", has_transactions=False),
        extra="spark",
        system_catalog="SHOW",
        instants=("timestamp",),
        sorts_nulls_first=True,
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
