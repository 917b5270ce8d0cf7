"""Decides to which earlier lists the list of a snapshot adds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

#: To how many earlier lists a list adds at most: a reader asks for each.
MOST = 5


class Listed(Protocol):
    """A file with a name."""

    @property
    def key(self) -> str:
        """Its name."""
        ...


F = TypeVar("F", bound=Listed)


def lists_to_add_to(before: Sequence[tuple[int, int]], new: int) -> tuple[int, ...]:
    """Return the numbers of the manifests to whose lists a snapshot adds, oldest first; it repeats the others.

    Where there are too many, it repeats the newest that together are no larger than itself: so each file is repeated
    a few times, however long no full list is written.

    :param before: the manifests of whose lists that of the snapshot before consists, oldest first, and how many files
        each names.
    :param new: how many files it names that the snapshot before does not.
    """
    left = list(before)
    while len(left) > MOST or (len(before) > MOST and len(left) > 1 and left[-1][1] <= new):
        new += left.pop()[1]
    return tuple(number for number, _ in left)


def are_earlier(lists: Sequence[int], number: int) -> bool:
    """Return whether the lists of a snapshot are those of a few earlier ones, oldest first."""
    ends = [0, *lists, number]
    return len(lists) <= MOST and all(one < other for one, other in pairwise(ends))


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
