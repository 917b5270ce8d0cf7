"""Results are read from a store a part at a time."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import asdict
from threading import get_ident
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.page import result_rows
from airflow_provider_elementary.storage import fetch_ahead, file_binding
from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file


def test_a_large_file_is_read_one_row_group_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def groups(opened: Any, file: SimpleNamespace, *rest: Any) -> Iterator[pa.Table]:
        for number in range(3):
            read.append(file.rows)
            yield pa.table({"number": [number]})

    files = [SimpleNamespace(rows=rows) for rows in (10**9, 1, 10**9)]
    monkeypatch.setattr(result_rows, "_opened_files", lambda opened, result: ((file, b"") for file in files))
    monkeypatch.setattr(result_rows, "_row_groups_of", groups)
    opened, result = SimpleNamespace(), SimpleNamespace()
    rows: Any = result_rows.row_groups(opened, [result], ["number"])  # type: ignore[arg-type, list-item]

    first = next(rows)

    assert read.count(10**9) == 1
    assert [part["number"].to_pylist() for part in (first, *rows)] == [[0], [1], [2]] * 3


@pytest.mark.parametrize(("seconds", "is_ahead"), [(60.0, False), (0.01, True)])
def test_row_groups_are_fetched_ahead_where_a_request_takes_long(
    seconds: float, is_ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_binding, "WHOLE_BYTES", 0)
    monkeypatch.setattr(fetch_ahead, "FOLDER_SECONDS", seconds)
    target, key, asked = io.BytesIO(), bytes(32), set[int]()
    rows = pa.table({"number": range(6)})
    with encrypted_file(target, rows.schema, key, frozenset()) as file:
        for batch in rows.to_batches(max_chunksize=1):
            file.write(batch)
            file.flush()

    def get_range(name: str, start: int, length: int) -> bytes:
        asked.add(get_ident())
        time.sleep(0.02)
        return target.getvalue()[start : start + length]

    opened: Any = SimpleNamespace(store=SimpleNamespace(get_range=get_range))
    stored: Any = SimpleNamespace(**asdict(file.binding), key="file")
    found = result_rows._row_groups_of(opened, stored, key, ["number"])

    assert [part["number"].to_pylist() for part in found] == [[number] for number in range(6)]
    assert (len(asked) > 1) == is_ahead
