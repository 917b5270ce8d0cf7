"""Whatever stands in a text column that should hold JSON, reading it raises nothing."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elementary.elementary_schema.json_text import json_list, json_object, words_of

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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["a", "b", "a"]', ("a", "b")),
        ('["a", null, "", {"x": 1}, 7]', ("a", "7")),
        ('"a, b"', ("a", "b")),
        ("data-team", ("data-team",)),
        ("a@x.example,b@x.example", ("a@x.example", "b@x.example")),
        ("['a', 'b']", ("a", "b")),
        *(
            (text, ())
            for text in ("", None, "[]", "null", "None", "NaN", "{}", "[broken", "***", "[" * 100_000, "true")
        ),
    ],
)
def test_what_stands_for_nothing_is_no_name(text: str | None, words: tuple[str, ...]) -> None:
    assert words_of(text) == words
