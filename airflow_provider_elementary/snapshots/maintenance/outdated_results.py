"""Finds results whose snapshot was pruned."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage.layout import RESULTS, begun_at
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import all_results, kept_for_next_run
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository


@dataclass(frozen=True)
class OutdatedResults:
    """The results that go.

    :param results: with the documents that name their files.
    :param kept_files: the files of those that stay, which may be files of those that go too.
    :param saved: files of those that stay, which only saved reading: no run continues with them.
    """

    results: list[Result]
    kept_files: frozenset[str]
    saved: frozenset[str] = frozenset()

    def names(self, key: str) -> bool:
        """Return whether an object is one of theirs, and of no result that stays."""
        return key in self.saved or (
            key not in self.kept_files and (key in self._names or key.startswith(self._prefixes))
        )

    @cached_property
    def _names(self) -> set[str]:
        return {name for result in self.results for name in (result.key, *(file.key for file in result.files))}

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(result.file_prefix for result in self.results)


def outdated_results(
    repository: Repository,
    alive: Collection[str],
    newest_taken: datetime,
    moment: datetime,
    expired: Mapping[Category, Collection[str]] = MappingProxyType({}),
) -> OutdatedResults:
    """Find the metrics and verdicts that were computed from snapshots that go; the newest of each kind stays.

    Those of snapshots after the newest one stay too: it may be hidden.

    :param alive: the ids of the snapshots whose rows stay.
    :param newest_taken: when the newest of them was taken.
    :param moment: younger results stay.
    :param expired: by category, the ids of snapshots that are too old to keep anything of it.
    """
    unreadable: set[str] = set()
    results = all_results(repository, unreadable=unreadable)
    # Files of one that stays may be part of a result that cannot be read now.
    uncertain = tuple({key[: key.index("/", len(RESULTS)) + 1] for key in unreadable})
    newest: dict[str, str] = {}
    for key, result in sorted(results.items(), key=lambda entry: entry[1].created_at):
        if result.kind != "queries":
            newest[result.kind] = key
    # What the next run compares itself with stays too.
    spared = {*newest.values(), *kept_for_next_run(results)}
    # What nobody continued for as long as its rows are kept holds only rows that are too old.
    spared -= {key for key, result in results.items() if result.kind == "queries" and _is_all_expired(result, moment)}
    # Another attempt of a run that stays may share its files' prefix, and goes with it later.
    prefixes = {results[key].file_prefix for key in spared}
    old = (result for result in results.values() if _created_before(result, moment))
    outdated = [
        result
        for result in old
        if result.file_prefix not in prefixes
        and not result.key.startswith(uncertain)
        and _is_outdated(result, results, unreadable, alive, newest_taken)
    ]
    gone = {result.key for result in outdated}
    kept = (file.key for result in results.values() if result.key not in gone for file in result.files)
    return OutdatedResults(outdated, frozenset(kept), frozenset(_unused(results, expired)))


def _unused(results: Mapping[str, Result], expired: Mapping[Category, Collection[str]]) -> set[str]:
    """Return the files that saved only runs of the past from reading, or that are too old."""
    needed = kept_for_next_run(results)
    saved: dict[bool, set[str]] = {True: set(), False: set()}
    for key, result in results.items():
        for file in result.saved_files:
            is_needed = key in needed and result.origin.get("snapshot_id") not in expired.get(file.category, ())
            saved[is_needed].add(file.key)
    return saved[False] - saved[True]


def _is_outdated(
    result: Result,
    results: Mapping[str, Result],
    unreadable: Collection[str],
    alive: Collection[str],
    newest_taken: datetime,
) -> bool:
    """Return whether the input of a result is gone; a result read from a warehouse is never outdated."""
    if result.kind == "queries":
        # The newest of a series holds the rows of those before it that are kept.
        return True
    seen = {result.key}
    while (key := _computed_from(result)) is not None:
        if key in unreadable:
            return False
        if key not in results or key in seen:
            return True
        seen.add(key)
        result = results[key]
    if (snapshot_id := result.origin.get("snapshot_id")) is None or snapshot_id in alive:
        return False
    begun = begun_at(str(snapshot_id))
    return begun is None or begun <= newest_taken


def _computed_from(result: Result) -> str | None:
    """Return the result that one was computed from, or None where it was computed from rows."""
    return next((str(value) for value in result.origin.values() if str(value).startswith(RESULTS)), None)


def _is_all_expired(result: Result, moment: datetime) -> bool:
    days = result.parameters.get("days")
    return isinstance(days, int) and _created_before(result, moment - timedelta(days=days))


def _created_before(result: Result, moment: datetime) -> bool:
    return in_utc(datetime.fromisoformat(result.created_at)) < moment
