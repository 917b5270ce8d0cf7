"""Reads Athena through PyAthena, and calls AWS's API as the same role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_elementary.warehouses.dbapi import DbApiWarehouse
from airflow_provider_elementary.warehouses.driver_errors import refusal

_SECONDS = 10


class AthenaWarehouse(DbApiWarehouse):
    """A session on Athena; see :class:`DbApiWarehouse` for its parameters."""

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer of one call of AWS's API, which changes nothing.

        :raises StatementDeniedError: it was denied, or there was no answer.
        """
        return self.calls.run("asking AWS for the role's rights", lambda: self._call(service, operation, arguments))

    def _call(self, service: str, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        from botocore.config import Config

        # Such a service may be unreachable from here: then it says nothing, and soon.
        config = Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 1})
        try:
            if service not in self._clients:
                region = self._connection.region_name
                self._clients[service] = self._connection.session.client(service, region_name=region, config=config)
            answer: Mapping[str, Any] = getattr(self._clients[service], operation)(**arguments)
            return answer
        except Exception as error:
            raise refusal(error) from None
