"""Stores sums of a query history, by node of the dbt project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import SnapshotNotFoundError
from airflow_provider_elementary.project.project import Project, read_project
from airflow_provider_elementary.project.usage import USAGE
from airflow_provider_elementary.query_history.reader import read_nodes, read_query_history
from airflow_provider_elementary.query_history.schema import DAYS
from airflow_provider_elementary.query_history.usage import USAGE_COLUMNS, project_usage
from airflow_provider_elementary.snapshots.reader import open_snapshot
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.result_files import ResultNames, write_rows
from airflow_provider_elementary.storage.records.results import commit_result, newest_result
from airflow_provider_elementary.times import in_utc

#: The page shows it to people who may not open the history: sums are encrypted as metrics of tables are.
_CATEGORY = Category.TABLE_METRICS
#: All rows of the history are read for it.
_EVERY = timedelta(hours=20)


def update_usage(
    repository: Repository, history: Result, *, run_key: str, now: datetime | None = None
) -> Result | None:
    """Store the usage of each node of the newest snapshot's project in the last 30 days; None where it is not due.

    It is due 20 hours after the one before, or at once where that has no rows. Tables that dbt does not know are left
    out, and no query and no user is named.

    :param history: the newest result of a history; those of other connections count as well.
    :param run_key: what the run is for.
    :param now: what time it is; for tests.
    :raises KeyUnavailableError: the key of Query logs or of Table metrics is missing here.
    """
    moment = now or datetime.now(UTC)
    earlier = newest_result(repository, USAGE, "")
    if earlier is not None and earlier.rows and in_utc(datetime.fromisoformat(earlier.created_at)) > moment - _EVERY:
        return None
    since = (moment - timedelta(days=DAYS)).date()
    queries = read_query_history(repository, since=since, columns=USAGE_COLUMNS)
    rows, first = project_usage(queries, _tables(_project(repository)), read_nodes(repository))
    key = repository.keys.new_data_key(_CATEGORY, Purpose.RESULT)
    names = ResultNames(USAGE, "", run_key)
    batches = rows.to_batches()
    files = write_rows(
        repository, names, batches, rows.schema, {_CATEGORY: key}, category=_CATEGORY, always=(_CATEGORY,)
    )
    return commit_result(
        repository,
        names,
        files,
        {_CATEGORY: key},
        origin={"history": history.key},
        parameters={"days": DAYS, "since": first.date().isoformat() if first else None},
    )


def _project(repository: Repository) -> Project | None:
    try:
        return read_project(open_snapshot(repository))
    except SnapshotNotFoundError:
        return None


def _tables(project: Project | None) -> Mapping[str, str]:
    """Return the node of each name that a query may read its table by: with the database, or without where one has it.

    A name without a schema depends on the session, and is of no node.
    """
    tables = project.tables if project is not None else {}
    short = Counter(map(_without_database, tables))
    alone = {_without_database(table): node for table, node in tables.items() if short[_without_database(table)] == 1}
    return {**alone, **tables}


def _without_database(table: str) -> str:
    return ".".join(table.split(".")[-2:])
