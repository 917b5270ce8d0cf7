"""Provides a session with declared answers, for warehouses that cannot run here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_elementary.access.check.session import StatementDeniedError, TransportFacts

VERIFIED = TransportFacts(True, "TLSv1.3", True, "the driver verifies certificates")

Answer = Sequence[Mapping[str, Any]]


class DeclaredSession:
    """Answers the declared statements and denies all others.

    :param answers: rows by column name, by a part of the statement that they answer; the first part found counts.
    """

    placeholder = "%s"

    def __init__(
        self,
        dialect: str,
        schema: str,
        database: str | None,
        answers: Mapping[str, Answer],
        transport: TransportFacts | None = VERIFIED,
    ) -> None:
        self.adapter = self.dialect = dialect
        self.schema = schema
        self.database = database
        self.transport = transport
        self._answers = answers

    def records(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        for part, answer in self._answers.items():
            if part in statement:
                return [dict(row) for row in answer]
        raise StatementDeniedError("002003")

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.records(statement, parameters)]
