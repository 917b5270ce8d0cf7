"""Declares what people say about verdicts, as an input of detection."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.times import without_zone

#: What a bucket can be marked as; a mark is a place here.
MARKS = ("", "expected", "muted", "new normal", "excluded", "not complete")
EXPECTED, MUTED, NEW_NORMAL, EXCLUDED, NOT_COMPLETE = range(1, len(MARKS))
#: What feedback can be.
KINDS = ("expected", "muted", "new normal", "excluded", "sensitivity")
_ANY_CASE = ("full_table_name", "column_name", "metric_name")
_KEYS = (*_ANY_CASE, "dimension", "dimension_value")


@dataclass(frozen=True)
class Feedback:
    """What a person said about some series; a key that is None is any.

    :param kind: ``expected``: these buckets are no anomalies, and the model learns from them. ``muted``: they are not
        reported. ``new normal``: the bucket in which ``since``
        lies is the first at a new level. ``excluded``: they are neither
        scored nor learned from. ``sensitivity``: the series have this ``sensitivity``, whatever their tests say.
    :param since: buckets that end later are meant; None is from the beginning. UTC.
    :param until: buckets that start earlier are meant; None is for good. UTC.
    """

    kind: str
    full_table_name: str | None = None
    column_name: str | None = None
    metric_name: str | None = None
    dimension: str | None = None
    dimension_value: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    sensitivity: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f"Feedback {self.kind!r} is unknown. Use one of {', '.join(KINDS)}.")
        if self.kind == "sensitivity":
            number = self.sensitivity
            if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
                raise ConfigurationError(f"Feedback has the sensitivity {number!r}. Use a number above 0.")
        elif self.sensitivity is not None:
            raise ConfigurationError(f"Feedback {self.kind!r} takes no sensitivity. Use the kind 'sensitivity'.")
        if self.kind == "new normal" and self.since is None:
            raise ConfigurationError("Feedback 'new normal' lacks since. Give the time from which the level is new.")
        for name in ("since", "until"):
            moment = getattr(self, name)
            if moment is not None and not isinstance(moment, datetime):
                raise ConfigurationError(f"Feedback has the {name} {moment!r}. Use a datetime.")
            if moment is not None and moment.tzinfo:
                object.__setattr__(self, name, without_zone(moment))

    def concerns(self, keys: pa.Table) -> npt.NDArray[np.bool_]:
        """Return which series are meant; names of tables, columns and metrics match in any case."""
        chosen = np.ones(keys.num_rows, bool)
        for name in _KEYS:
            wanted = getattr(self, name)
            if wanted is None:
                continue
            column = pc.utf8_upper(keys[name]) if name in _ANY_CASE else keys[name]
            wanted = wanted.upper() if name in _ANY_CASE else wanted
            chosen &= pc.fill_null(pc.equal(column, wanted), False).to_numpy(zero_copy_only=False)
        return chosen


def feedback_of(given: pa.Table | Iterable[Feedback | Mapping[str, Any]] | None) -> tuple[Feedback, ...]:
    """Return feedback that is given as objects, as mappings or as a table with a column for each field.

    :raises ConfigurationError: a field is unknown, or its value does not fit.
    """
    rows = given.to_pylist() if isinstance(given, pa.Table) else list(given or ())
    known = [field.name for field in fields(Feedback)]
    found = []
    for row in rows:
        if isinstance(row, Feedback):
            found.append(row)
            continue
        unknown = sorted(set(row) - set(known))
        if unknown or row.get("kind") is None:
            fact = f"has no field {', '.join(unknown)}" if unknown else "lacks its kind"
            raise ConfigurationError(f"Feedback {fact}. Its fields are {', '.join(known)}.")
        found.append(Feedback(**row))
    return tuple(found)
