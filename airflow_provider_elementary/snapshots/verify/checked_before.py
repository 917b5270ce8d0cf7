"""Keeps which files a verification that was broken off had checked."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.storage.object_store.store import StoredObject

log = logging.getLogger(__name__)

#: What was seen longer ago is looked at again.
LONGEST = timedelta(days=1)
#: Bytes of a line of the file, and lines: more is not what was written.
_MOST_LINE = 4_096
_MOST_LINES = 1_000_000
_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class CheckedFile:
    """What was found in a file that is as its document says.

    :param version: of the object, as the store listed it before it was read.
    :param said: a hash of what documents say of it.
    :param opened: whether it was decrypted too.
    :param rows: in it.
    :param at: when it was found, in seconds since 1970.
    """

    version: str
    said: str
    opened: bool
    rows: int
    at: int


class CheckedBefore:
    """The files that earlier attempts of a verification checked, and those of this one.

    A file counts where the store lists an object of the same version under its name, and documents say the same of it.

    :param target: gets a line for each file.
    :param now: in seconds since 1970.
    :param known: what earlier attempts found, by the name of the file.
    """

    def __init__(self, target: TextIO, now: int, known: dict[str, CheckedFile]) -> None:
        self._target: TextIO | None = target
        self._now = now
        self._known = known
        self._oldest = now

    @property
    def since(self) -> datetime:
        """When the oldest of the files that count was checked."""
        return datetime.fromtimestamp(self._oldest, UTC)

    def find(self, found: StoredObject, said: str) -> CheckedFile | None:
        """Return what an earlier attempt found in an object; None where it did not look, or it changed since."""
        known = self._known.get(found.key)
        if known is None or not found.version or (known.version, known.said) != (found.version, said):
            return None
        self._oldest = min(self._oldest, known.at)
        return known

    def add(self, key: str, version: str, said: str, *, opened: bool, rows: int) -> None:
        """Keep that a file is as its document says; without room on the disk, the next attempt reads it again."""
        if not version or self._target is None:
            return
        try:
            self._target.write(f"{json.dumps([key, version, said, opened, rows, self._now])}\n")
            self._target.flush()
        except OSError as error:
            log.warning("the next attempt reads the files from here on again: %s", error.strerror)
            self._target = None


@contextmanager
def checking(path: Path | None, about: dict[str, Any], now: datetime | None = None) -> Iterator[CheckedBefore | None]:
    """Continue the verification of a file, or begin one; the file is removed when the block ends well.

    Who may write to the file decides what is not read again: it has to belong to this user, who alone may write to it.

    :param path: of the file; None where nothing is to be kept.
    :param about: what is verified, and how; another verification's file is refused.
    :raises ConfigurationError: the file is of another verification, or in use, or others may write to it.
    """
    if path is None:
        yield None
        return
    seconds = int((now or datetime.now(UTC)).timestamp())
    with _opened(path) as file:
        yield CheckedBefore(file, seconds, _read(path, file, about, seconds))
        path.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Open a regular file of this user for this process alone."""
    try:
        descriptor = os.open(path, _OPEN, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"The file {path} of checked files does not open ({error.strerror}). Name a file, not a link, in a folder "
            "that you may write to."
        ) from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigurationError(f"{path} is no file. Name a file that does not exist yet.")
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            raise ConfigurationError(
                f"Others than you may write to the file {path}, and could say that a file was checked. Name a file "
                "that only you may write to."
            )
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigurationError(
            f"Another verification uses the file {path}. Wait for it, or name another file."
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as file:
        yield file


def _read(path: Path, file: TextIO, about: dict[str, Any], now: int) -> dict[str, CheckedFile]:
    """Return what was checked within a day; an empty file is begun."""
    if not (first := file.readline(_MOST_LINE)):
        file.write(f"{json.dumps(about)}\n")
        file.flush()
        return {}
    try:
        header = json.loads(first)
        store = header["uri"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ConfigurationError(
            f"The file {path} is not one of checked files. Name a file that does not exist yet."
        ) from None
    if header != about:
        raise ConfigurationError(
            f"The file {path} is of the verification of {store}, or of one with other choices. Name another file, or "
            "remove it."
        )
    known: dict[str, CheckedFile] = {}
    line = first
    for _ in range(_MOST_LINES):
        # The last line of an attempt that was killed may be half of one: its file is read again.
        if not (found := file.readline(_MOST_LINE)):
            break
        line = found
        try:
            key, *facts = json.loads(line)
            checked = CheckedFile(*facts)
        except (ValueError, TypeError, RecursionError):
            continue
        is_valid = tuple(map(type, (key, *facts))) == (str, str, str, bool, int, int)
        if is_valid and 0 <= now - checked.at <= LONGEST.total_seconds():
            known[key] = checked
    file.seek(0, os.SEEK_END)
    if line and not line.endswith("\n"):
        file.write("\n")
    return known
