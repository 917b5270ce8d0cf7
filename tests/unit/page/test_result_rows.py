"""Results are read from a store a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.page import result_rows


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
