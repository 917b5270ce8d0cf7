"""Series get numbers by hashes of their keys, and histories get fingerprints: both hold for many rows at a time."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_elementary.anomalies.robust.fingerprint import Fingerprints
from airflow_provider_elementary.anomalies.robust.series_index import Numbering


def codes(*things: int, slot: int = 0) -> np.ndarray:
    """Return codes that differ in their second half only, so that they all want the same slot."""
    return np.array([(slot, thing) for thing in things], np.uint64).reshape(-1, 2)


def test_things_are_numbered_in_the_order_in_which_they_first_come() -> None:
    numbers, new = Numbering().number(codes(7, 5, 7, 9, 5))

    assert (numbers.tolist(), new.tolist()) == ([0, 1, 0, 2, 1], [0, 1, 3])


def test_a_thing_keeps_its_number() -> None:
    numbering = Numbering()
    numbering.number(codes(7, 5))

    numbers, new = numbering.number(codes(9, 5, 7))

    assert (numbers.tolist(), new.tolist()) == ([2, 1, 0], [0])
    assert numbering.known.tolist() == codes(7, 5, 9).tolist()


def test_things_that_want_the_last_slot_go_on_at_the_first() -> None:
    numbering = Numbering()
    numbering.number(codes(1, 2, 3, slot=-1 % 2**64))

    numbers, new = numbering.number(codes(3, 4, 1, slot=-1 % 2**64))

    assert (numbers.tolist(), new.tolist()) == ([2, 3, 0], [1])


def test_the_table_grows_and_nothing_is_lost() -> None:
    numbering = Numbering()
    many = np.random.default_rng(1).integers(0, 2**64, (20_000, 2), np.uint64)
    for part in np.array_split(many, 7):
        numbering.number(part)

    numbers, new = numbering.number(many[::-1])

    assert (numbers[::-1] == np.arange(20_000)).all()
    assert not len(new)


def seen(*buckets: tuple[int, int, float]) -> tuple[int, int]:
    """Return the number of buckets of one series, and their fingerprint."""
    found = Fingerprints.of_nothing(1)
    starts, ends = (np.array([bucket[place] for bucket in buckets], np.int64) for place in (0, 1))
    found.add(np.zeros(len(buckets), np.int32), starts, ends, np.array([bucket[2] for bucket in buckets], np.float64))
    return int(found.buckets[0]), int(found.fingerprint[0])


HISTORY = ((0, 10, 5.0), (10, 20, 6.0))


@pytest.mark.parametrize(
    "other",
    [
        ((0, 10, 6.0), (10, 20, 5.0)),
        ((0, 10, 5.0), (10, 20, 6.000001)),
        ((0, 10, 5.0), (10, 20, np.nan)),
        ((0, 10, 5.0), (11, 20, 6.0)),
        ((0, 10, 5.0), (10, 21, 6.0)),
        ((0, 10, 5.0), (10, 20, 6.0), (20, 30, 0.0)),
        ((0, 10, 5.0),),
        ((0, 10, 5.0), (10, 20, 6.0), (10, 20, 6.0)),
    ],
    ids=["exchanged", "corrected", "taken back", "another start", "another end", "new", "gone", "twice"],
)
def test_another_history_has_another_fingerprint(other: tuple[tuple[int, int, float], ...]) -> None:
    assert seen(*other)[1] != seen(*HISTORY)[1]


def test_a_fingerprint_depends_on_no_order_and_on_no_way_to_write_a_number() -> None:
    history = ((0, 10, 0.0), (10, 20, np.nan))

    assert seen((10, 20, -np.nan), (0, 10, -0.0)) == seen(*history)


def test_series_do_not_mix() -> None:
    found = Fingerprints.of_nothing(3)
    times = np.array([0, 10, 0], np.int64)
    found.add(np.array([2, 0, 2], np.int32), times, times + 10, np.array([1.0, 2.0, 1.0]))

    assert found.buckets.tolist() == [1, 0, 2]
    assert found.fingerprint[1] == 0
