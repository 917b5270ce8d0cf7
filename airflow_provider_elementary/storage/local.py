"""Keeps a store in a local directory."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from airflow_provider_elementary.exceptions import ConfigurationError, StoreError, StoreRefusedError
from airflow_provider_elementary.storage.store import StoredObject

_PARTIAL = ".partial-"


class LocalStore:
    """A store in a directory, made when first written.

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
        """Open a new file; it takes its name when the block ends well."""
        path = self._path(key)
        with self._failures(key):
            _make_directory(path.parent)
            descriptor, name = tempfile.mkstemp(prefix=_PARTIAL, dir=path.parent)
        try:
            with _Whole(descriptor, partial(self._failures, key)) as file:
                yield cast(BinaryIO, file)
                with self._failures(key):
                    os.fsync(file.fileno())
            with self._failures(key):
                Path(name).replace(path)
                _sync_directory(path.parent)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def put(self, key: str, content: bytes) -> None:
        """Write a small file, replacing what is there."""
        with self.create(key) as file:
            file.write(content)

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write a small file unless one is there: a hard link fails where a rename would replace."""
        path = self._path(key)
        with self._failures(key):
            _make_directory(path.parent)
            descriptor, name = tempfile.mkstemp(prefix=_PARTIAL, dir=path.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                try:
                    os.link(name, path)
                except FileExistsError:
                    return False
                _sync_directory(path.parent)
                return True
            finally:
                Path(name).unlink(missing_ok=True)

    def get(self, key: str) -> bytes | None:
        """Return a small file's content."""
        with self._failures(key):
            try:
                return self._path(key).read_bytes()
            except FileNotFoundError:
                return None

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading."""
        with self._failures(key):
            return self._path(key).open("rb")

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the files whose key starts with ``prefix``; unfinished ones are left out."""
        # Everything that can match lies below the last whole directory of the prefix.
        base = self.root / prefix.rpartition("/")[0]
        found = sorted(path for path in base.rglob("*") if path.is_file() and not path.name.startswith(_PARTIAL))
        for path in found:
            key = path.relative_to(self.root).as_posix()
            if key.startswith(prefix):
                yield StoredObject(key, path.stat().st_size)

    def delete(self, key: str) -> None:
        """Delete a file."""
        with self._failures(key):
            self._path(key).unlink(missing_ok=True)

    def protection(self, key: str) -> str:
        """Return that a directory has no encryption of its own."""
        return "no server-side encryption in a local directory, client-side encryption only"

    def discard_unfinished(self, before: datetime, *, dry_run: bool = False) -> Sequence[str]:
        """Delete files that were begun before a time and never took their name."""
        found = sorted(path for path in self.root.rglob(f"{_PARTIAL}*") if path.stat().st_mtime < before.timestamp())
        if not dry_run:
            for path in found:
                with self._failures(path.name):
                    path.unlink(missing_ok=True)
        return [path.relative_to(self.root).as_posix() for path in found]

    def _path(self, key: str) -> Path:
        path = self.root / key
        if ".." in path.parts or Path(key).is_absolute():
            raise ConfigurationError(f"{key!r} is not inside the store.")
        return path

    @contextmanager
    def _failures(self, key: str) -> Iterator[None]:
        try:
            yield
        except PermissionError:
            raise StoreRefusedError(
                f"This user may not use {key} in {self.uri}. "
                "Give the user that runs Airflow's tasks read and write permission on the directory."
            ) from None
        except (NotADirectoryError, FileExistsError):
            raise StoreRefusedError(f"{self.uri} is a file and not a directory. Choose another directory.") from None
        except OSError as error:
            raise StoreError(
                f"Using {key} in {self.uri} failed: {error.strerror or type(error).__name__}. "
                "Nothing was committed. Free disk space or fix the file system, then retry."
            ) from None


class _Whole(io.RawIOBase):
    """A file that is written whole or fails as a store fails; nothing is kept back for closing to write.

    :param failures: turns what the operating system raises into an error of ours.
    """

    def __init__(self, descriptor: int, failures: Callable[[], AbstractContextManager[None]]) -> None:
        self._file = io.FileIO(descriptor, "wb")
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

    def close(self) -> None:
        self._file.close()
        super().close()


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it for their owner only; mkdir's own parents would be open to all."""
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
