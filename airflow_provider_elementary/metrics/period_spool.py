"""Divides streamed rows by category and period, on disk where necessary."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.metrics.deduplicate import ROWS_AT_ONCE, days_of
from airflow_provider_elementary.metrics.periods import Period
from airflow_provider_elementary.storage.encrypted_parquet import EncryptedFile, encrypted_file, open_encrypted
from airflow_provider_elementary.storage.file_binding import FileBinding, fetch_from
from airflow_provider_elementary.storage.records.result_files import split_by_category

#: Rows of one period that are written at a time.
_GROUP_ROWS = 8_000
#: The day of a bucket without an end.
_NO_DAY = date.min

_Place = tuple[Category, Period]


@dataclass(frozen=True)
class DividedRows:
    """The rows of one category and period.

    :param count: how many.
    :param read: yields them, in the order in which they came.
    """

    count: int
    read: Callable[[], Iterator[pa.RecordBatch]]


Divided = dict[Category, dict[Period, DividedRows]]


@contextmanager
def divided(rows: Iterable[pa.RecordBatch], period_of: Callable[[Category, date], Period]) -> Iterator[Divided]:
    """Yield of each category and period how to read its rows.

    :param rows: metrics; ``bucket_end`` says of which day they are.
    """
    batches, first, count = iter(rows), [], 0
    for batch in batches:
        first.append(batch)
        count += batch.num_rows
        if count > ROWS_AT_ONCE:
            break
    if count <= ROWS_AT_ONCE:
        held: dict[_Place, list[pa.RecordBatch]] = {}
        for batch in first:
            for place, part in _split(batch, period_of):
                held.setdefault(place, []).append(part)
        yield _by_category({place: DividedRows(sum(map(len, parts)), parts.__iter__) for place, parts in held.items()})
        return
    with tempfile.TemporaryDirectory(prefix="elementary-metrics-") as folder:
        key = os.urandom(32)
        bindings = _write(chain(first, batches), period_of, Path(folder), key)
        yield _by_category(
            {
                place: DividedRows(binding.rows, partial(_read, path, binding, key))
                for place, (path, binding) in bindings.items()
            }
        )


def _by_category(found: dict[_Place, DividedRows]) -> Divided:
    divided: Divided = {}
    for (category, period), rows in found.items():
        divided.setdefault(category, {})[period] = rows
    return divided


def _write(
    batches: Iterable[pa.RecordBatch], period_of: Callable[[Category, date], Period], folder: Path, key: bytes
) -> dict[_Place, tuple[Path, FileBinding]]:
    files: dict[_Place, tuple[Path, EncryptedFile]] = {}
    waiting: dict[_Place, int] = {}
    with ExitStack() as stack:
        for batch in batches:
            for place, part in _split(batch, period_of):
                if place not in files:
                    path = folder / f"{len(files)}.parquet"
                    target = stack.enter_context(path.open("wb"))
                    file = stack.enter_context(encrypted_file(target, part.schema, key, frozenset({"id"})))
                    files[place] = (path, file)
                file = files[place][1]
                file.write(part)
                waiting[place] = waiting.get(place, 0) + part.num_rows
                if waiting[place] >= _GROUP_ROWS:
                    file.flush()
                    waiting[place] = 0
    return {place: (path, file.binding) for place, (path, file) in files.items()}


def _read(path: Path, binding: FileBinding, key: bytes) -> Iterator[pa.RecordBatch]:
    with path.open("rb") as file:
        yield from open_encrypted(fetch_from(file), key, path.name, binding)


def _split(
    batch: pa.RecordBatch, period_of: Callable[[Category, date], Period]
) -> Iterator[tuple[_Place, pa.RecordBatch]]:
    for category, part in split_by_category(batch):
        if not part.num_rows:
            continue
        days = days_with_place(part)
        found: dict[Period, list[date]] = {}
        for day in pc.unique(days).to_pylist():
            found.setdefault(period_of(category, day), []).append(day)
        if len(found) == 1:
            yield (category, next(iter(found))), part
            continue
        for period, of_period in found.items():
            yield (category, period), part.filter(pc.is_in(days, pa.array(of_period, pa.date32())))


def days_with_place(rows: pa.RecordBatch) -> pa.Array:
    """Return the day of each metric by which it is stored; of a bucket without an end the first day that there is."""
    return pc.fill_null(days_of(rows), pa.scalar(_NO_DAY, pa.date32()))
