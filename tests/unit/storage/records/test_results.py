"""Data keys of the files of a result."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage.records.result_files import with_data_keys


def test_a_data_key_is_unwrapped_once_for_all_files_of_a_category() -> None:
    calls: list[Category] = []

    def unwrap(category: Category, wrapped: str, purpose: object) -> bytes:
        calls.append(category)
        return wrapped.encode()

    one, two = list(Category)[:2]
    opened: Any = SimpleNamespace(keys=SimpleNamespace(unwrap=unwrap))
    result: Any = SimpleNamespace(keys={one.value: "1", two.value: "2"})
    files: list[Any] = [SimpleNamespace(category=category) for category in (one, two) * 30]

    assert [key for _, key in with_data_keys(opened, result, files)] == [b"1", b"2"] * 30
    assert calls == [one, two]
