"""Declares which facts a warehouse has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_elementary.warehouses.connection_fields import ConnectionForm
from airflow_provider_elementary.warehouses.drivers import Driver

_PACKAGE = "airflow_provider_elementary"
CHECK = f"{_PACKAGE}.access.check"
GRANTS = f"{_PACKAGE}.access.grants"
OPEN = f"{_PACKAGE}.hooks.connections"
OPEN_DBAPI = f"{_PACKAGE}.hooks.dbapi_openers"

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
class KnownFailure:
    """A failure of a warehouse's server whose cause is known.

    :param words: a part of the driver's text, which is never shown.
    :param fact: what is wrong, without a full stop.
    :param remedy: what to do, in sentences.
    """

    words: str
    fact: str
    remedy: str


@dataclass(frozen=True)
class QueryHistory:
    """Where a warehouse lists the queries that it ran; reading it needs wider rights than the sync's.

    :param view: what is read, in its SQL; ``{database}`` and ``{schema}`` are the quoted names of the connection.
    :param database: the connection's database where it names none.
    :param schema: the connection's schema where it names none.
    :param is_own: the grants create it in a schema of its own, which holds nothing else.
    :param is_cumulative: it counts the runs of each statement, and lists no single query.
    :param delay: after how many minutes it is complete, by its documentation.
    :param finished: its words for a query that ended well, in lower case; empty where it has none.
    :param proof: what reading it was run against.
    """

    view: str
    schema: str
    database: str | None = None
    is_own: bool = False
    is_cumulative: bool = False
    delay: int = 5
    finished: tuple[str, ...] = ()
    proof: Proof = _NEVER_RUN


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
    :param hook: its SQL hook, as ``module:class``, where Airflow's hook of the connection type is another one.
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
    :param failures: failures that its errors are compared with, the first that fits wins.
    :param history: its own list of executed queries; None where none is read.
    """

    key: str
    label: str
    dialect: str | None = None
    adapters: tuple[str, ...] = ()
    connection_types: tuple[str, ...] = ()
    form: ConnectionForm = _PLAIN_FORM
    opener: str = f"{OPEN}:open_with_dbapi_hook"
    hook: str | None = None
    inspector: str = f"{CHECK}.information_schema"
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
    counts_rows_for_free: bool = False
    counts_changes: bool = False
    has_pg_catalog: bool = False
    instants: tuple[str, ...] = ()
    counts_time_since_1970: bool = False
    sorts_nulls_first: bool = False
    week_starts_on_sunday: bool = False
    standard_deviation: str = "sample"
    uses_youngs_cramer: bool = False
    failures: tuple[KnownFailure, ...] = ()
    history: QueryHistory | None = None

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
