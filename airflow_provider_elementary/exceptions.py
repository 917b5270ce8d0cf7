"""Every error that this package raises: what was expected, what was found, what to do. No secrets, no data rows."""

from __future__ import annotations

from collections.abc import Sequence


class ElementaryError(Exception):
    """Base of all errors of this package.

    :param message: what was expected, what was found and what to do, in words for the person who reads the task log.
    """

    #: A retry cannot help: the configuration, a privilege or the input has to change first.
    permanent = True


class ConfigurationError(ElementaryError):
    """An argument, a connection or a parameter is missing or does not fit."""


class ConnectionNotFoundError(ConfigurationError):
    """Airflow knows no connection of that id."""


class WarehouseError(ElementaryError):
    """The warehouse could not be reached, or went away in the middle of a read; a retry may help."""

    permanent = False


class TableUnreadableError(WarehouseError):
    """The warehouse answers, but it refuses or fails to read this one table.

    :param table: the table, as it was asked for.
    :param reason: what is wrong with it, in a few words.
    """

    permanent = True

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(
            f"Table {table} cannot be read: {reason}. Check the role's grants on it and the types of its columns."
        )
        self.table = table
        self.reason = reason


class TableLockedError(WarehouseError):
    """Another session holds a lock on a table that keeps it from being read.

    :param tables: the tables.
    :param holders: who holds the locks, as far as the warehouse shows it.
    :param seconds: how long was waited.
    """

    def __init__(self, schema: str, tables: Sequence[str], holders: Sequence[str], seconds: float) -> None:
        named = ", ".join(f"{schema}.{name}" for name in tables)
        held_by = f" (ACCESS EXCLUSIVE, held by {', '.join(holders)})" if holders else ""
        super().__init__(
            f"Table {named} is locked by another session{held_by}: no ACCESS SHARE lock within {seconds:.0f} s. "
            "Nothing was committed. Retry after that transaction has ended; dbt takes such a lock to alter or replace "
            "a table."
        )


class TableReplacedError(WarehouseError):
    """A table was replaced, truncated or dropped while it was to be read; a retry reads it as it is then.

    :param tables: the tables.
    """

    def __init__(self, schema: str, tables: Sequence[str]) -> None:
        named = ", ".join(f"{schema}.{name}" for name in tables)
        super().__init__(
            f"Table {named} was replaced, truncated or dropped after the read began. Nothing was committed. Retry; run "
            "the sync after dbt, not during it, if this happens often."
        )
        self.tables = tuple(tables)


class LoginRefusedError(WarehouseError):
    """The warehouse or the driver refused the login for a cause that no retry removes: a wrong password among them."""

    permanent = True


class SchemaNotFoundError(ElementaryError):
    """The connection sees no schema of that name."""


class NotAnElementarySchemaError(ElementaryError):
    """The schema exists but holds none of Elementary's tables."""


class UnsupportedElementaryVersionError(ElementaryError):
    """No table can be used: they lack columns that we cannot do without, or this connection may not read them."""


class UnknownTableError(ElementaryError):
    """The table is not one of Elementary's, or this source does not hold it."""


class UnknownColumnError(ElementaryError):
    """The column is not one that the catalog classifies for this table, or this source does not hold it."""


class QueryRefusedError(ElementaryError):
    """The SQL guard refused a statement.

    :param reason: the first reason found, in a few words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"Query refused: {reason}")
        self.reason = reason


class AccessDeniedError(ElementaryError):
    """The connection can do more, or less, than read the Elementary schema; nothing is synced over it."""


class AccessUnknownError(AccessDeniedError):
    """What the connection can do cannot be determined: nothing is known to be wrong, and nothing is synced over it."""


class AnomaliesFoundError(ElementaryError):
    """Anomalies were found and ``fail_on`` asked to stop the pipeline for them."""


class StoreError(ElementaryError):
    """The store could not be read or written; a retry may help."""

    permanent = False


class StoreRefusedError(ElementaryError):
    """The store is not fit to hold a snapshot: not writable, not encrypted, or no such place."""


class KeyUnavailableError(ElementaryError):
    """A key that is needed to seal or open a file is missing, disabled or refused."""


class SnapshotNotFoundError(ElementaryError):
    """The store holds no snapshot of that id or before that time."""


class SnapshotCorruptError(ElementaryError):
    """A manifest or a file of a snapshot is not what was written."""


class SnapshotConflictError(ElementaryError):
    """Another writer committed first, repeatedly; a retry may help."""

    permanent = False


class ValueDoesNotFitError(ElementaryError):
    """A stored value is longer or larger than the target of a restore can hold."""


class AlertsNotSentError(ElementaryError):
    """Some alerts could not be sent; the others were, and a retry sends those that were not."""

    permanent = False
