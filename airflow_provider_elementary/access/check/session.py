"""Declares the session that the access check reads through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class StatementDeniedError(Exception):
    """The warehouse denied a statement: not authorized, or no such object (some warehouses do not say which).

    Never leaves the access check: a denial is what a canary read needs.
    """


class StatementFailedError(StatementDeniedError):
    """The warehouse refused a statement, and not for a missing right: no such object, or SQL that it does not know.

    Only for warehouses that say which; as a canary read it proves nothing.
    """


@dataclass(frozen=True)
class TransportFacts:
    """How the client protects the link; the server cannot know whether its certificate was verified.

    :param encrypted: True if the client requires TLS, False if it would connect without; None if that is not
        known, or if there is no network.
    :param version: the protocol in use, ``TLSv1.3``; None if the driver does not say.
    :param certificate_verified: whether the server's certificate and host name are verified.
    :param detail: the reason, as in ``sslmode=verify-full``; never a secret.
    """

    encrypted: bool | None
    version: str | None
    certificate_verified: bool | None
    detail: str


class Session(Protocol):
    """The session that the sync reads through; the check uses the same one.

    :param adapter: dbt's name of the warehouse, by which its check is found; two of them may share a dialect.
    :param dialect: sqlglot's name of the warehouse's SQL: ``postgres``, ``snowflake``, ``duckdb``, ``redshift``, …
    :param database: the database that holds the Elementary schema, if the warehouse has databases.
    :param schema: the Elementary schema, as the warehouse spells it.
    :param placeholder: how this driver marks a bound value: ``$`` for numbered ones (``$1``), ``%s`` or ``?``.
    :param transport: how the client protects the link; None if the driver does not say.
    """

    adapter: str
    dialect: str
    database: str | None
    schema: str
    placeholder: str
    transport: TransportFacts | None

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one read-only statement on the system catalog and return its (few) rows.

        A denied statement leaves the session usable.

        :raises StatementDeniedError: the warehouse denied the statement.
        :raises WarehouseError: the warehouse could not be reached, or the connection was lost.
        """
        ...

    def records(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a statement as :meth:`rows` does and return its rows by column name, in lower case.

        For ``SHOW`` and ``DESCRIBE``, whose columns differ between releases of a warehouse.

        :raises StatementDeniedError: the warehouse denied the statement.
        :raises WarehouseError: the warehouse could not be reached, or the connection was lost.
        """
        ...
