"""Decides to which earlier list the list of a snapshot adds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

#: Every N snapshots after the base, a list repeats what those between it and an earlier one added. In a store that is
#: compacted, the next base comes before the second such list.
_STEPS = (48, 8)


class Listed(Protocol):
    """A file with a name."""

    @property
    def key(self) -> str:
        """Its name."""
        ...


F = TypeVar("F", bound=Listed)


def since(number: int, base: int) -> int:
    """Return the number of the snapshot to whose list a snapshot adds; the base adds to none, which is 0.

    :param base: the last full snapshot or compaction up to it, or it itself.
    """
    distance = number - base
    if not distance:
        return 0
    return number - next((step for step in _STEPS if distance % step == 0), 1)


def path(number: int, base: int) -> list[int]:
    """Return the numbers of the snapshots of whose lists that of a snapshot consists, oldest first."""
    found = [number]
    while found[-1] > base:
        found.append(since(found[-1], base))
    return found[::-1]


def merge(parts: Iterable[tuple[Sequence[F], Sequence[str]]]) -> list[F]:
    """Return the files that are left of lists of added files and dropped names, oldest first."""
    files: dict[str, F] = {}
    for added, dropped in parts:
        for key in dropped:
            files.pop(key, None)
        files.update((file.key, file) for file in added)
    return list(files.values())


def list_difference(before: Sequence[F], after: Sequence[F]) -> tuple[list[F], list[str]]:
    """Return which files a list adds to another, and which names it drops."""
    known, left = {file.key for file in before}, {file.key for file in after}
    return [file for file in after if file.key not in known], [file.key for file in before if file.key not in left]
