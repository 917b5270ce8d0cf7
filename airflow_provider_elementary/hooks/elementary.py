"""Opens the Elementary schema of a warehouse from an Airflow connection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_elementary.elementary_schema import DEFAULT_SCHEMA
from airflow_provider_elementary.exceptions import ConfigurationError, ConnectionNotFoundError, ElementaryError
from airflow_provider_elementary.hooks.missing import connection_variable, missing_connection

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.access import AccessReport
    from airflow_provider_elementary.hooks.connections import WarehouseConnection
    from airflow_provider_elementary.warehouses.source import WarehouseSource


class ElementaryHook(BaseHook):
    """Reads the Elementary schema of a warehouse, and proves that the connection can read nothing else.

    The connection belongs to a dedicated role. Its type is that of one warehouse, as ``elementary_snowflake``; or
    ``elementary``, with the kind of warehouse in the extra field ``warehouse_kind``; or one of Airflow's own SQL
    types. For DuckDB the host is the file's path.

    :param elementary_conn_id: the Airflow connection.
    :param schema: the Elementary schema; the connection's extra ``elementary_schema`` by default, else ``elementary``.
    :param database: the database that holds it; the extra ``elementary_database`` by default, else the connection's.
    """

    conn_name_attr = "elementary_conn_id"
    default_conn_name = "elementary_default"
    conn_type = "elementary"
    hook_name = "Elementary"

    def __init__(
        self, elementary_conn_id: str = default_conn_name, schema: str | None = None, database: str | None = None
    ) -> None:
        super().__init__()
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database

    def source(self) -> WarehouseSource:
        """Open the Elementary schema as a source; use it as a context manager.

        :raises ElementaryError: there is no such connection or schema, or the login failed.
        """
        from airflow_provider_elementary.hooks.connections import open_warehouse
        from airflow_provider_elementary.hooks.namespaces import namespace_of
        from airflow_provider_elementary.warehouses.source import WarehouseSource

        warehouse = open_warehouse(
            self.connection,
            schema=self.schema or self._text("elementary_schema") or DEFAULT_SCHEMA,
            database=self.database or self._text("elementary_database"),
        )
        try:
            return WarehouseSource(warehouse, namespace=namespace_of(self.connection))
        except BaseException:
            warehouse.close()
            raise

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one read-only query over Elementary's tables; the session ends with the last batch.

        :raises QueryRefusedError: the guard refused it; the message says why.
        """
        from airflow_provider_elementary.source import reader_of_first

        def batches() -> Iterator[pa.RecordBatch]:
            with self.source() as source:
                yield from source.query(sql)

        return reader_of_first(batches())

    def check_access(self, probes: Sequence[str] = ()) -> AccessReport:
        """Prove what the connection may do; see :func:`airflow_provider_elementary.access.check_access`.

        :param probes: relations outside the schema that the role must be refused.
        """
        with self.source() as source:
            return self.check(source, probes)

    @property
    def accept_unknown(self) -> list[str]:
        """The names of the checks that may stay unknown, from the connection's extra ``accept_unknown``."""
        return self._names("accept_unknown")

    @property
    def accept_failed(self) -> dict[str, str]:
        """Why failed checks are accepted, by name, from the connection's extra ``accept_failed``.

        :raises ConfigurationError: it is not a JSON object of reasons.
        """
        value = self._field("accept_failed") or {}
        try:
            reasons = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            reasons = None
        if not isinstance(reasons, dict) or not all(isinstance(reason, str) for reason in reasons.values()):
            raise ConfigurationError(
                f"The extra accept_failed of connection {self.elementary_conn_id!r} is not a JSON object. Write "
                '{"other-databases": "the reason why this is accepted"}.'
            )
        return reasons

    def check(
        self, source: WarehouseSource, probes: Sequence[str] = (), accept_failed: Mapping[str, str] | None = None
    ) -> AccessReport:
        """Prove what the open session of a source may do; see :meth:`check_access`.

        :param accept_failed: reasons for failed checks, beside those of the connection; they become warnings.
        """
        from airflow_provider_elementary.access import check_access

        report = check_access(source.warehouse, allowed_addresses=self._names("allowed_addresses"), probes=probes)
        return report.accept({**self.accept_failed, **(accept_failed or {})})

    def test_connection(self) -> tuple[bool, str]:
        """Log in, find the Elementary schema and run the access check: the UI's Test button."""
        try:
            with self.source() as source:
                report = self.check(source)
                report.require(self.accept_unknown)
                tables = len(source.tables())
        except ElementaryError as error:
            # The button tests a temporary connection, whose id no person knows.
            return False, str(error).replace(f"of connection {self.elementary_conn_id!r}", "of this connection")
        if report.unknown or report.warnings:
            accepted = [f"{len(report.unknown)} unknown and accepted"] if report.unknown else []
            accepted += [f"{len(report.warnings)} failed and accepted"] if report.warnings else []
            passing = f"{len(report.passed)} of {report.applicable} checks pass"
            return True, f"{tables} Elementary tables can be read: {', '.join([passing, *accepted])}."
        return True, f"Read-only access to {tables} Elementary tables proved by {len(report.passed)} checks."

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the form (Airflow before 3.2; later versions read the provider's metadata)."""
        from airflow_provider_elementary.get_provider_info import CONNECTION_FIELDS, extra_fields
        from airflow_provider_elementary.hooks.connection_form import form_widgets
        from airflow_provider_elementary.warehouses.registry import by_connection_type

        kind = by_connection_type(cls.conn_type)
        return form_widgets(CONNECTION_FIELDS if kind is None else extra_fields(kind.form))

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Name the fields of the connection form (Airflow before 3.2; later versions read the provider's metadata)."""
        from airflow_provider_elementary.get_provider_info import UI_FIELD_BEHAVIOUR, standard_fields
        from airflow_provider_elementary.warehouses.registry import by_connection_type

        kind = by_connection_type(cls.conn_type)
        behaviour = UI_FIELD_BEHAVIOUR if kind is None else standard_fields(kind.form)
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    @cached_property
    def connection(self) -> WarehouseConnection:
        """The connection, converted to its warehouse's own type.

        :raises ConnectionNotFoundError: Airflow knows none of that id.
        :raises ConfigurationError: it does not name the kind of warehouse.
        """
        from airflow_provider_elementary.hooks.connections import GENERIC, warehouse_connection
        from airflow_provider_elementary.warehouses.registry import CONNECTABLE

        try:
            connection = warehouse_connection(self.get_connection(self.elementary_conn_id))
        except AirflowNotFoundException:
            raise ConnectionNotFoundError(
                f"{missing_connection(self.elementary_conn_id)} Add it in the UI under Admin > Connections, to the "
                f"secrets backend, or as {connection_variable(self.elementary_conn_id)}."
            ) from None
        if connection.conn_type == GENERIC:
            raise ConfigurationError(
                f"Connection {self.elementary_conn_id!r} does not name the kind of warehouse. Set its extra field "
                f"`warehouse_kind` to one of {', '.join(kind.key for kind in CONNECTABLE)}."
            )
        return connection

    def _field(self, name: str) -> Any:
        """Return one field of the connection's extra; no local variable keeps the whole extra, which holds secrets."""
        return self.connection.extra_dejson.get(name)

    def _text(self, name: str) -> str | None:
        value = self._field(name)
        if not isinstance(value, str | None):
            raise ConfigurationError(
                f"The extra {name} of connection {self.elementary_conn_id!r} is not a text. Write the name in quotes."
            )
        return value

    def _names(self, name: str) -> list[str]:
        value = self._field(name) or ()
        names = value.replace(",", " ").split() if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
            raise ConfigurationError(
                f"The extra {name} of connection {self.elementary_conn_id!r} is not a list of texts. Write them with "
                "commas between them."
            )
        return list(names)
