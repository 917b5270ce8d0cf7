"""Names in columns of JSON text, however they were written."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.elementary_schema.json_text import words_of


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
