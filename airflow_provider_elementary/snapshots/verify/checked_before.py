"""Keeps which files a verification that was broken off had checked."""

from __future__ import annotations

import json
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

#: What was seen longer ago is looked at again.
LONGEST = timedelta(days=1)
#: Bytes of a line of the file, and lines: more is not what was written.
_MOST_LINE = 4_096
_MOST_LINES = 5_000_000


@dataclass(frozen=True)
class CheckedFile:
    """What was found in a file that is as its document says.

    :param version: of the object, as the store listed it before it was read.
    :param said: a hash of what documents say of it.
    :param opened: whether it was decrypted too.
    :param rows: in it.
    """

    version: str
    said: str
    opened: bool
    rows: int


class CheckedBefore:
    """The files that earlier attempts of a verification checked, and those of this one.

    A file counts where the store lists an object of the same version under its name, and documents say the same of it.

    :param target: gets a line for each file.
    :param since: when the first of the attempts began.
    """

    def __init__(self, target: TextIO, since: datetime, known: dict[str, CheckedFile]) -> None:
        self.since = since
        self._target = target
        self._known = known

    def find(self, found: StoredObject, said: str) -> CheckedFile | None:
        """Return what an earlier attempt found in an object; None where it did not look, or it changed since."""
        known = self._known.get(found.key)
        is_same = known is not None and found.version and (known.version, known.said) == (found.version, said)
        return known if is_same else None

    def add(self, key: str, checked: CheckedFile) -> None:
        """Keep that a file is as its document says."""
        if checked.version and key not in self._known:
            line = [key, checked.version, checked.said, checked.opened, checked.rows]
            self._target.write(f"{json.dumps(line)}\n")


@contextmanager
def checked_before(
    path: Path | None, about: dict[str, Any], now: datetime | None = None
) -> Iterator[CheckedBefore | None]:
    """Continue the verification of a file, or begin one; the file is removed when the block ends well.

    Who may write to the file decides what is not read again: it has to belong to this user, who alone may write to it.

    :param path: of the file; None where nothing is to be kept.
    :param about: what is verified, and how; another verification's file is refused.
    :raises ConfigurationError: the file is of another verification, or others may write to it.
    """
    if path is None:
        yield None
        return
    now = now or datetime.now(UTC)
    with _opened(path) as file:
        since, known = _read(path, file, about, now)
        if since is None:
            since = now
            file.seek(0)
            file.truncate()
            file.write(f"{json.dumps({**about, 'since': now.isoformat()})}\n")
        yield CheckedBefore(file, since, known)
    path.unlink()


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"The file {path} of checked files does not open ({error.strerror}). Name a file, not a link, in a folder "
            "that you may write to."
        ) from None
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            raise ConfigurationError(
                f"Others than you may write to the file {path}, and could say that a file was checked. Name a file "
                "that only you may write to."
            )
        yield file


def _read(
    path: Path, file: TextIO, about: dict[str, Any], now: datetime
) -> tuple[datetime | None, dict[str, CheckedFile]]:
    """Return when the verification of a file began, and what it checked; None where it is to begin."""
    file.seek(0)
    if not (first := file.readline(_MOST_LINE)):
        return None, {}
    try:
        header = json.loads(first)
        since = datetime.fromisoformat(header.pop("since"))
        is_recent = timedelta() <= now - since <= LONGEST
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ConfigurationError(
            f"The file {path} is not one of checked files. Name a file that does not exist yet."
        ) from None
    if header != about:
        raise ConfigurationError(
            f"The file {path} is of the verification of {header.get('store', 'another store')}, or of one with other "
            "choices. Name another file, or remove it."
        )
    if not is_recent:
        return None, {}
    known: dict[str, CheckedFile] = {}
    for _ in range(_MOST_LINES):
        # The last line of an attempt that was killed may be half of one: its file is read again.
        if not (line := file.readline(_MOST_LINE)):
            break
        try:
            key, version, said, opened, rows = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        if all(isinstance(text, str) for text in (key, version, said)) and type(opened) is bool and type(rows) is int:
            known[key] = CheckedFile(version, said, opened, rows)
    return since, known
