"""Reads stored metrics, whole or what changed since an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from airflow_provider_elementary.anomalies.configurations import KEYS
from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from airflow_provider_elementary.source import reader_of_first
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.kept_files import read_kept
from airflow_provider_elementary.storage.layout import result_file_days
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_document import RESULT, Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import read_files
from airflow_provider_elementary.storage.records.results import find_result
from airflow_provider_elementary.times import before

#: The columns of metrics that verdicts are made from or repeat.
COLUMNS = tuple(name for name in METRICS_SCHEMA.names if name not in ("metric_type", "bucket_duration_hours"))
Rows = Callable[[], pa.RecordBatchReader]
_EPOCH = datetime(1970, 1, 1)
_A_DAY = timedelta(days=1)
#: As many files change in an hour without late rows; to ask for each of them costs fewer bytes.
_FEW = 6


@dataclass(frozen=True)
class MetricChanges:
    """What of stored metrics is not as an earlier run read it; each is None where there is nothing to read.

    :param added: rows of files that are new.
    :param removed: rows of files that are gone, or written again.
    :param recent: rows of files that both have, which may be about days after those that the run learned from.
    :param rest: rows of all files that both have.
    """

    added: Rows | None
    removed: Rows | None
    recent: Rows | None
    rest: Rows | None


@dataclass(frozen=True)
class MetricRows:
    """Metrics that can be read again.

    :param whole: opens all of them.
    """

    whole: Rows

    @classmethod
    def once(cls, reader: pa.RecordBatchReader) -> MetricRows:
        """Return metrics that can be read one time; a run that has to read them again fails."""
        readers = [reader]

        def whole() -> pa.RecordBatchReader:
            if not readers:
                raise ElementaryError("The metrics have to be read again and cannot be. Store them, then run the task.")
            return readers.pop()

        return cls(whole)

    @property
    def place(self) -> Mapping[str, str] | None:
        """By what the metrics are recognised in a later run; None where they are not stored."""
        return None

    def since(self, place: Mapping[str, str] | None, until: int) -> MetricChanges | None:
        """Return what changed since a run that read the metrics of a place, or None where that is not known.

        :param until: seconds since 1970, up to which the run learned from them.
        """
        return None


@dataclass(frozen=True)
class StoredMetrics(MetricRows):
    """Metrics of a store: each file is of some days, and files in which nothing changed are shared by many results.

    :param result: the document that names the files.
    """

    opened: OpenStore
    result: Result

    @classmethod
    def of(cls, opened: OpenStore, result: Result, since: datetime | None = None) -> StoredMetrics:
        """Return the metrics of a result.

        :param since: leave out of the whole what ends on days before this; its names are dictionaries then.
        """
        # A bucket that ends at midnight is of the day before.
        first = before(since, _A_DAY).date() if since is not None else date.min
        days = {file: result_file_days(file.key) for file in result.row_files}
        files = [file for file, known in days.items() if known is None or known[1] >= first]
        # The newest first: it says which rows of the others are too old.
        files.sort(key=lambda file: days[file] or (date.max, date.max), reverse=True)
        dictionaries = KEYS if since is not None else ()
        return cls(lambda: _reader(opened, result, files, dictionaries), opened, result)

    def periods(self) -> Iterator[Rows]:
        """Yield what opens the metrics of each period that is stored apart, the newest first."""
        files: dict[tuple[date, date], list[ResultFile]] = {}
        for file in self.result.row_files:
            files.setdefault(result_file_days(file.key) or (date.max, date.max), []).append(file)
        for period in sorted(files, key=lambda days: days[::-1], reverse=True):
            if (rows := self._rows(self.result, files[period])) is not None:
                yield rows

    @property
    def place(self) -> Mapping[str, str] | None:
        """The name of the document and the hash of what it says, as the name alone may be given again."""
        return _place(self.result)

    def since(self, place: Mapping[str, str] | None, until: int) -> MetricChanges | None:
        """Compare the names and hashes of the files; see :meth:`MetricRows.since`."""
        if (earlier := self._earlier(place)) is None:
            return None
        then, now = set(earlier.row_files), set(self.result.row_files)
        both = [file for file in self.result.row_files if file in then]
        if sum(file.rows for file in then - now) >= sum(file.rows for file in both):
            # To read what was and what is costs more than to read all.
            return None
        copies = self.result.parameters.get("copies")
        if len(then ^ now) > _FEW and self.opened.kept is not None and isinstance(copies, str):
            # The task that read those before and wrote those of now has copies of the small ones.
            self.opened.kept.include(read_kept(self.opened.store, copies))
        # A bucket that ends at midnight is of the day before.
        last = before(_EPOCH + timedelta(seconds=until), _A_DAY).date()
        days = [result_file_days(file.key) for file in both]
        recent = [file for file, known in zip(both, days, strict=True) if known is None or known[1] >= last]
        return MetricChanges(
            added=self._rows(self.result, (file for file in self.result.row_files if file not in then)),
            removed=self._rows(earlier, (file for file in earlier.row_files if file not in now)),
            recent=self._rows(self.result, recent),
            rest=self._rows(self.result, both),
        )

    def _earlier(self, place: Mapping[str, str] | None) -> Result | None:
        if place is None or place == self.place:
            return self.result if place else None
        try:
            found = find_result(self.opened, place["key"], place["sha256"])
        except (ElementaryError, KeyError):
            return None
        return found if found is not None and _place(found) == place else None

    def _rows(self, result: Result, files: Iterable[ResultFile]) -> Rows | None:
        named = tuple(files)
        return (lambda: _reader(self.opened, result, named)) if named else None


def _reader(
    opened: OpenStore, result: Result, files: Iterable[ResultFile], dictionaries: Collection[str] = ()
) -> pa.RecordBatchReader:
    rows = read_files(opened, result, files, columns=COLUMNS, dictionaries=dictionaries, is_read_again=True)
    return reader_of_first(rows)


def _place(result: Result) -> Mapping[str, str]:
    return {"key": result.key, "sha256": sha256(RESULT.write(result))}
