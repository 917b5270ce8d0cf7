"""Reads the stored query history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import pyarrow as pa

from airflow_provider_elementary.exceptions import SnapshotNotFoundError
from airflow_provider_elementary.query_history.schema import HISTORY_SCHEMA, KIND
from airflow_provider_elementary.snapshots.reader import open_snapshot
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import reader_of
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import result_file_days, result_kind
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_document import RESULT, Result
from airflow_provider_elementary.storage.records.result_files import read_files
from airflow_provider_elementary.storage.records.results import checked_result, newest_result
from airflow_provider_elementary.storage.records.series import newest_first


def read_nodes(repository: Repository) -> dict[str, str]:
    """Return the dbt node of each query id that the newest snapshot's run results name; none where it shows neither."""
    try:
        snapshot = open_snapshot(repository)
    except SnapshotNotFoundError:
        return {}
    if not {"query_id", "unique_id"} <= set(snapshot.schema("dbt_run_results").names):
        return {}
    nodes: dict[str, str] = {}
    for batch in snapshot.read("dbt_run_results", columns=["query_id", "unique_id"]):
        pairs = zip(batch["query_id"].to_pylist(), batch["unique_id"].to_pylist(), strict=True)
        nodes.update({query: node for query, node in pairs if query and node})
    return nodes


def read_query_history(
    opened: OpenStore,
    connection: str | None = None,
    *,
    since: date | None = None,
    columns: Sequence[str] | None = None,
) -> pa.RecordBatchReader:
    """Stream the stored queries, a day after the other.

    :param connection: the connection that they were read through; None for those of all.
    :param since: the first day of their ends, UTC.
    :param columns: those to read; None for all.
    :raises SnapshotNotFoundError: the store holds none.
    :raises KeyUnavailableError: the key of Query logs does not open them.
    """
    found = stored_histories(opened, connection)
    if not found:
        raise SnapshotNotFoundError(
            f"{opened.uri} holds no query history{f' of {connection}' if connection else ''}. It is off by default: "
            "run the task that reads it first."
        )

    def batches() -> Iterator[pa.RecordBatch]:
        for result in found:
            dated = {file: days[0] for file in result.files if (days := result_file_days(file.key))}
            wanted = [
                file for file, day in sorted(dated.items(), key=lambda entry: entry[1]) if since is None or day >= since
            ]
            yield from read_files(opened, result, wanted, columns=columns)

    schema = pa.schema([field for field in HISTORY_SCHEMA if columns is None or field.name in columns])
    return reader_of(schema, batches())


def stored_histories(opened: OpenStore, connection: str | None = None) -> list[Result]:
    """Return the newest result of each series, or of that of one connection."""
    if connection is not None:
        found = newest_result(opened, KIND, connection)
        return [found] if found is not None else []
    prefix = result_kind(KIND)
    folders = {prefix + found.key.removeprefix(prefix).split("/")[0] + "/" for found in opened.store.list(prefix)}
    newest = (next(newest_first(opened.documents, folder, RESULT, Role.RESULTS), None) for folder in folders)
    results = [checked_result(signed.document, signed.name) for signed in newest if signed is not None]
    return sorted(results, key=lambda result: result.series)
