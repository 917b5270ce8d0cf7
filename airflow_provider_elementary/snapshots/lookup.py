"""Finds manifests: the newest, and that of an id or a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.snapshots.index import (
    NARROW,
    SEARCHED,
    candidates,
    newest_page,
    numbers_at_the_end,
    pages_of,
    read_index_rows,
    read_pages,
    read_pages_ahead,
)
from airflow_provider_elementary.snapshots.index.page import Row
from airflow_provider_elementary.snapshots.lists import merge
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest
from airflow_provider_elementary.snapshots.manifest_document import (
    GENERATION,
    MANIFEST,
    Generation,
    ManifestDocument,
    entries,
    manifest_of,
)
from airflow_provider_elementary.snapshots.numbers import newest_proved
from airflow_provider_elementary.snapshots.prune_record import (
    known_record,
    read_records,
    tombstones,
)
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import (
    MANIFESTS,
    begun_at,
    generation_number,
    manifest_key,
    manifest_number,
    numbered,
)
from airflow_provider_elementary.storage.parallel import Threads, in_parallel
from airflow_provider_elementary.storage.signed_documents import Signed
from airflow_provider_elementary.times import in_utc
from airflow_provider_elementary.words import plural

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

#: The manifests of a list, which are at most 15, are read at once.
_LIST_READERS = 15


def committed_sequences(repository: Repository) -> list[int]:
    """Return the numbers of the snapshots that a store holds, oldest first: up to the newest that is proved."""
    numbers = list(numbered(repository.store, MANIFESTS)[0])
    head = find_head(repository, numbers)
    # A snapshot that was pruned may stay, as later ones add to its list.
    pruned = tombstones(list(read_records(repository)))
    return [number for number in numbers if head and number <= head.document.sequence and number not in pruned]


def newest_sequences(repository: Repository, count: int) -> list[int]:
    """Return the numbers of the newest snapshots that a store holds, oldest first: at least some, where there are."""
    if (head := find_head(repository)) is None:
        return []
    newest, pruned = head.document.sequence, tombstones(list(read_records(repository)))
    first = max(1, newest - 2 * count)
    numbers = numbered(repository.store, MANIFESTS, manifest_key(first - 1))[0]
    found = [number for number in numbers if number <= newest and number not in pruned]
    # Where most of them were pruned, there are older ones.
    return found if first == 1 or len(found) >= count else committed_sequences(repository)


def find_head(repository: Repository, numbers: Sequence[int] | None = None) -> Signed[ManifestDocument] | None:
    """Return the newest proved manifest, or None in an empty store; what outsiders put beside it is passed over.

    :param numbers: those that were found below ``manifests/``, where the caller listed them.
    :raises SnapshotCorruptError: the connection pins a store, and there is none or another one.
    :raises StoreRefusedError: none is proved, and some are not given out.
    """
    if numbers is not None:
        repository.require_pinned_store()

    def proved(number: int) -> Signed[ManifestDocument] | None:
        try:
            return read_signed(repository, number)
        except (UnprovedError, SnapshotNotFoundError):
            return None
        except (StoreRefusedError, KeyUnavailableError) as error:
            # The storage does not give it out: an outsider's object, or one that was archived.
            repository.unreadable[number] = error
            return None

    def known() -> int:
        row = newest_page(repository)
        return row.sequence if row is not None else start

    at_the_end = _look(repository) if numbers is None else []
    if at_the_end and (newest := proved(at_the_end[-1])) is not None:
        return newest
    record = known_record(repository)
    # The newest snapshot at the time of a prune stays, and all after it do.
    start = record.document.head.sequence if record else 1
    head = None
    if numbers is None and not repository.listed_after:
        # Without a page of the index, those at the end are all.
        numbers = at_the_end
    elif numbers is None:
        head = newest_proved(at_the_end, start, proved, known, are_all=False)
    if head is None:
        if numbers is None:
            numbers = list(numbered(repository.store, MANIFESTS)[0])
        head = newest_proved(numbers, start, proved, known)
    if head is None and start > 1:
        head = newest_proved(numbers or (), 1, proved, known)
    if head is None and repository.unreadable:
        # Nothing says that these credentials may read any of it.
        raise repository.unreadable[max(repository.unreadable)]
    for number, error in repository.unreadable.items():
        if head is not None and number > head.document.sequence:
            log.warning("passed over snapshot number %s: %s", number, error)
    return head


def _look(repository: Repository) -> list[int]:
    """Return the newest numbers below ``manifests/``, with the genesis read beside them."""
    with Threads(2) as threads:
        numbers = threads.submit(numbers_at_the_end, repository)
        threads.submit(repository.require_pinned_store).result()
        return numbers.result()


def read_signed(repository: Repository, sequence: int) -> Signed[ManifestDocument]:
    """Return the document of the manifest of that number, with its hash.

    :raises SnapshotNotFoundError: there is none.
    :raises UnprovedError: no key of the store signed it.
    :raises SnapshotCorruptError: it is not a valid one, or that of another number.
    """
    if (known := repository.read.get(sequence)) is not None:
        return known
    name = manifest_key(sequence)
    expected = repository.named_hash(sequence)
    found = repository.documents.read(name, MANIFEST, Role.STORE, number=sequence, expected=expected)
    if found is None:
        raise SnapshotNotFoundError(f"{repository.uri} holds no snapshot number {sequence}.")
    if found.document.sequence != sequence:
        raise SnapshotCorruptError(f"{name} of {repository.uri} holds snapshot number {found.document.sequence}.")
    repository.read[sequence] = found
    return found


def read_manifest(repository: Repository, sequence: int) -> Manifest:
    """Return the manifest of that number; see :func:`read_signed`."""
    return resolve_manifest(repository, read_signed(repository, sequence))


def resolve_manifest(repository: Repository, found: Signed[ManifestDocument]) -> Manifest:
    """Return the manifest that a document stores, with its whole list.

    :raises SnapshotCorruptError: its generation, or a manifest that its list adds to, is missing or not proved.
    """
    document = found.document
    with Threads(1) as threads:
        ahead = threads.submit(_read_ahead, repository, document.lists)
        generation = read_generation(repository, document)
        ahead.result()
    files = files_of(repository, (*document.lists, document.sequence), generation)
    return manifest_of(document, found.sha256, generation, files)


def read_generation(repository: Repository, document: ManifestDocument) -> Generation:
    """Return what a snapshot has in common with others.

    :raises SnapshotCorruptError: it is missing, not proved or another one.
    """
    reference = document.generation
    if (known := repository.generations.get(reference.sha256)) is not None:
        return known
    number = generation_number(reference.name)
    found = repository.documents.read(reference.name, GENERATION, Role.STORE, number=number, expected=reference.sha256)
    if found is None or found.sha256 != reference.sha256:
        raise SnapshotCorruptError(
            f"{reference.name}, which snapshot {document.snapshot_id} names, is {'another one' if found else 'missing'}"
            f" in {repository.uri}. Restore it from a replica or an older version of the object."
        )
    repository.generations[reference.sha256] = found.document
    return found.document


def _read_ahead(repository: Repository, numbers: Sequence[int]) -> None:
    """Read manifests side by side; what is wrong with one is raised where it is needed."""

    def read(number: int) -> None:
        with suppress(ElementaryError):
            read_signed(repository, number)

    if repository.kept is not None:
        # The newest first: it names the one before, which the task may have kept.
        for number in sorted(numbers, reverse=True):
            named = repository.named_hash(number)
            if named is not None and repository.kept.document(named) is not None:
                read(number)
    if unread := [number for number in numbers if number not in repository.read]:
        list(in_parallel(read, unread, _LIST_READERS))


def files_of(repository: Repository, numbers: Sequence[int], generation: Generation) -> list[FileEntry]:
    """Return the files that manifests list together.

    :param numbers: theirs, oldest first.
    :raises SnapshotCorruptError: one is missing or not proved.
    """
    _read_ahead(repository, numbers)
    try:
        documents = [read_signed(repository, number).document for number in numbers]
    except SnapshotNotFoundError as error:
        raise SnapshotCorruptError(
            f"Snapshot number {numbers[-1]} adds to one that is missing: {error} Restore it from a replica or an older "
            "version of the object."
        ) from None
    return merge((entries(document, generation), document.dropped) for document in documents)


def none_found(repository: Repository) -> SnapshotNotFoundError:
    """Return the error of a store without snapshots.

    :raises StoreRefusedError: there is no store either.
    """
    _ = repository.trust
    return SnapshotNotFoundError(f"{repository.uri} holds no snapshot. Run the snapshot task first, and check the URI.")


def find_manifest(repository: Repository, snapshot: str | datetime = "latest") -> Manifest:
    """Return the manifest of a snapshot; see :func:`open_snapshot` for how to name it.

    A manifest that cannot be read is an error only where it may be the one that is meant.
    """
    until = in_utc(snapshot) if isinstance(snapshot, datetime) else None
    begun = begun_at(snapshot) if isinstance(snapshot, str) else until
    if snapshot == "latest":
        if (head := find_head(repository)) is None:
            raise none_found(repository)
        return resolve_manifest(repository, head)
    with Threads(3) as threads:
        # While the newest is looked for, what else has to be known is read.
        trust = threads.submit(repository.require_pinned_store)
        ahead = threads.submit(read_pages_ahead, repository, begun, trust.result)
        records = threads.submit(lambda: list(read_records(repository)))
        if (head := find_head(repository)) is None:
            raise none_found(repository)
        ahead.result()
        # A snapshot that was pruned may stay, as later ones add to its list.
        pruned = tombstones(records.result())
    newest = head.document.sequence

    def there(first: int, last: int) -> list[int]:
        with Threads(1) as threads:
            threads.submit(_read_likely, repository, range(first, last + 1), newest, snapshot)
            names = repository.store.list(MANIFESTS, manifest_key(first - 1))
            found = takewhile(lambda number: number <= last, (manifest_number(each.key) for each in names))
            return [number for number in found if number and number not in pruned]

    number = _find(repository, there, newest, snapshot, begun)
    if number is not None:
        return read_manifest(repository, number)
    rows, errors = read_index_rows(repository, there(1, newest), newest)
    raise not_among(repository, snapshot, [row.snapshot_id for _, row in sorted(rows.items())], unreadable=len(errors))


def not_among(
    repository: Repository, snapshot: str | datetime, others: Sequence[str], unreadable: int = 0
) -> SnapshotNotFoundError:
    """Return the error of a snapshot that is none of those of a store.

    :param others: the ids of those that it holds, the oldest first.
    :param unreadable: how many manifests cannot be read.
    """
    held = "no other"
    if others:
        span = others[0] if len(others) == 1 else f"from {others[0]} to {others[-1]}"
        held = f"{plural(len(others), 'other')}, {span}"
    more = f", and {plural(unreadable, 'manifest')} that cannot be read" if unreadable else ""
    return SnapshotNotFoundError(
        f"{repository.uri} holds no snapshot {snapshot}, but {held}{more}. Name one of those that "
        "`airflow-elementary snapshot list` or the Elementary page shows, latest, or a time after the oldest was taken."
    )


def _read_likely(repository: Repository, numbers: range, newest: int, snapshot: str | datetime) -> None:
    """Read the likely snapshot of an id or a time, and those that its list adds to, while names are listed."""
    known: dict[int, Row] = {}
    if newest in numbers:
        with Threads(2) as threads:
            first = max(numbers[0], (newest - 1) // NARROW * NARROW + 1)
            threads.submit(_read_ahead, repository, range(first, newest))
            # Of most new snapshots it is the same one.
            threads.submit(read_generation, repository, repository.read_signed(newest).document)
            read_pages(repository, numbers, pages_of(newest, SEARCHED))
        known, _ = read_index_rows(repository, numbers, newest, SEARCHED)
    else:
        for rows in list(repository.pages.values()):
            known |= {row.sequence: row for row in rows if row.sequence in numbers}
    if (number := _among(sorted(known), known, {}, snapshot)) is None:
        return
    if (found := repository.read.get(number)) is None:
        _read_ahead(repository, (*known[number].lists, number))
        return
    # Its generation beside its list; what is wrong with them is raised where they are needed.
    with suppress(ElementaryError):
        resolve_manifest(repository, found)


def _find(
    repository: Repository,
    there: Callable[[int, int], Sequence[int]],
    newest: int,
    snapshot: str | datetime,
    moment: datetime | None,
) -> int | None:
    """Return the number of a snapshot by its id or time, reading as few pages as can be; None where there is none.

    :param moment: the time, or that of the id.
    :raises SnapshotCorruptError: a manifest that may be the one that is meant cannot be read.
    """
    for numbers in candidates(repository, there, newest, moment):
        rows, errors = read_index_rows(repository, numbers, newest, SEARCHED)
        number = _among(numbers, rows, errors, snapshot)
        if number is not None and read_signed(repository, number).sha256 != rows[number].sha256:
            # The page is of snapshots that were removed, and others have their numbers now.
            rows, errors = read_index_rows(repository, numbers, newest, ())
            number = _among(numbers, rows, errors, snapshot)
        if number is not None:
            return number
    return None


def _among(
    numbers: Sequence[int], rows: Mapping[int, Row], errors: Mapping[int, ElementaryError], snapshot: str | datetime
) -> int | None:
    """Return which of these numbers is the snapshot of an id or a time.

    :raises SnapshotCorruptError: a manifest that may be the one that is meant cannot be read.
    """
    doubt: ElementaryError | None = None
    for number in sorted(numbers, reverse=True):
        if number in errors:
            doubt = errors[number]
            continue
        row = rows[number]
        if isinstance(snapshot, str):
            if row.snapshot_id == snapshot:
                return number
        elif row.taken_at > in_utc(snapshot):
            # Whatever came before this one is older than it, and may be the one.
            doubt = None
        elif doubt is not None:
            raise doubt
        else:
            return number
    return None
