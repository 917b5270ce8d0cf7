"""Stores new queries of a history with those of earlier runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.exceptions import ConfigurationError, KeyDeletedError
from airflow_provider_elementary.query_history.counters import since_last_read
from airflow_provider_elementary.query_history.guard import HistorySession, history_of, history_query, run
from airflow_provider_elementary.query_history.rows import HistoryPolicy, Pseudonyms, rows_of
from airflow_provider_elementary.query_history.schema import CATEGORY, COUNTERS_SCHEMA, DAYS, HISTORY_SCHEMA, KIND
from airflow_provider_elementary.query_history.window import EarlierRead, WindowReader, next_window
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.layout import result_file_days
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_document import Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import ResultNames, discard_files, read_files, write_rows
from airflow_provider_elementary.storage.records.results import commit_result, newest_result
from airflow_provider_elementary.times import without_zone

log = logging.getLogger(__name__)

_KEYED = "query_id"


@dataclass(frozen=True)
class HistoryLimits:
    """How much one run reads, and how long rows are kept.

    :param first_days: how far the first run looks back.
    :param most_days: how much time one run reads at most; the next continues.
    :param most_rows: how many rows one run reads at most, to the next full page.
    :param days: how long rows are kept.
    """

    first_days: float = 1
    most_days: float = 2
    most_rows: int = 500_000
    days: int = DAYS


NUMBERS_ONLY = HistoryPolicy()
USUAL_LIMITS = HistoryLimits()


@dataclass(frozen=True)
class HistoryUpdate:
    """What a run read and stored.

    :param result: the stored history.
    :param read: how many rows the warehouse listed.
    :param new: how many of them no earlier run had stored.
    :param is_behind: there is more to read: the next run continues there.
    :param notes: what is not known of the time since the run before, in sentences.
    """

    result: Result
    read: int
    new: int
    is_behind: bool = False
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows are stored of all days."""
        return sum(file.rows for file in self.result.files if result_file_days(file.key))


@dataclass(frozen=True)
class _QueriesRead:
    """What was read, and what the next run continues with."""

    rows: pa.Table
    parameters: Mapping[str, Any]
    counters: pa.Table | None = None
    is_behind: bool = False
    notes: tuple[str, ...] = ()


def update_query_history(
    opened: OpenStore,
    session: HistorySession,
    *,
    connection: str,
    run_key: str,
    policy: HistoryPolicy = NUMBERS_ONLY,
    limits: HistoryLimits = USUAL_LIMITS,
    now: datetime | None = None,
    known: int = 0,
) -> HistoryUpdate:
    """Store the queries that ended since the run before, once each, and drop those that are too old.

    Reading the same time again changes nothing: of rows with one id the newest read counts.

    :param opened: the store.
    :param session: of the second role, which may read the history and nothing else.
    :param connection: names the series of stored histories; the id of the connection.
    :param run_key: what the run is for.
    :param now: what time it is; for tests.
    :param known: a number that the series had, as :func:`~.results.recorded_result` returns it.
    :raises AccessDeniedError: the role may not read the history.
    :raises KeyUnavailableError: the key of Query logs does not open what is stored.
    """
    if limits.days < 1 or limits.first_days <= 0:
        raise ConfigurationError("days and first_days of a query history have to be above 0.")
    opened.documents.require_signer()
    moment = without_zone(now or datetime.now(UTC))
    earlier = newest_result(opened, KIND, connection)
    key = _data_key(opened, earlier)
    if key.is_new:
        earlier = None
    _, history = history_of(session.adapter)
    pseudonyms = Pseudonyms(key.data_key.plaintext)
    reading = _Reading(opened, session, earlier, policy, limits, moment, pseudonyms)
    read = reading.counters() if history.is_cumulative else reading.window()
    names = ResultNames(KIND, connection, run_key)
    try:
        files, new = _write(opened, names, earlier, key.data_key, read, moment.date() - timedelta(days=limits.days))
    except BaseException:
        discard_files(opened, names)
        raise
    # A commit that fails may have written the document that names the files; prune deletes those that none names.
    result = commit_result(
        opened,
        names,
        files,
        {CATEGORY: key.data_key},
        origin={"adapter": session.adapter, "database": session.database, "schema": session.schema},
        parameters={**read.parameters, "days": limits.days, "includes_text": policy.include_text},
        known=known,
    )
    return HistoryUpdate(result, read.rows.num_rows, new, read.is_behind, read.notes)


@dataclass(frozen=True)
class _Key:
    data_key: DataKey
    is_new: bool


def _data_key(opened: OpenStore, earlier: Result | None) -> _Key:
    """Return the data key of the history: all its files open with one."""
    if earlier is not None:
        wrapped = earlier.keys[CATEGORY.value]
        try:
            return _Key(DataKey(opened.keys.unwrap(CATEGORY, wrapped, Purpose.RESULT), wrapped), is_new=False)
        except KeyDeletedError as error:
            log.warning("the history begins again: what is stored no longer opens: %s", error)
    return _Key(opened.keys.new_data_key(CATEGORY, Purpose.RESULT), is_new=True)


@dataclass(frozen=True)
class _Reading:
    """What one run reads the history with, and the two ways in which warehouses keep one."""

    opened: OpenStore
    session: HistorySession
    earlier: Result | None
    policy: HistoryPolicy
    limits: HistoryLimits
    now: datetime
    pseudonyms: Pseudonyms

    def window(self) -> _QueriesRead:
        """Read what ended since the run before."""
        kind, history = history_of(self.session.adapter)
        window = next_window(
            _earlier_read(self.earlier),
            self.now,
            delay=timedelta(minutes=history.delay),
            first=timedelta(days=self.limits.first_days),
            most=timedelta(days=self.limits.most_days),
        )
        reader = WindowReader(self.session, window, self.limits.most_rows)
        pages = [
            rows_of(page, self.session.dialect, history.finished, self.policy, self.pseudonyms)
            for page in reader.pages()
        ]
        rows = pa.concat_tables(pages) if pages else HISTORY_SCHEMA.empty_table()
        newest = max(
            (time for time in (pc.max(rows["ended_at"]).as_py(), _time_of(self.earlier, "newest")) if time),
            default=None,
        )
        log.info(
            "read %s queries of %s that ended from %s to %s", rows.num_rows, kind.label, window.since, window.until
        )
        parameters = {"since": window.since.isoformat(), "until": (reader.read_until or window.until).isoformat()}
        return _QueriesRead(
            rows,
            {
                **parameters,
                "read_at": self.now.isoformat(),
                "newest": newest.isoformat() if newest else None,
                "is_behind": reader.is_behind,
            },
            is_behind=reader.is_behind,
        )

    def counters(self) -> _QueriesRead:
        """Compare the counters of statements with those of the run before."""
        kind, history = history_of(self.session.adapter)
        before = pa.Table.from_batches(
            _read_all(self.opened, self.earlier, lambda file: result_file_days(file.key) is None), COUNTERS_SCHEMA
        )
        counted = since_last_read(run(self.session, history_query(self.session, self.now, self.now)), before)
        notes = []
        if not before.num_rows:
            notes.append(
                f"{kind.label} counts the runs of each statement and lists no query: this first read is what the next "
                "one is compared with, and no row comes of it."
            )
        if counted.was_reset:
            notes.append("The counters were reset since the run before: runs until then are not known.")
        if counted.evicted:
            notes.append(
                f"The server removed statements for others {counted.evicted} times since the run before: their runs "
                "are not known. Raise pg_stat_statements.max."
            )
        rows = rows_of(counted.records, self.session.dialect, history.finished, self.policy, self.pseudonyms)
        return _QueriesRead(
            rows, {"until": self.now.isoformat(), "is_cumulative": True}, counted.counters, notes=tuple(notes)
        )


def _write(
    opened: OpenStore, names: ResultNames, earlier: Result | None, key: DataKey, read: _QueriesRead, oldest: date
) -> tuple[list[ResultFile], int]:
    """Write the days that have new rows, and return the files of all days that are kept and how many rows are new."""
    days = pc.cast(read.rows["ended_at"], pa.date32())
    stored = {
        found[0]: file
        for file in (earlier.files if earlier is not None else ())
        if (found := result_file_days(file.key)) and found[0] >= oldest
    }
    touched = sorted(day for day in set(days.to_pylist()) if day >= oldest)
    files = [file for day, file in stored.items() if day not in touched]
    new = 0
    for day in touched:
        old = pa.Table.from_batches(
            read_files(opened, earlier, [stored[day]]) if earlier is not None and day in stored else [], HISTORY_SCHEMA
        )
        merged = _newest_of_each_id(pa.concat_tables([old, read.rows.filter(pc.equal(days, day))]))
        new += merged.num_rows - old.num_rows
        files += _file(opened, names, merged, key, f"{day:%Y%m%d}-{day:%Y%m%d}".rjust(17, "0"))
    if read.counters is not None:
        files += _file(opened, names, read.counters, key, "")
    return files, new


def _file(opened: OpenStore, names: ResultNames, rows: pa.Table, key: DataKey, period: str) -> list[ResultFile]:
    keys = {CATEGORY: key}
    return write_rows(opened, names, rows.to_batches(), rows.schema, keys, category=CATEGORY, period=period)


def _newest_of_each_id(rows: pa.Table) -> pa.Table:
    """Return the last row of each id, in the order in which queries ended."""
    # Clients of ClickHouse may give an id again, to a query that starts at another time.
    keys = zip(rows[_KEYED].to_pylist(), rows["started_at"].to_pylist(), strict=True)
    last = {key: place for place, key in enumerate(keys)}
    kept = rows.take(pa.array(sorted(last.values()), pa.int64()))
    return kept.sort_by([("ended_at", "ascending"), (_KEYED, "ascending")])


def _read_all(
    opened: OpenStore, result: Result | None, is_wanted: Callable[[ResultFile], bool]
) -> Iterator[pa.RecordBatch]:
    if result is not None:
        yield from read_files(opened, result, [file for file in result.files if is_wanted(file)])


def _earlier_read(result: Result | None) -> EarlierRead | None:
    until, at = _time_of(result, "until"), _time_of(result, "read_at")
    return EarlierRead(until, at, _time_of(result, "newest")) if until is not None and at is not None else None


def _time_of(result: Result | None, name: str) -> datetime | None:
    value = result.parameters.get(name) if result is not None else None
    return datetime.fromisoformat(value) if isinstance(value, str) else None
