"""Reading ahead changes nothing about what is read, and leaves no thread behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.snapshots.capture.prefetch import read_ahead


def numbered(count: int) -> Iterator[pa.RecordBatch]:
    for number in range(count):
        yield pa.RecordBatch.from_pydict({"n": pa.array([number] * 1000)})


def breaking_off(after: int) -> Iterator[pa.RecordBatch]:
    yield from numbered(after)
    raise WarehouseError("the server went away")


def counting(taken: list[int]) -> Iterator[pa.RecordBatch]:
    for number, batch in enumerate(numbered(1000)):
        taken.append(number)
        yield batch


def fetching_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "read-ahead"]


def read_and_stop(batches: Iterator[pa.RecordBatch]) -> None:
    with read_ahead(batches, waiting_bytes=1) as ahead:
        next(ahead)
        raise KeyboardInterrupt


def test_batches_come_in_their_order() -> None:
    with read_ahead(numbered(50), waiting_bytes=1) as ahead:
        found = [batch["n"][0].as_py() for batch in ahead]

    assert found == list(range(50))


def test_what_fetching_raises_comes_after_the_batches_before_it() -> None:
    with read_ahead(breaking_off(after=3)) as ahead:
        found = [next(ahead).num_rows for _ in range(3)]
        with pytest.raises(WarehouseError, match="the server went away"):
            next(ahead)

    assert found == [1000, 1000, 1000]


def test_no_more_is_fetched_than_may_wait() -> None:
    fetched: list[int] = []

    with read_ahead(counting(fetched), waiting_bytes=20_000) as ahead:
        next(ahead)
        time.sleep(0.2)
        waiting = len(fetched)

    # 8,000 bytes each: three wait, one more is in hand, one is taken.
    assert waiting <= 5


def test_the_thread_has_ended_when_the_block_has() -> None:
    with pytest.raises(KeyboardInterrupt):
        read_and_stop(numbered(1000))

    assert fetching_threads() == []
