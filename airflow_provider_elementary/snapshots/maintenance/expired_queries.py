"""Drops rows of a query history that are too old."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import result_file_days, result_kind, result_series
from airflow_provider_elementary.storage.records.result_document import RESULT, Result, ResultFile
from airflow_provider_elementary.storage.records.results import all_results
from airflow_provider_elementary.storage.records.series import Before, extend
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_KIND = "queries"


def drop_expired_queries(repository: Repository, now: datetime, category_days: Mapping[str, int]) -> int:
    """Commit each stored history again without the days that are over, also where no task reads it any more.

    The files go with the result that named them, once that is old enough. A key that may not sign results drops none,
    and the log says so.

    :param category_days: after how many days data of a category goes; the history's own days count where they are
        fewer.
    :return: how many files were dropped.
    """
    newest: dict[str, Result] = {}
    unreadable: set[str] = set()
    # The newest number of a series has the least name.
    for _, result in sorted(all_results(repository, result_kind(_KIND), unreadable=unreadable).items()):
        newest.setdefault(result.series, result)
    if unreadable:
        # One of them may be the newest.
        return 0
    dropped = 0
    for result in newest.values():
        kept = [file for file in result.files if not _is_expired(file, result, now, category_days)]
        if len(kept) < len(result.files) and _may_commit(repository, result):
            dropped += len(result.files) - len(kept)
            _commit_again(repository, result, tuple(kept), now)
    return dropped


def _may_commit(repository: Repository, result: Result) -> bool:
    signer = repository.documents.require_signer()
    if repository.documents.trust.can(signer.key_id, Role.RESULTS):
        return True
    log.warning(
        "kept expired days of the query history %s: signing key %s may not sign for results. Use one that may.",
        result.series,
        signer.key_id,
    )
    return False


def _is_expired(file: ResultFile, result: Result, now: datetime, category_days: Mapping[str, int]) -> bool:
    given = [result.parameters.get("days"), category_days.get(Category.QUERY_LOGS)]
    days = [number for number in given if isinstance(number, int)]
    about = result_file_days(file.key)
    return bool(days) and about is not None and about[1] < (now - timedelta(days=min(days))).date()


def _commit_again(repository: Repository, result: Result, files: tuple[ResultFile, ...], now: datetime) -> None:
    """Write a history with fewer files, unless a run wrote a newer one meanwhile."""
    run_key = f"prune/{now:%Y-%m-%d}"

    def document(before: Before, newest: Result | None) -> Result:
        if newest is None or newest.key != result.key:
            return newest or result
        return replace(
            result,
            key=before.name,
            run_key=run_key,
            created_at=in_utc(now).isoformat(timespec="seconds"),
            files=files,
            previous=before.previous,
            previous_run=before.previous_run,
        )

    extend(
        repository.documents,
        result_series(_KIND, result.series),
        RESULT,
        document,
        Role.RESULTS,
        run_key=run_key,
    )
