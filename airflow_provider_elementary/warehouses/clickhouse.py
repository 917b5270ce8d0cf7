"""Reads ClickHouse through its own driver, as a stream of Arrow."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.access.check.session import (
    TransportFacts,
)
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.driver_errors import FailureCause, cause_of, refusal
from airflow_provider_elementary.warehouses.exclusion import read_error
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from airflow_provider_elementary.warehouses.warehouse import SystemCatalogSession, batches_of, connection_lost_error

#: ClickHouse's own default is the same; a profile may have raised it.
_SETTINGS = {"max_block_size": 65_409}
#: Bytes that the server may use for one query of an author.
_QUERY_BYTES = 4 * 2**30


class ClickHouseWarehouse(SystemCatalogSession):
    """A session on ClickHouse.

    :param client: an open client of clickhouse-connect.
    :param schema: the Elementary schema, which ClickHouse calls a database.
    :param transport: how the link is protected, as the client asked for it.
    :param calls: runs the driver's calls.
    """

    dialect = adapter = "clickhouse"
    placeholder = WAREHOUSES[adapter].driver.placeholder
    #: ClickHouse has no level above the schema.
    database: str | None = None

    def __init__(self, client: Any, schema: str, transport: TransportFacts, calls: Calls | None = None) -> None:
        self.calls = calls or Calls(self.dialect)
        self.schema = schema
        self.transport: TransportFacts | None = transport
        self._client = client

    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one statement over the system catalog."""
        try:
            answer = self._client.query(statement, *WAREHOUSES[self.adapter].driver.arguments(parameters))
        except Exception as error:
            if cause_of(error) is FailureCause.LOST:
                raise connection_lost_error(self.adapter, "reading its system catalog", error) from None
            raise refusal(error) from None
        return list(answer.column_names), [tuple(row) for row in answer.result_rows]

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query, one block at a time."""
        return self._streamed(query, _SETTINGS)

    def bounded_batches(self, query: GuardedQuery, seconds: float) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query, for which the server has limits of time and memory."""
        return self._streamed(query, self._bounds(seconds))

    def _streamed(self, query: GuardedQuery, settings: Mapping[str, int]) -> Generator[pa.RecordBatch, None, None]:
        empty = True
        try:
            with self._client.query_arrow_stream(query.sql, settings=settings, use_strings=True) as stream:
                for batch in stream:
                    empty = False
                    yield batch
            if empty:
                # A stream without rows does not say its columns; it is run again as a table.
                table = self._client.query_arrow(query.sql, settings=settings, use_strings=True)
                yield from batches_of(table.to_reader())
        except GeneratorExit:
            raise
        except Exception as error:
            raise read_error(self.adapter, query, error) from None

    def _bounds(self, seconds: float) -> dict[str, int]:
        """Return the settings of an author's query; a lower limit of the user's profile stays."""
        limits = {"max_execution_time": int(seconds), "max_memory_usage": _QUERY_BYTES}
        for name, limit in limits.items():
            own = self._client.server_settings.get(name)
            limits[name] = min(int(float(own.value)) or limit, limit) if own is not None else limit
        return {**_SETTINGS, **limits}

    def disconnect(self) -> None:
        """Disconnect."""
        self._client.close()
