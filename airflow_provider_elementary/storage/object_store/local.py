"""Keeps a store in a local directory."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ObjectNotFoundError,
    StoreError,
    StoreRefusedError,
)
from airflow_provider_elementary.storage.object_store.probe import require_one_winner
from airflow_provider_elementary.storage.object_store.store import Fetched, StoredObject, UndeletedObject

_PARTIAL = ".partial-"
_LOCK = ".lock"
#: How long a writer waits for another one to compare and replace.
LOCK_SECONDS = 60.0
# Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: No name of ours has as many parts; what lies deeper was put there to stop a walk.
_DEEPEST = 32


class LocalStore:
    """A store in a directory, made when first written; below it no link is ever followed.

    What has an object's name and is no regular file (a link, a pipe, a directory) counts as an object without content.

    :param root: the directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = root.absolute().as_uri()

    def describe(self) -> dict[str, str]:
        """Return how objects are protected: the files' own encryption and the directory's mode."""
        return {"kind": "local directory", "at_rest": "client-side encryption only", "in_transit": "local disk"}

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        """Open a new file; it takes its name when the block ends well, unless something has it by then."""
        failures = partial(self._failures, key)
        with ExitStack() as stack:
            with failures():
                folder, name = stack.enter_context(self._parent(key, make=True))
                descriptor, draft = stack.enter_context(_draft(folder))
            with _Whole(descriptor, failures) as file:
                yield cast(BinaryIO, file)
                with failures():
                    os.fsync(file.fileno())
            with failures():
                if not _link(folder, draft, name):
                    raise StoreError(f"{key} in {self.uri} exists. Nothing was replaced or committed; retry.")

    def put(self, key: str, content: bytes) -> None:
        """Write a small file, replacing what is there."""
        with self._failures(key), self._parent(key, make=True) as (folder, name), _written(folder, content) as draft:
            _rename(folder, draft, name)

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write a small file unless one is there: a hard link fails where a rename would replace."""
        with self._failures(key), self._parent(key, make=True) as (folder, name), _written(folder, content) as draft:
            return _link(folder, draft, name)

    def replace(self, key: str, content: bytes, etag: str) -> bool:
        """Replace a small file where it is still the one that was read; all writers of the store wait for one lock."""
        with self._failures(key), self._lock(), self._parent(key, make=True) as (folder, name):
            if _etag_of(folder, name) != etag:
                return False
            with _written(folder, content) as draft:
                try:
                    _rename(folder, draft, name)
                except IsADirectoryError:
                    # No file replaces a directory; out of the way, it keeps what is in it.
                    os.rename(name, _PARTIAL + secrets.token_hex(8), src_dir_fd=folder, dst_dir_fd=folder)
                    return _link(folder, draft, name)
            return True

    def get(self, key: str) -> bytes | None:
        """Return a small file's content."""
        found = self.get_capped(key, None)
        return found.content if found is not None else None

    def get_capped(self, key: str, limit: int | None) -> Fetched | None:
        """Return at most the first bytes of a file, and by what to recognise it."""
        with self._failures(key):
            try:
                with self._parent(key) as (folder, name):
                    facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    with _opened(folder, name) as file:
                        if file is None:
                            return Fetched(b"", _etag(facts), 0)
                        facts = os.fstat(file.fileno())
                        return Fetched(file.read(-1 if limit is None else limit), _etag(facts), facts.st_size)
            except FileNotFoundError:
                return None

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return bytes of a file."""
        with self._failures(key):
            try:
                with self._parent(key) as (folder, name), _opened(folder, name) as file:
                    if file is None:
                        return b""
                    file.seek(start)
                    return file.read(length)
            except FileNotFoundError:
                raise ObjectNotFoundError(self.uri, key) from None

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield the regular files whose key starts with ``prefix`` and comes after another; no unfinished ones."""
        # Everything that can match lies below the last whole directory of the prefix.
        found = sorted((key, facts) for key, facts, name in self._walk(prefix) if not name.startswith(_PARTIAL))
        for key, facts in found:
            if key.startswith(prefix) and key > after:
                # The time of the last change of a file cannot be set back, as that of its content can.
                yield StoredObject(key, facts.st_size, f"{_etag(facts)}-{facts.st_ctime_ns:x}")

    def delete(self, key: str) -> None:
        """Delete a file; of a link, the link itself."""
        with self._failures(key), suppress(FileNotFoundError), self._parent(key) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        """Delete files, each in spite of what others fail with."""
        failed = []
        for key in keys:
            try:
                self.delete(key)
            except (StoreError, StoreRefusedError) as error:
                failed.append(UndeletedObject(key, str(error)))
        return failed

    def probe(self) -> bool:
        """Let two writers race for one name: some file systems have no hard links, or let both win."""
        require_one_winner(self)
        return True

    def clock_difference(self) -> timedelta | None:
        """Return None: a directory has no clock of its own."""
        return None

    def protection(self, key: str) -> str:
        """Return that a directory has no encryption of its own."""
        return "no server-side encryption in a local directory, client-side encryption only"

    def discard_unfinished(self, before: datetime, *, dry_run: bool = False) -> Sequence[str]:
        """Delete files that were begun before a time and never took their name."""
        found = []
        for key, _, name in sorted(self._walk("")):
            with self._failures(key), suppress(FileNotFoundError), self._parent(key) as (folder, _):
                begun = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
                if name.startswith(_PARTIAL) and begun < before.timestamp():
                    found.append(key)
                    if not dry_run:
                        os.unlink(name, dir_fd=folder)
        return found

    @contextmanager
    def _parent(self, key: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the directory of an object, part by part and through no link.

        :param make: make the directories that are missing, for their owner only.
        """
        *folders, name = _parts(key)
        with self._folder(folders, make=make) as folder:
            yield folder, name

    @contextmanager
    def _folder(self, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
        if make:
            _make_directory(self.root)
        with ExitStack() as stack:
            # How the store itself is reached, through links or not, is the connection's choice.
            folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, folder)
            for part in parts:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=folder)
                folder = os.open(part, _DIRECTORY, dir_fd=folder)
                stack.callback(os.close, folder)
            yield folder

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one writer at a time compare and replace."""
        with self._folder((), make=True) as root:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(_LOCK, flags, 0o600, dir_fd=root)
        try:
            _wait_for_lock(descriptor, f"{self.uri}/{_LOCK}")
            yield
        finally:
            os.close(descriptor)

    def _walk(self, prefix: str) -> Iterator[tuple[str, os.stat_result, str]]:
        """Yield key, facts and name of every regular file below the last whole directory of a prefix."""
        parent = prefix.rpartition("/")[0]
        with self._failures(prefix), suppress(FileNotFoundError):
            with self._folder(_parts(parent) if parent else ()) as folder:
                yield from _files(folder, f"{parent}/" if parent else "", _DEEPEST)

    @contextmanager
    def _failures(self, key: str) -> Iterator[None]:
        try:
            yield
        except PermissionError:
            raise StoreRefusedError(
                f"This user may not use {key} in {self.uri}. "
                "Give the user that runs Airflow's tasks read and write permission on the directory."
            ) from None
        except (NotADirectoryError, FileExistsError) as error:
            if not self.root.is_dir():
                raise StoreRefusedError(
                    f"{self.uri} is a file and not a directory. Choose another directory."
                ) from None
            raise StoreRefusedError(
                f"{error.filename} on the way to {key} in {self.uri} is a link or a file and not a directory. Nothing "
                "is read or written through it: remove it."
            ) from None
        except OSError as error:
            raise StoreError(
                f"Using {key} in {self.uri} failed: {error.strerror or type(error).__name__}. "
                "Nothing was committed. Free disk space or fix the file system, then retry."
            ) from None


class _Whole(io.RawIOBase):
    """A file that is written whole or fails as a store fails; nothing is kept back for closing to write.

    :param descriptor: of the file; the caller closes it.
    :param failures: turns what the operating system raises into an error of ours.
    """

    def __init__(self, descriptor: int, failures: Callable[[], AbstractContextManager[None]]) -> None:
        self._file = io.FileIO(descriptor, "wb", closefd=False)
        self._failures = failures

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, content: Any) -> int:
        with memoryview(content) as view, self._failures():
            written = 0
            # A disk that is nearly full takes a part, and refuses the rest only when asked again.
            while written < view.nbytes:
                written += self._file.write(view[written:]) or 0
            return written


def _parts(key: str) -> list[str]:
    parts = key.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise ConfigurationError(f"{key!r} is not inside the store.")
    return parts


@contextmanager
def _draft(folder: int) -> Iterator[tuple[int, str]]:
    """Make a file without a key, for this user only; it is gone after the block unless it was renamed."""
    name = _PARTIAL + secrets.token_hex(8)
    descriptor = os.open(name, _WRITE_NEW, 0o600, dir_fd=folder)
    try:
        yield descriptor, name
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


@contextmanager
def _written(folder: int, content: bytes) -> Iterator[str]:
    """Write a whole draft, and yield its name."""
    with _draft(folder) as (descriptor, name):
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield name


def _link(folder: int, draft: str, name: str) -> bool:
    """Give a draft its name unless something has it."""
    try:
        os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    # A new name survives a power failure only once its directory is synced.
    os.fsync(folder)
    return True


def _rename(folder: int, draft: str, name: str) -> None:
    os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


@contextmanager
def _opened(folder: int, name: str) -> Iterator[BinaryIO | None]:
    """Open a regular file for reading; None for a link, a pipe, a device or a directory."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        # What opening a link and a socket without following or waiting raises.
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        yield None
        return
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                yield file
        else:
            yield None
    finally:
        os.close(descriptor)


def _etag_of(folder: int, name: str) -> str | None:
    try:
        return _etag(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return None


def _etag(facts: os.stat_result) -> str:
    """Return by what to recognise a file: one that replaces it is a new one."""
    return f"{facts.st_ino:x}-{facts.st_mtime_ns:x}-{facts.st_size:x}"


def _files(folder: int, path: str, depth: int) -> Iterator[tuple[str, os.stat_result, str]]:
    with os.scandir(folder) as entries:
        # A name that cannot be printed is none of ours, and would not pass through a log or JSON.
        found = [entry for entry in entries if path + entry.name != _LOCK and entry.name.isprintable()]
    for entry in found:
        # What was removed since is not there.
        with suppress(FileNotFoundError):
            if entry.is_file(follow_symlinks=False):
                yield path + entry.name, entry.stat(follow_symlinks=False), entry.name
            elif entry.is_dir(follow_symlinks=False) and depth and not entry.name.startswith(_PARTIAL):
                descriptor = os.open(entry.name, _DIRECTORY, dir_fd=folder)
                try:
                    yield from _files(descriptor, f"{path}{entry.name}/", depth - 1)
                finally:
                    os.close(descriptor)


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it for their owner only; mkdir's own parents would be open to all."""
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def _wait_for_lock(descriptor: int, name: str) -> None:
    """Lock a file, within a time limit: a comparison takes milliseconds.

    :raises StoreError: another process holds the lock.
    """
    ends = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise StoreError(
                    f"{name} is locked by another process for more than {LOCK_SECONDS:g} s. Find it with `lsof`, end "
                    "it, and retry."
                ) from None
            time.sleep(0.05)
