"""Opens the query history of a warehouse from a second Airflow connection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.warehouses.connection_fields import OWN_FIELDS

if TYPE_CHECKING:
    from airflow_provider_elementary.access import AccessReport
    from airflow_provider_elementary.hooks.connections import WarehouseConnection
    from airflow_provider_elementary.warehouses.warehouse import Warehouse


class ElementaryQueryLogHook(ElementaryHook):
    """Reads the history of executed queries, through a role that may read nothing else.

    The connection is of the same types as the sync's, and of another user.

    :param history_conn_id: the Airflow connection.
    :param schema: the schema that the grants created; on BigQuery the region.
    :param database: what holds it.
    """

    conn_name_attr = "history_conn_id"
    default_conn_name = "elementary_history_default"
    hook_name = "Elementary query history"

    def __init__(
        self, history_conn_id: str = default_conn_name, schema: str | None = None, database: str | None = None
    ) -> None:
        super().__init__(history_conn_id, schema, database)

    @contextmanager
    def session(self) -> Iterator[Warehouse]:
        """Open a session on the warehouse.

        :raises ConfigurationError: no query history of the warehouse is read.
        """
        from airflow_provider_elementary.hooks.connections import open_warehouse
        from airflow_provider_elementary.query_history.guard import history_of
        from airflow_provider_elementary.warehouses.registry import by_connection_type

        kind = by_connection_type(str(self.connection.conn_type))
        _, history = history_of(kind.adapters[0] if kind is not None else "")
        warehouse = open_warehouse(
            self.connection,
            schema=self.schema or self._text("elementary_schema") or history.schema,
            database=self.database or self._text("elementary_database") or history.database,
        )
        try:
            yield warehouse
        finally:
            warehouse.close()

    def require_other_login(self, elementary_conn_id: str) -> None:
        """Refuse the sync's own login: it would have to hold the wider rights.

        :param elementary_conn_id: the connection of the sync.
        :raises ConfigurationError: both are the same connection or the same user, or may be: Snowflake has two names
            for an account, and the connections do not say which belong together.
        """
        sync = ElementaryHook(elementary_conn_id)
        is_same = elementary_conn_id == self.elementary_conn_id
        if is_same or _may_be_same(_login_of(sync.connection), _login_of(self.connection)):
            raise ConfigurationError(
                f"Connection {self.elementary_conn_id!r} is of the same user as the sync's, {elementary_conn_id!r}"
                f"{_ACCOUNTS if _is_snowflake(self.connection) else ''}. "
                "The query history needs wider rights, which the sync must not have: make a second user with the "
                "statements that `airflow-elementary query-history grants` prints."
            )

    def check_history(self, session: Warehouse, probes: Sequence[str] = ()) -> AccessReport:
        """Prove what an open session may do; see :func:`~.query_history.access.check_history_access`."""
        from airflow_provider_elementary.query_history.access import check_history_access

        report = check_history_access(session, allowed_addresses=self._names("allowed_addresses"), probes=probes)
        return report.accept(self.accept_failed)


#: An account by its locator: xy12345, with its region or without.
_LOCATOR = re.compile(r"[a-z]{2,4}\d{4,}(?:\..*)?")
_ACCOUNTS = (
    " (an account may be spelled as its locator or as organization-account: spell both connections' the same way)"
)


def _is_snowflake(connection: WarehouseConnection) -> bool:
    return str(connection.conn_type).removeprefix("elementary_") == "snowflake"


def _may_be_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Return whether two logins are the same, or of one user on two spellings of what may be one Snowflake account."""
    if one == other:
        return True
    kinds = {str(login[0]).removeprefix("elementary_") for login in (one, other)}
    if kinds != {"snowflake"} or one[2:] != other[2:]:
        return False
    locators = [str(login[1]).partition(".")[0] for login in (one, other) if _LOCATOR.fullmatch(str(login[1]))]
    return len(locators) == 1 or (len(locators) == 2 and len({*locators}) == 1)


def _login_of(connection: WarehouseConnection) -> tuple[Any, ...]:
    """Return who logs in where, as far as the connection says it."""
    from airflow_provider_elementary.warehouses.registry import by_connection_type

    extra = connection.extra_dejson
    kind = by_connection_type(str(connection.conn_type))
    if connection.login:
        place = str(extra.get("account") or connection.host or "").lower()
        # Snowflake spells an account's underscores as hyphens in host names.
        place = place.removesuffix(".snowflakecomputing.com").replace("_", "-")
        port = connection.port or (kind.port if kind is not None else None)
        return str(connection.conn_type), place, port, str(connection.login).lower()
    # A service account, a role of the machine or a token: with all that is given of it.
    return str(connection.conn_type), connection.host, connection.password, json.dumps(_identity(extra), sort_keys=True)


def _identity(extra: dict[str, Any]) -> dict[str, Any]:
    """Return the extra fields without those that only say what is read."""
    return {name: value for name, value in extra.items() if name not in {*OWN_FIELDS, "location"}}
