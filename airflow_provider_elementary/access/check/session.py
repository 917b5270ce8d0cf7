"""The session of a warehouse as the access check sees it: catalogue statements in, rows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class StatementDeniedError(Exception):
    """The warehouse refused a statement: not authorized, or no such object (some warehouses do not tell which).

    Never leaves the access check: a refusal is what a canary read hopes for.
    """


@dataclass(frozen=True)
class TransportFacts:
    """How the link is protected as the client knows it; the server cannot tell whether its certificate was checked.

    :param encrypted: True where the client speaks TLS or not at all, False where it would speak in clear; None where
        that is not known, or where there is no network.
    :param version: the protocol in use, ``TLSv1.3``; None where the driver does not tell.
    :param certificate_verified: whether the server's certificate and host name are checked against an authority.
    :param detail: what this is concluded from, as in ``sslmode=verify-full``; never a secret.
    """

    encrypted: bool | None
    version: str | None
    certificate_verified: bool | None
    detail: str


class Session(Protocol):
    """The very session that the sync reads through, so that what is proved is what is used.

    :param dialect: sqlglot's name of the warehouse's SQL: ``postgres``, ``snowflake``, ``duckdb``, ``redshift``, …
    :param database: the database that holds the Elementary schema, where the warehouse has such a level.
    :param schema: the Elementary schema, as the warehouse spells it.
    :param placeholder: how this driver marks a bound value: ``$1`` style drivers say ``$``, others ``%s`` or ``?``.
    :param transport: how the client protects the link; None where the driver tells nothing.
    """

    dialect: str
    database: str | None
    schema: str
    placeholder: str
    transport: TransportFacts | None

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one read-only catalogue statement and return its (few) rows.

        A refused statement leaves the session usable.

        :raises StatementDeniedError: the warehouse refused the statement.
        :raises WarehouseError: the warehouse could not be reached or went away.
        """
        ...

    def records(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a statement as :meth:`rows` does and return its rows by column name, in lower case.

        For ``SHOW`` and ``DESCRIBE``, whose columns grow from one release of a warehouse to the next.

        :raises StatementDeniedError: the warehouse refused the statement.
        :raises WarehouseError: the warehouse could not be reached or went away.
        """
        ...
