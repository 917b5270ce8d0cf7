"""Reads the dbt commands of a source, in UTC."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.arrow_values import array_of, array_of_numbers, is_one_of, numpy_of, scalar_of
from airflow_provider_elementary.times import without_zone

_SCOPE = ("project_name", "target_database", "target_schema")
#: What is read of ``dbt_invocations``.
COMMAND_COLUMNS = ("invocation_id", "created_at", "generated_at", "command", "job_name", "job_id", *_SCOPE)
#: The dbt commands that record results of nodes, and write the artifacts.
BUILDING = frozenset({"build", "run", "test", "seed", "snapshot"})
#: Zones differ from UTC by at most this, in these steps.
_FURTHEST, _STEP = timedelta(hours=14), timedelta(minutes=15)
#: Times as dbt writes them: Arrow reads them as Python does.
_USUAL_TIME = r"^[1-9]\d{3}-\d\d-\d\d[ T]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$"

#: Which project ran on which target: its name, and the target's database and schema.
Scope = tuple[str, str, str]


@dataclass(frozen=True)
class Command:
    """One dbt command.

    :param at: when it ended, UTC.
    :param ahead: by how much the warehouse's session was ahead of UTC.
    """

    invocation_id: str | None
    at: datetime
    ahead: timedelta
    scope: Scope


@dataclass(frozen=True)
class Commands:
    """Any number of dbt commands, the oldest first.

    :param rows: of each, what a :class:`Command` says; ``seen_at``, when it ended in the time of its session; ``name``
        (``run``, ``test``, …); ``job``, of the orchestrator, by its name, null where it names none.
    """

    rows: pa.Table

    @classmethod
    def of(cls, rows: pa.Table) -> Commands:
        """Return the commands of rows of ``dbt_invocations``, without those that have no time."""
        rows = rows.filter(pc.is_valid(rows["created_at"]))
        seen_at = numpy_of(rows["created_at"])
        ahead = _ahead(seen_at, numpy_of(pc.coalesce(_times(rows["generated_at"]), rows["created_at"])))
        text, nothing = pa.string(), scalar_of(None, pa.string())
        plain = {name: _of_each(rows[name], _plain, text) for name in ("job_name", "job_id", *_SCOPE)}
        job = pc.if_else(pc.equal(plain["job_name"], ""), plain["job_id"], plain["job_name"])
        found = pa.table(
            {
                "invocation_id": rows["invocation_id"],
                "at": array_of_numbers(seen_at - ahead),
                "seen_at": array_of_numbers(seen_at),
                "ahead": array_of_numbers(ahead.astype("i8")).cast(pa.duration("us")),
                "name": _of_each(rows["command"], lambda name: _plain(name).lower(), text),
                "job": pc.if_else(pc.equal(job, ""), nothing, job),
                **{name: plain[name] for name in _SCOPE},
                "order": pc.fill_null(rows["invocation_id"], scalar_of("", text)),
            }
        )
        return cls(found.sort_by([("at", "ascending"), ("order", "ascending")]).drop_columns(["order"]))

    def where(self, mask: Any) -> Commands:
        """Return those of a mask."""
        return Commands(self.rows.filter(mask))

    def named(self, *names: str) -> Commands:
        """Return those of some names."""
        return self.where(is_one_of(self.rows["name"], *names))

    def seen_before(self, until: datetime) -> Commands:
        """Return those that ended before a time of their session."""
        return self.where(pc.less(self.rows["seen_at"], scalar_of(until, pa.timestamp("us"))))

    @cached_property
    def building(self) -> Commands:
        """Those that record results of nodes."""
        return self.named(*BUILDING)

    @cached_property
    def with_id(self) -> Commands:
        """Those that have an id."""
        return self.where(pc.not_equal(self.rows["invocation_id"], scalar_of("", pa.string())))

    @cached_property
    def newest(self) -> Command | None:
        """The last one."""
        return next(self._each(self.rows.slice(max(len(self.rows) - 1, 0))), None)

    @property
    def is_of_one_scope(self) -> bool:
        """Whether each is of the same project and target."""
        return all(len(pc.unique(self.rows[name])) == 1 for name in _SCOPE)

    def by_id(self, ids: Iterable[str | None]) -> dict[str | None, Command]:
        """Return the last command of each of some ids that has one."""
        wanted = self.where(is_one_of(self.rows["invocation_id"], *filter(None, set(ids))))
        return {command.invocation_id: command for command in self._each(wanted.rows)}

    def ahead_by_id(self) -> pa.Table:
        """Return ``invocation_id`` and ``ahead`` of the last command of each id."""
        rows = self.with_id.rows
        encoded = pc.dictionary_encode(rows["invocation_id"]).combine_chunks()
        last = np.zeros(len(encoded.dictionary), "i8")
        # Of several rows of one id the last that is written is the last of them.
        last[numpy_of(encoded.indices)] = np.arange(len(rows))
        return rows.select(["invocation_id", "ahead"]).take(array_of_numbers(last))

    @cached_property
    def by_job(self) -> Mapping[str, Commands]:
        """The commands of each job."""
        rows, begin = self.where(pc.is_valid(self.rows["job"])).rows.sort_by("job"), 0
        found: dict[str, Commands] = {}
        for each in pc.value_counts(rows["job"]).to_pylist():
            found[each["values"]] = Commands(rows.slice(begin, each["counts"]))
            begin += each["counts"]
        return found

    def without_jobs(self, jobs: Collection[str]) -> Commands:
        """Return the commands of other jobs, and of none."""
        return self.where(pc.invert(is_one_of(self.rows["job"], *jobs)))

    def between(self, first: datetime, last: datetime) -> Commands:
        """Return those that ended within a time, its ends included."""
        begin = self._at.searchsorted(np.datetime64(first))
        return Commands(self.rows.slice(begin, self._at.searchsorted(np.datetime64(last), "right") - begin))

    def times(self, others: Sequence[datetime] = ()) -> list[datetime]:
        """Return when they ended, and other times: each once, the oldest first."""
        found = numpy_of(pc.unique(self.rows["at"]))
        times: list[datetime] = (np.union1d(found, np.array(others, found.dtype)) if others else found).tolist()
        return times

    @cached_property
    def _at(self) -> np.ndarray:
        return numpy_of(self.rows["at"])

    @staticmethod
    def _each(rows: pa.Table) -> Iterator[Command]:
        for row in rows.to_pylist():
            scope = (row["project_name"], row["target_database"], row["target_schema"])
            yield Command(row["invocation_id"], row["at"], row["ahead"], scope)


def _ahead(seen_at: np.ndarray, generated_at: np.ndarray) -> np.ndarray:
    """Return by how much a session's time, which rows are dated with, is ahead of UTC; no time at all where unclear."""
    apart = seen_at - generated_at
    steps = np.rint(apart / np.timedelta64(_STEP))
    # What took a while to write is no other zone.
    is_zone = (np.abs(steps) >= 2) & (np.abs(apart) <= np.timedelta64(_FURTHEST))
    return np.where(is_zone, steps, 0).astype("i8") * np.timedelta64(_STEP)


def _times(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the times of texts in UTC; null for what is none."""
    texts, nothing = pc.utf8_trim_whitespace(texts), scalar_of(None, pa.string())
    is_usual = pc.match_substring_regex(texts, _USUAL_TIME)
    try:
        usual = pc.if_else(is_usual, texts, nothing).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        # One of them is no day of its month.
        return _of_each(texts, _time, pa.timestamp("us"))
    return pc.coalesce(usual, _of_each(pc.if_else(is_usual, nothing, texts), _time, pa.timestamp("us")))


def _of_each(texts: pa.ChunkedArray, said: Callable[[str | None], Any], kind: pa.DataType) -> pa.Array:
    """Return what is said of each text, or null; each different one is asked once."""
    encoded = pc.dictionary_encode(texts, null_encoding="encode").combine_chunks()
    return array_of(map(said, encoded.dictionary.to_pylist()), kind).take(encoded.indices)


def _time(text: str | None) -> datetime | None:
    try:
        return without_zone(datetime.fromisoformat(_plain(text)))
    except ValueError:
        return None


def _plain(text: str | None) -> str:
    return (text or "").strip()
