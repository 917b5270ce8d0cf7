"""Defines the package's errors, which quote no secrets or rows."""

from __future__ import annotations

from collections.abc import Sequence


class ElementaryError(Exception):
    """Base of all errors of this package.

    :param message: the fact, then the remedy, for the person who reads the task log.
    """

    #: A retry cannot help: the configuration, a privilege or the input has to change first.
    permanent = True


class ConfigurationError(ElementaryError):
    """An argument, a connection or a parameter is missing or invalid."""


class ConnectionNotFoundError(ConfigurationError):
    """Airflow has no connection with that id."""


class WarehouseError(ElementaryError):
    """The warehouse cannot be reached, or a read was interrupted; a retry may help."""

    permanent = False


class TableUnreadableError(WarehouseError):
    """The warehouse cannot or may not read this one table.

    :param table: its name.
    :param reason: why, in a few words.
    """

    permanent = True

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(
            f"Table {table} cannot be read: {reason}. Check the role's grants on it and the types of its columns."
        )
        self.table = table
        self.reason = reason


class TableLockedError(WarehouseError):
    """Another session holds a lock that prevents a table from being read.

    :param tables: the tables.
    :param holders: who holds the locks, if the warehouse shows it.
    :param seconds: how long the read waited.
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
    """A table was replaced, truncated, dropped or purged during the read; a retry reads its new state.

    :param tables: the tables.
    """

    def __init__(self, schema: str, tables: Sequence[str]) -> None:
        named = ", ".join(f"{schema}.{name}" for name in tables)
        super().__init__(
            f"Table {named} was replaced, truncated, dropped or purged after the read began. Nothing was committed. "
            "Retry; run the sync after dbt, not during it, if this happens often."
        )
        self.tables = tuple(tables)


class LoginRefusedError(WarehouseError):
    """The warehouse or the driver refused the login, as for a wrong password; a retry cannot help."""

    permanent = True


class SchemaNotFoundError(ElementaryError):
    """The schema does not exist, or the connection may not see it."""


class NotAnElementarySchemaError(ElementaryError):
    """The schema exists but has none of Elementary's tables."""


class UnsupportedElementaryVersionError(ElementaryError):
    """No table can be used: they lack required columns, or the connection may not read them."""


class UnknownTableError(ElementaryError):
    """The table is not one of Elementary's, or this source does not have it."""


class UnknownColumnError(ElementaryError):
    """The column is not a classified one of this table, or this source does not have it."""


class QueryRefusedError(ElementaryError):
    """The SQL guard refused a statement.

    :param reason: the first reason found, in a few words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"Query refused: {reason}")
        self.reason = reason


class AccessDeniedError(ElementaryError):
    """The connection can do more, or less, than read the Elementary schema; nothing is read over it."""


class AccessUnknownError(AccessDeniedError):
    """The connection's privileges cannot be determined; nothing is read over it."""


class AnomaliesFoundError(ElementaryError):
    """Anomalies were found, and ``fail_on`` stops the pipeline for them."""


class StoreError(ElementaryError):
    """The store cannot be read or written; a retry may help."""

    permanent = False


class ObjectNotFoundError(StoreError):
    """The store has no such object.

    :param uri: the store.
    :param key: the object's name.
    """

    def __init__(self, uri: str, key: str) -> None:
        super().__init__(f"{uri} holds no object {key}. Restore it from a replica or an older version.")
        self.key = key


class StoreRefusedError(ElementaryError):
    """The store does not exist, is not writable or is not encrypted."""


class KeyUnavailableError(ElementaryError):
    """A key that encrypts or decrypts a file is missing, disabled or refused."""


class KeyDeletedError(KeyUnavailableError):
    """A KMS key was deleted, or is about to be: what it encrypts is given up."""


class SnapshotNotFoundError(ElementaryError):
    """The store has no snapshot with that id or before that time."""


class SnapshotOverdueError(ElementaryError):
    """The newest snapshot is older than what the caller accepts; a later one may come."""

    permanent = False


class SnapshotCorruptError(ElementaryError):
    """A manifest or a file of a snapshot differs from what was written."""


class UnprovedError(SnapshotCorruptError):
    """No known key of the pinned store signed it: who wrote it is not known, so nothing of it is used."""


class PrunedMeanwhileError(ElementaryError):
    """A proved prune removed what was being read; a retry reads what is there now."""

    permanent = False


class DocumentExistsError(ElementaryError):
    """A document of that name is there already, and no document is ever replaced.

    :param name: its name in the store.
    """

    permanent = False

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is there already, and no document is replaced. Retry.")
        self.name = name


class SnapshotConflictError(ElementaryError):
    """Other writers committed first, repeatedly; a retry may help."""

    permanent = False


class ValueDoesNotFitError(ElementaryError):
    """A stored value is too long or too large for the target of a restore."""


class AlertsNotSentError(ElementaryError):
    """Some alerts could not be sent; the others were, and a retry sends those that were not."""

    permanent = False
