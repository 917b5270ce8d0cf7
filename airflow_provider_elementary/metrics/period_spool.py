"""Divides streamed rows by period, in encrypted files where they are many."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.metrics.deduplicate import ROWS_AT_ONCE, days_of
from airflow_provider_elementary.metrics.periods import Period
from airflow_provider_elementary.storage.encrypted_parquet import EncryptedFile, encrypted_file, open_encrypted
from airflow_provider_elementary.storage.file_binding import FileBinding, fetch_from

#: Rows of one period that are written at a time.
_GROUP_ROWS = 8_000
#: The day of a bucket without an end.
_NO_DAY = date.min

Divided = dict[Period, Callable[[], Iterator[pa.RecordBatch]]]


@contextmanager
def divided(rows: Iterable[pa.RecordBatch], period_of: Callable[[date], Period]) -> Iterator[Divided]:
    """Yield of each period how to read its rows, in the order in which they came.

    :param rows: metrics; ``bucket_end`` says of which day they are.
    """
    batches, first, count = iter(rows), [], 0
    for batch in batches:
        first.append(batch)
        count += batch.num_rows
        if count > ROWS_AT_ONCE:
            break
    if count <= ROWS_AT_ONCE:
        held: dict[Period, list[pa.RecordBatch]] = {}
        for batch in first:
            for period, part in _split(batch, period_of):
                held.setdefault(period, []).append(part)
        yield {period: parts.__iter__ for period, parts in held.items()}
        return
    with tempfile.TemporaryDirectory(prefix="elementary-metrics-") as folder:
        key = os.urandom(32)
        bindings = _write(chain(first, batches), period_of, Path(folder), key)
        yield {
            period: lambda path=path, binding=binding: _read(path, binding, key)  # type: ignore[misc]
            for period, (path, binding) in bindings.items()
        }


def _write(
    batches: Iterable[pa.RecordBatch], period_of: Callable[[date], Period], folder: Path, key: bytes
) -> dict[Period, tuple[Path, FileBinding]]:
    files: dict[Period, tuple[Path, EncryptedFile]] = {}
    waiting: dict[Period, int] = {}
    with ExitStack() as stack:
        for batch in batches:
            for period, part in _split(batch, period_of):
                if period not in files:
                    path = folder / f"{len(files)}.parquet"
                    target = stack.enter_context(path.open("wb"))
                    file = stack.enter_context(encrypted_file(target, part.schema, key, frozenset({"id"})))
                    files[period] = (path, file)
                file = files[period][1]
                file.write(part)
                waiting[period] = waiting.get(period, 0) + part.num_rows
                if waiting[period] >= _GROUP_ROWS:
                    file.flush()
                    waiting[period] = 0
    return {period: (path, file.binding) for period, (path, file) in files.items()}


def _read(path: Path, binding: FileBinding, key: bytes) -> Iterator[pa.RecordBatch]:
    with path.open("rb") as file:
        yield from open_encrypted(fetch_from(file), key, path.name, binding)


def _split(batch: pa.RecordBatch, period_of: Callable[[date], Period]) -> Iterator[tuple[Period, pa.RecordBatch]]:
    days = pc.fill_null(days_of(batch), pa.scalar(_NO_DAY, pa.date32()))
    found: dict[Period, list[date]] = {}
    for day in pc.unique(days).to_pylist():
        found.setdefault(period_of(day), []).append(day)
    if len(found) == 1:
        yield next(iter(found)), batch
        return
    for period, of_period in found.items():
        yield period, batch.filter(pc.is_in(days, pa.array(of_period, pa.date32())))
