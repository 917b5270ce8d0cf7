"""Counts are written with their nouns, and the nearest name is offered."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.words import did_you_mean, plural


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (1, "table", "1 table"),
        (0, "table", "0 tables"),
        (2_000, "table", "2,000 tables"),
        (6, "category", "6 categories"),
    ],
)
def test_nouns_follow_their_counts(count: int, noun: str, text: str) -> None:
    assert plural(count, noun) == text


def test_the_nearest_name_is_offered_and_no_other() -> None:
    assert did_you_mean("sumary", ["summary", "snapshot"]) == " Did you mean 'summary'?"
    assert did_you_mean("zzz", ["summary"]) == did_you_mean("", []) == ""
