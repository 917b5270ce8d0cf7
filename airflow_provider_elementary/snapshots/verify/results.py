"""Checks results, answers and access reports: signatures, places, snapshots, files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    SnapshotCorruptError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.snapshots.chain import Chain, ChainFinding, Damage
from airflow_provider_elementary.snapshots.verify.files import NamedFile
from airflow_provider_elementary.storage.documents import Codec
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.layout import (
    ACCESS_REPORTS,
    FEEDBACK,
    RESULTS,
    is_result,
    series_key,
    series_number,
)
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.storage.parallel import in_parallel
from airflow_provider_elementary.storage.records.answer_log import ANSWER_LOG_CODEC, AnswerLog
from airflow_provider_elementary.storage.records.report_log import REPORT, report_of
from airflow_provider_elementary.storage.records.result_document import RESULT, Result
from airflow_provider_elementary.storage.records.results import checked_result
from airflow_provider_elementary.storage.records.series import Numbered, SeriesPlace
from airflow_provider_elementary.storage.signed_documents import Signed

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository


@dataclass
class CheckedSeries:
    """What is gathered while the documents of series are read.

    :param results: proved results that were read.
    :param reports: proved access reports that were read.
    :param answers: what people answered to incidents, in the newest document of answers.
    :param named: the files of the results.
    :param removable: those of them that a prune removes from results that stay.
    """

    results: int = 0
    reports: int = 0
    answers: int = 0
    findings: list[ChainFinding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    named: dict[str, NamedFile] = field(default_factory=dict)
    removable: set[str] = field(default_factory=set)

    def is_gone(self, store: Store, finding: ChainFinding) -> bool:
        """Return whether a file is missing whose result was removed meanwhile."""
        if finding.damage is not Damage.MISSING:
            return False
        return all(store.get_capped(name, 0) is None for name in self.named[finding.object].by)


@dataclass(frozen=True)
class _Kind:
    """One kind of series.

    :param is_kept: nothing removes a document but somebody who should not.
    """

    codec: Codec[Any]
    role: Role
    is_kept: bool
    check: Callable[[Signed[Any]], object]


_KINDS: Mapping[str, _Kind] = {
    RESULTS: _Kind(RESULT, Role.RESULTS, False, lambda found: checked_result(found.document, found.name)),
    ACCESS_REPORTS: _Kind(REPORT, Role.ACCESS, True, report_of),
    FEEDBACK: _Kind(ANSWER_LOG_CODEC, Role.RESULTS, False, lambda found: found.document),
}


def check_series(repository: Repository, chain: Chain, *, each: bool) -> CheckedSeries:
    """Check the results, answers and access reports of a store.

    :param chain: the snapshots that results may be of.
    :param each: check every document; else the newest of each series and that of the run before it.
    """
    checked = CheckedSeries()
    known = {link.snapshot_id for link in chain.links.values()}
    known |= {stone.snapshot_id for stone in chain.tombstones.values()}
    # The id of a snapshot that was lost is not known any more.
    has_lost = "" in known or any(link.lost_until is not None for link in chain.links.values())
    given: dict[int, str] = {}
    applied: list[tuple[str, SeriesPlace]] = []
    for prefix, kind in _KINDS.items():
        for folder, numbers in sorted(_folders(repository, prefix).items()):
            documents = _read(repository, folder, numbers, kind, checked, each=each)
            checked.findings += _check_places(folder, numbers, documents, kind, each=each)
            for number, found in documents.items():
                if isinstance(found.document, AnswerLog):
                    checked.answers = max(checked.answers, len(found.document.answers))
                    given[number] = found.sha256
                    continue
                if not isinstance(found.document, Result):
                    checked.reports += 1
                    continue
                checked.results += 1
                applied += [(found.name, place) for place in _answers_of(found.document)]
                _name_files(found.document, checked)
                if not has_lost and (finding := _check_snapshot(found.document, known)) is not None:
                    checked.findings.append(finding)
    # Of what is there and cannot be read, nothing says that it was removed.
    unread = {series_number(FEEDBACK, found.object) or 0 for found in checked.findings} if applied else set()
    checked.findings += _check_applied(applied, given, max(unread | given.keys(), default=0))
    return checked


def _answers_of(result: Result) -> Iterator[SeriesPlace]:
    """Yield the place of the answers that were applied to incidents."""
    match result.parameters.get("answers"):
        case {"number": int(number), "sha256": str(sha256)}:
            yield SeriesPlace(number, sha256)


def _check_applied(
    applied: list[tuple[str, SeriesPlace]], given: Mapping[int, str], newest: int
) -> Iterator[ChainFinding]:
    """Check that the answers are there that incidents were updated with, or later ones.

    :param given: the hashes of the documents that were read, by number.
    :param newest: the number of the newest one that is there.
    """
    for name, place in applied:
        own = given.get(place.number)
        if place.number > newest:
            detail = f"{name} was made with them: the newest answers were removed."
            yield ChainFinding(Damage.ROLLED_BACK, series_key(FEEDBACK, place.number), detail)
        elif own is not None and own != place.sha256:
            detail = f"SHA-256 {own} is not {place.sha256}, which {name} names."
            yield ChainFinding(Damage.REWRITTEN, series_key(FEEDBACK, place.number), detail)


def _folders(repository: Repository, prefix: str) -> dict[str, list[int]]:
    """Return the series below a prefix, with the numbers that are there, the newest first."""
    found: dict[str, list[int]] = {}
    for entry in repository.store.list(prefix):
        folder = f"{entry.key.rpartition('/')[0]}/"
        number = series_number(folder, entry.key)
        if number is not None and (prefix != RESULTS or is_result(entry.key)):
            found.setdefault(folder, []).append(number)
    return found


def _read(
    repository: Repository, folder: str, numbers: list[int], kind: _Kind, checked: CheckedSeries, *, each: bool
) -> dict[int, Signed[Any]]:
    """Return the proved and valid documents that are to be checked, by number, the newest first."""
    found: dict[int, Signed[Any]] = {}
    for number, answer in _answers(repository, folder, numbers, kind, each=each):
        name = series_key(folder, number)
        if isinstance(answer, UnprovedError):
            checked.notes.append(f"{name}: no key of the store signed it, ignored")
        elif isinstance(answer, SnapshotCorruptError):
            checked.findings.append(ChainFinding(Damage.CHANGED, name, str(answer)))
        elif isinstance(answer, ElementaryError):
            checked.findings.append(ChainFinding(Damage.UNREADABLE, name, str(answer), needs_key=True))
        elif answer is not None:
            found[number] = answer
    return found


def _answers(
    repository: Repository, folder: str, numbers: list[int], kind: _Kind, *, each: bool
) -> Iterator[tuple[int, Signed[Any] | ElementaryError | None]]:
    def read(number: int) -> tuple[int, Signed[Any] | ElementaryError | None]:
        try:
            found = repository.documents.read(series_key(folder, number), kind.codec, kind.role)
            if found is not None:
                kind.check(found)
        except (SnapshotCorruptError, StoreRefusedError, KeyUnavailableError) as error:
            return number, error
        return number, found

    if each:
        yield from in_parallel(read, numbers)
        return
    for place, number in enumerate(numbers):
        yield (answer := read(number))
        if isinstance(newest := answer[1], Signed):
            document: Numbered = newest.document
            wanted = {place.number for place in (document.previous, document.previous_run) if place is not None}
            yield from (read(number) for number in numbers[place + 1 :] if number in wanted)
            return


def _check_places(
    folder: str, numbers: list[int], documents: Mapping[int, Signed[Any]], kind: _Kind, *, each: bool
) -> Iterator[ChainFinding]:
    """Check each document of a series against those that it names."""
    newest = max(documents, default=0)
    there = set(numbers)
    for number, found in documents.items():
        document: Numbered = found.document
        before = document.previous.number if document.previous is not None else 0
        if before != number - 1:
            detail = (
                f"{found.name} was written after number {before}: those up to number {number - 1} had been removed."
            )
            yield ChainFinding(Damage.ROLLED_BACK, series_key(folder, number - 1), detail)
        needed = document.previous if kind.is_kept else document.previous_run
        if number != newest and not (kind.is_kept and each):
            needed = None
        for place in {document.previous, document.previous_run} - {None}:
            assert place is not None  # noqa: S101 - for the type checker
            yield from _check_place(folder, found, place, documents, is_needed=place == needed)
    if kind.is_kept and not each:
        for number in range(1, newest):
            if number not in there:
                yield _missing(folder, number, "Nothing removes an access report.")


def _check_place(
    folder: str, found: Signed[Any], place: SeriesPlace, documents: Mapping[int, Signed[Any]], *, is_needed: bool
) -> Iterator[ChainFinding]:
    own = documents.get(place.number)
    if own is None:
        if is_needed:
            yield _missing(folder, place.number, f"{found.name} names it, and it is missing or not proved.")
    elif own.sha256 != place.sha256:
        detail = f"SHA-256 {own.sha256} is not {place.sha256}, which {found.name} names."
        yield ChainFinding(Damage.REWRITTEN, series_key(folder, place.number), detail)


def _missing(folder: str, number: int, detail: str) -> ChainFinding:
    return ChainFinding(Damage.MISSING, series_key(folder, number), detail)


def _name_files(result: Result, checked: CheckedSeries) -> None:
    checked.removable.update(file.key for file in result.saved_files)
    for file in result.files:
        wrapped = result.keys.get(file.category.value)
        # Results of one series have files in common.
        known = checked.named.get(file.key)
        by = [*known.by, result.key] if known is not None else [result.key]
        checked.named[file.key] = NamedFile(file, result.kind, Purpose.RESULT, [wrapped], by)


def _check_snapshot(result: Result, known: set[str]) -> ChainFinding | None:
    """Check that the snapshot is or was there that a result was computed from."""
    snapshot_id = result.origin.get("snapshot_id")
    if snapshot_id is None or snapshot_id in known:
        return None
    detail = f"It is of snapshot {snapshot_id}, which is missing, and no prune record says that prune removed it."
    return ChainFinding(Damage.ROLLED_BACK, result.key, detail)
