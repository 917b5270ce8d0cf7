"""Reads BigQuery through Google's client, as Arrow."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.access.check.session import (
    StatementDeniedError,
    StatementFailedError,
    TransportFacts,
)
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.driver_errors import Cause, cause_of
from airflow_provider_elementary.warehouses.exclusion import read_error
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from airflow_provider_elementary.warehouses.warehouse import SystemCatalogSession, connection_lost_error


class BigQueryWarehouse(SystemCatalogSession):
    """A session on BigQuery, in its standard SQL.

    :param client: an open ``google.cloud.bigquery.Client``.
    :param storage: a client of the Storage Read API; None reads the results by REST, which needs no further right.
    :param schema: the Elementary dataset.
    :param database: the project that holds it; the client's own by default.
    :param transport: how the link is protected, as the client asked for it.
    :param calls: runs the client's calls.
    """

    dialect = adapter = "bigquery"
    placeholder = WAREHOUSES[adapter].driver.placeholder

    def __init__(
        self,
        client: Any,
        storage: Any,
        schema: str,
        database: str | None,
        transport: TransportFacts,
        calls: Calls | None = None,
    ) -> None:
        self.calls = calls or Calls(self.dialect)
        self.schema = schema
        self.database: str | None = database or client.project
        self.transport: TransportFacts | None = transport
        self._client = client
        self._storage = storage

    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one statement over the system catalog."""
        try:
            rows = self._run(statement, parameters)
            return [field.name for field in rows.schema], [tuple(row.values()) for row in rows]
        except Exception as error:
            cause = cause_of(error)
            if cause is Cause.LOST:
                raise connection_lost_error(self.adapter, "reading its system catalog", error) from None
            refusal = StatementDeniedError if cause is Cause.DENIED else StatementFailedError
            raise refusal(type(error).__name__) from None

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query, one page or one block of the Storage API at a time."""
        try:
            rows = self._run(query.sql)
            yield from self._from_storage(rows) if self._storage is not None else rows.to_arrow_iterable()
        except GeneratorExit:
            raise
        except Exception as error:
            raise read_error(self.adapter, query, error) from None

    def _from_storage(self, rows: Any) -> Iterator[pa.RecordBatch]:
        # One stream, and one waiting block: several would hold as many blocks in memory.
        blocks = rows.to_arrow_iterable(bqstorage_client=self._storage, max_queue_size=1, max_stream_count=1)
        has_begun = False
        try:
            for batch in blocks:
                has_begun = True
                yield batch
        except Exception as error:
            if has_begun or cause_of(error) is not Cause.DENIED:
                raise
            # The role may not create read sessions; REST gives the same rows, more slowly.
            self._storage = None
            yield from rows.to_arrow_iterable()
        else:
            if not has_begun:
                yield from rows.to_arrow_iterable()

    def _run(self, statement: str, parameters: Sequence[object] = ()) -> Any:
        from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

        values = [
            ScalarQueryParameter(f"p{number}", "STRING", str(value)) for number, value in enumerate(parameters, 1)
        ]
        # Airflow's hook defaults to legacy SQL, which has neither these names nor these parameters.
        config = QueryJobConfig(
            query_parameters=values, use_legacy_sql=False, default_dataset=f"{self.database}.{self.schema}"
        )
        page_rows = WAREHOUSES[self.adapter].driver.batch_rows
        return self._client.query(statement, job_config=config).result(page_size=page_rows)

    def disconnect(self) -> None:
        """Disconnect."""
        self._client.close()
