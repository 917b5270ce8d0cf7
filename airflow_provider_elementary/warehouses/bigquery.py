"""Reads BigQuery through Google's client, as Arrow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from airflow_provider_elementary.access.check.session import (
    TransportFacts,
)
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.driver_errors import FailureCause, cause_of, refusal
from airflow_provider_elementary.warehouses.exclusion import read_error
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from airflow_provider_elementary.warehouses.warehouse import SystemCatalogSession, connection_lost_error

Answer = TypeVar("Answer")


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
            if cause_of(error) is FailureCause.LOST:
                raise connection_lost_error(self.adapter, "reading its system catalog", error) from None
            raise refusal(error) from None

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query, one page or one block of the Storage API at a time."""
        try:
            rows = self._run(query.sql)
            yield from self._from_storage(rows) if self._storage is not None else rows.to_arrow_iterable()
        except GeneratorExit:
            raise
        except Exception as error:
            raise read_error(self.adapter, query, error) from None

    def permissions(self, asked: Sequence[str], place: tuple[str, str] | None = None) -> set[str]:
        """Return those of the permissions asked that the account has on the project, or on a dataset's table."""
        if place is None:
            return self._ask_google(lambda: self._held_on_project(asked))
        table = f"{self.database}.{'.'.join(place)}"
        return self._ask_google(
            lambda: set(self._client.test_iam_permissions(table, list(asked)).get("permissions", ()))
        )

    def _held_on_project(self, asked: Sequence[str]) -> set[str]:
        base = self._client._connection.API_BASE_URL
        if base.endswith("bigquery.googleapis.com"):
            base = "https://cloudresourcemanager.googleapis.com"
        # The client of BigQuery has no method for it.
        answer = self._client._http.post(
            f"{base}/v1/projects/{self.database}:testIamPermissions", json={"permissions": list(asked)}
        )
        answer.raise_for_status()
        return set(answer.json().get("permissions", ()))

    def projects(self) -> list[str]:
        """Return the projects that the account sees."""
        return self._ask_google(lambda: [project.project_id for project in self._client.list_projects()])

    def datasets(self) -> list[str]:
        """Return the datasets of the project that the account sees."""
        return self._ask_google(lambda: [each.dataset_id for each in self._client.list_datasets(self.database)])

    def dataset_tables(self, dataset: str) -> list[str]:
        """Return the tables of a dataset."""
        place = f"{self.database}.{dataset}"
        return self._ask_google(lambda: [each.table_id for each in self._client.list_tables(place)])

    def bindings(self) -> list[tuple[str, str]]:
        """Return who is bound to the Elementary dataset, and with which role."""
        place = f"{self.database}.{self.schema}"
        return self._ask_google(
            lambda: [
                (str(entry.entity_id), str(entry.role))
                for entry in self._client.get_dataset(place).access_entries
                # Authorized views and routines read other datasets, and have no role.
                if entry.role
            ]
        )

    def _ask_google(self, ask: Callable[[], Answer]) -> Answer:
        def answer() -> Answer:
            try:
                return ask()
            except Exception as error:
                raise refusal(error) from None

        return self.calls.run("asking Google for the account's permissions", answer)

    def _from_storage(self, rows: Any) -> Iterator[pa.RecordBatch]:
        # One stream, and one waiting block: several would hold as many blocks in memory.
        blocks = rows.to_arrow_iterable(bqstorage_client=self._storage, max_queue_size=1, max_stream_count=1)
        has_begun = False
        try:
            for batch in blocks:
                has_begun = True
                yield batch
        except Exception as error:
            if has_begun or cause_of(error) is not FailureCause.DENIED:
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
