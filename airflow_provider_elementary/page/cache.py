"""What the Elementary page remembers between requests: bounded, made once at a time, never an error."""

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
    """Keeps the values that were asked for last.

    :param entries: how many values are kept.
    """

    def __init__(self, entries: int) -> None:
        self._limit = entries
        self._lock = Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], *, seconds: float | Callable[[T], float] = math.inf) -> T:
        """Return the value of a key; of many who ask for a missing one at once, one makes it and the others wait.

        :param key: names what never changes, unless ``seconds`` are given.
        :param make: makes the value; what it raises is raised here and not kept.
        :param seconds: how long the value holds; where that depends on the value, a function of it.
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
