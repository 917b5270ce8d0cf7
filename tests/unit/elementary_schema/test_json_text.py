"""Whatever stands in a text column that should hold JSON, reading it raises nothing."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elementary.elementary_schema.json_text import json_list, json_object

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        (None, []),
        ("[]", []),
        ('["a", 1, null]', ["a", 1, None]),
        ('{"a": 1}', [{"a": 1}]),
        ('"a"', ["a"]),
        ("7", [7]),
        ("", [""]),
        ("***", ["***"]),
        ("['a']", ["['a']"]),
        (DEEP, [DEEP]),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_list_gives_its_entries_and_anything_else_is_one(text: str | None, entries: list[Any]) -> None:
    assert json_list(text) == entries


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{}", {}),
        ("[]", None),
        ("7", None),
        ("", None),
        (None, None),
        ("{", None),
        (DEEP, None),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_only_an_object_is_an_object(text: str | None, found: dict[str, Any] | None) -> None:
    assert json_object(text) == found
