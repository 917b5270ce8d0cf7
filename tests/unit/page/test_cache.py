"""The cache of the page: one computation for each key, bounded, without errors."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_elementary.page.cache import Cache


def test_a_value_is_made_once() -> None:
    cache, made = Cache(2), []

    values = [cache.get("key", lambda: made.append(1) or len(made)) for _ in range(3)]

    assert values == [1, 1, 1]


def test_the_value_that_was_asked_for_longest_ago_goes_first() -> None:
    cache, made = Cache(2), []
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda key=key: made.append(key))

    cache.get("a", lambda: made.append("a again"))
    cache.get("b", lambda: made.append("b again"))

    assert made == ["a", "b", "c", "b again"]


def test_an_error_is_not_kept() -> None:
    cache = Cache(1)

    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)

    assert cache.get("key", lambda: 7) == 7


def test_a_value_holds_as_long_as_it_says() -> None:
    cache = Cache(1)
    cache.get("key", lambda: "old", seconds=lambda value: 0.01 if value == "old" else 60)

    time.sleep(0.02)

    assert cache.get("key", lambda: "new") == "new"


def test_of_many_who_ask_at_once_one_makes_the_value() -> None:
    cache, made, start = Cache(1), [], threading.Barrier(8)

    def ask() -> None:
        start.wait()
        cache.get("key", lambda: (time.sleep(0.02), made.append(1)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [1]
