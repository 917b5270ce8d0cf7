"""Caches values between requests of the Elementary page."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar, cast

_NOTHING = object()
T = TypeVar("T")


@dataclass
class _Entry:
    lock: Lock = field(default_factory=Lock)
    value: object = _NOTHING
    expires: float = math.inf


class Cache:
    """Keeps the most recently used values.

    :param entries: maximum number of values.
    """

    def __init__(self, entries: int) -> None:
        self._limit = entries
        self._lock = Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], *, seconds: float | Callable[[T], float] = math.inf) -> T:
        """Return the value of a key; of concurrent requests for a missing one, one computes it and the others wait.

        :param key: of a value that never changes, unless ``seconds`` are given.
        :param make: computes the value; its exceptions are raised here and not cached.
        :param seconds: how long the value is valid, or a function of the value.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.value is _NOTHING or entry.expires < time.monotonic():
                value = make()
                holds = seconds(value) if callable(seconds) else seconds
                entry.value, entry.expires = value, time.monotonic() + holds
            return cast(T, entry.value)
