"""Checks files against what signed documents say of them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import BinaryIO, cast

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    ObjectNotFoundError,
    SnapshotCorruptError,
    StoreRefusedError,
)
from airflow_provider_elementary.progress import Progress
from airflow_provider_elementary.snapshots.chain import ChainFinding, Damage
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.snapshots.verify.checked_before import CheckedBefore
from airflow_provider_elementary.storage.encrypted_parquet import open_encrypted
from airflow_provider_elementary.storage.file_binding import WHOLE_BYTES, fetch_from
from airflow_provider_elementary.storage.keys import Purpose, StoreKeys, WrappedKey
from airflow_provider_elementary.storage.object_store.store import Store, StoredObject
from airflow_provider_elementary.storage.parallel import in_parallel
from airflow_provider_elementary.storage.records.result_document import ResultFile

#: Bytes of a file that are kept in memory; the rest goes to the disk, as several files are read at once.
_SPOOL_BYTES = WHOLE_BYTES


@dataclass
class CheckedFiles:
    """What is gathered while files are read; see :class:`~.verify.VerifyReport` for the fields."""

    findings: list[ChainFinding] = field(default_factory=list)
    files: int = 0
    size: int = 0
    opened: int = 0
    rows: int = 0
    #: Those that an earlier attempt checked.
    known: int = 0
    #: Of a single file: the version that the store listed.
    version: str = ""

    def add(self, other: CheckedFiles) -> None:
        """Add what was gathered of other files."""
        self.findings += other.findings
        self.files += other.files
        self.size += other.size
        self.opened += other.opened
        self.rows += other.rows
        self.known += other.known


@dataclass(frozen=True)
class NamedFile:
    """A file, the documents that name it, and the data keys that they name for it.

    :param holds: what it holds, in a word.
    :param purpose: of its data keys.
    :param by: the documents that name it, in words.
    """

    file: FileEntry | ResultFile
    holds: str
    purpose: Purpose
    keys: list[WrappedKey | None]
    by: list[str]

    @property
    def said(self) -> str:
        """A hash of what documents say of it."""
        facts = (self.file.sha256, self.file.size, self.file.rows, self.file.category, self.purpose, self.keys)
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def check_files(
    store: Store,
    keys: StoreKeys | None,
    categories: frozenset[Category],
    named: Mapping[str, NamedFile],
    expired: set[str],
    progress: Progress,
    *,
    each: bool,
    before: CheckedBefore | None = None,
) -> CheckedFiles:
    """Read every file, several at a time, and open it with each of its data keys.

    :param keys: without them, hashes alone are compared.
    :param categories: the categories that the keys are expected to open.
    :param expired: names of files that may be gone.
    :param each: they are about all that the store holds, so that their sizes are listed first; else each is asked for.
    :param before: what attempts that were broken off checked is not read again; only with ``each``.
    """
    listed = _Listed(store)
    # A file of another one's size may be that other one.
    sizes_named = {entry.file.size for entry in named.values()}
    owners = {entry.file.sha256: key for key, entry in named.items()}
    largest = max(sizes_named, default=0)
    data_keys = _DataKeys(keys) if keys is not None else None

    def check(entry: NamedFile) -> CheckedFiles:
        one, key, file = CheckedFiles(), entry.file.key, entry.file
        missing = f"The object is missing ({file.size:,} bytes of {entry.holds}); {_by(entry)}."
        of_other_size = f"bytes instead of {file.size:,}; {_by(entry)}."
        if each:
            if (there := listed.find(key)) is None:
                if key not in expired:
                    one.findings.append(ChainFinding(Damage.MISSING, key, missing))
                return one
            one.files, one.size = 1, there.size
            if there.size != file.size and there.size not in sizes_named:
                one.findings.append(ChainFinding(Damage.CHANGED, key, f"Has {there.size:,} {of_other_size}"))
                return one
            known = before.find(there, entry.said) if before is not None else None
            if known is not None and (not known.opened or (data_keys is not None and data_keys.open_all(entry))):
                one.known, one.opened, one.rows = 1, int(known.opened), known.rows
                return one
            one.version = there.version
        try:
            with _downloaded(store, key, largest, keep=keys is not None) as (content, size, digest):
                if not size and not each and listed.find(key) is None:
                    # A link or a directory reads as empty, and no listing has it.
                    raise ObjectNotFoundError(store.uri, key)
                one.files, one.size = 1, size
                if digest is None or size not in sizes_named:
                    least = "at least " if digest is None else ""
                    one.findings.append(ChainFinding(Damage.CHANGED, key, f"Has {least}{size:,} {of_other_size}"))
                elif digest != file.sha256:
                    one.findings.append(_of_another(entry, digest, owners))
                elif data_keys is not None and file.category in categories:
                    _open(one, data_keys, entry, content)
        except StoreRefusedError:
            # What is behind a link is not read, and not listed either: there is no file.
            if each or listed.find(key) is not None:
                raise
            return CheckedFiles([ChainFinding(Damage.MISSING, key, missing)])
        except ObjectNotFoundError:
            # A prune that runs beside removes files that were listed.
            return CheckedFiles([] if key in expired else [ChainFinding(Damage.MISSING, key, missing)])
        return one

    checked = CheckedFiles()
    refused: set[Category] = set()
    entries = list(named.values())
    for entry, one in zip(progress(entries, "Verifying files"), in_parallel(check, entries), strict=True):
        if any(found.needs_key for found in one.findings):
            # Once for each category.
            one.findings = [] if entry.file.category in refused else one.findings
            refused.add(entry.file.category)
        elif before is not None and not one.findings and not one.known:
            before.add(entry.file.key, one.version, entry.said, opened=bool(one.opened), rows=one.rows)
        checked.add(one)
    return checked


class _Listed:
    """What folders list of objects; each is listed once, when one of its objects is first asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._folders: dict[str, Mapping[str, StoredObject]] = {}

    def find(self, key: str) -> StoredObject | None:
        """Return what a listing says of an object; None where none has it."""
        folder = f"{key.partition('/')[0]}/"
        with self._lock:
            if folder not in self._folders:
                self._folders[folder] = {found.key: found for found in self._store.list(folder)}
            return self._folders[folder].get(key)


class _DataKeys:
    """The data keys that documents name, each unwrapped once."""

    def __init__(self, keys: StoreKeys) -> None:
        self._keys = keys
        self._lock = Lock()
        self._found: dict[tuple[Category, WrappedKey, Purpose], bytes | KeyUnavailableError] = {}

    def unwrap(self, category: Category, wrapped: WrappedKey, purpose: Purpose) -> bytes:
        """Return a data key.

        :raises KeyUnavailableError: the master keys do not open it.
        """
        named = (category, wrapped, purpose)
        with self._lock:
            if named not in self._found:
                try:
                    self._found[named] = self._keys.unwrap(category, wrapped, purpose)
                except KeyUnavailableError as error:
                    self._found[named] = error
            found = self._found[named]
        if isinstance(found, KeyUnavailableError):
            raise found
        return found

    def open_all(self, entry: NamedFile) -> bool:
        """Return whether the master keys open all data keys of a file."""
        try:
            for wrapped in entry.keys:
                if wrapped is None:
                    return False
                self.unwrap(entry.file.category, wrapped, entry.purpose)
        except KeyUnavailableError:
            return False
        return True


def _open(checked: CheckedFiles, keys: _DataKeys, entry: NamedFile, file: BinaryIO) -> None:
    """Decrypt a file with each data key that a document names for it, and count its rows."""
    category = entry.file.category
    rows = 0
    for wrapped in entry.keys:
        try:
            if wrapped is None:
                raise SnapshotCorruptError(f"No data key of {category.label} in the document that names it.")
            data_key = keys.unwrap(category, wrapped, entry.purpose)
            rows = sum(
                batch.num_rows for batch in open_encrypted(fetch_from(file), data_key, entry.file.key, entry.file)
            )
        except KeyUnavailableError as error:
            detail = f"{category.label}. No data key opens: {error}"
            checked.findings.append(ChainFinding(Damage.NOT_DECRYPTABLE, entry.file.key, detail, needs_key=True))
            return
        except SnapshotCorruptError as error:
            checked.findings.append(ChainFinding(Damage.NOT_DECRYPTABLE, entry.file.key, str(error)))
            return
    checked.opened += 1
    checked.rows += rows
    if rows != entry.file.rows:
        detail = f"Has {rows:,} rows instead of {entry.file.rows:,}; {_by(entry)}."
        checked.findings.append(ChainFinding(Damage.CHANGED, entry.file.key, detail))


@contextmanager
def _downloaded(store: Store, key: str, most: int, *, keep: bool) -> Iterator[tuple[BinaryIO, int, str | None]]:
    """Hash an object while it is copied to where it can be opened; the copy holds only encrypted bytes.

    Yields the copy, how many bytes were read, and their hash: None where not all were read.

    :param most: of a larger object, not all is read.
    """
    digest, is_whole = hashlib.sha256(), True
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as copy:
        start = 0
        while chunk := store.get_range(key, start, WHOLE_BYTES):
            digest.update(chunk)
            if keep:
                copy.write(chunk)
            start += len(chunk)
            if len(chunk) < WHOLE_BYTES:
                break
            if start > most:
                is_whole = False
                break
        copy.seek(0)
        yield cast(BinaryIO, copy), start, digest.hexdigest() if is_whole else None


def _of_another(entry: NamedFile, digest: str, owners: Mapping[str, str]) -> ChainFinding:
    """Say that a file holds other bytes than it did, and whose, if they are another file's."""
    if digest in owners:
        detail = f"Content belongs to another object: {owners[digest]}; {_by(entry)}."
        return ChainFinding(Damage.REORDERED, entry.file.key, detail)
    detail = f"SHA-256 is {digest} instead of {entry.file.sha256}; {_by(entry)}."
    return ChainFinding(Damage.CHANGED, entry.file.key, detail)


def _by(entry: NamedFile) -> str:
    more = f" and {len(entry.by) - 1} more" if len(entry.by) > 1 else ""
    return f"named by {entry.by[0]}{more}"
