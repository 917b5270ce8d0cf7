"""Finds the newest proved document among numbered ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: How many objects of one kind that nobody proved are read one by one; anybody can put more of them there.
LOOKS = 64


def newest_proved(
    numbers: Sequence[int],
    start: int,
    read: Callable[[int], T | None],
    known: Callable[[], int] | None = None,
    *,
    are_all: bool = True,
) -> T | None:
    """Return the newest proved document of a sequence, or None where there is none.

    Objects that nobody proved are passed over, in the sequence, after it and far beyond it, however many there are.
    Where outsiders replaced the newest ones, each of those costs a read.

    :param numbers: the numbers that are there, in order.
    :param start: a number that is known to be proved or pruned; nothing before it is looked at.
    :param read: returns a document, or None where it is not proved.
    :param known: returns a later number that was proved once, to begin with where outsiders filled the numbers.
    :param are_all: there are no others; else the caller lists all where none is found after a few reads.
    """
    newest: T | None = None
    looks = 0
    for first, last in runs([number for number in numbers if number >= start]):
        if looks >= LOOKS and (newest is not None or not are_all):
            break
        found, looked = _last_proved(first, last, read, known)
        looks += looked
        newest = found if found is not None else newest
    return newest


def _last_proved(
    first: int, last: int, read: Callable[[int], T | None], known: Callable[[], int] | None
) -> tuple[T | None, int]:
    """Return the last proved document of a run, and how many were read that are not."""
    for looked, number in enumerate(range(last, max(first, last - LOOKS + 1) - 1, -1)):
        if (found := read(number)) is not None:
            return found, looked
    if last - first < LOOKS:
        return None, last - first + 1
    # Outsiders filled the numbers after the newest. One by one from there: an object in place of a true one, wherever
    # it is put, hides that one alone.
    begin = max(first, known() if known is not None else first)
    newest: T | None = None
    missed = 0
    for number in range(begin, last - LOOKS + 1):
        if (found := read(number)) is not None:
            newest, missed = found, 0
        elif (missed := missed + 1) >= LOOKS:
            break
    if newest is None:
        # Outsiders replaced true documents too. Below that number, all were proved once.
        before = range(min(begin, last - LOOKS + 1) - 1, first - 1, -1)
        newest = next(filter(None, map(read, before)), None)
    return newest, LOOKS


def runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield runs of consecutive numbers as first and last."""
    first = last = None
    for number in numbers:
        if first is not None and last is not None and number != last + 1:
            yield first, last
            first = None
        first, last = first if first is not None else number, number
    if first is not None and last is not None:
        yield first, last
