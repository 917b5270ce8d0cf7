"""Tests the types of arguments."""

from __future__ import annotations

import argparse

import pytest

from airflow_provider_elementary.cli.options import numbers


@pytest.mark.parametrize(("text", "found"), [("12", [12]), ("3-5", [3, 4, 5]), ("7-7", [7])])
def test_a_number_or_a_range_is_read(text: str, found: list[int]) -> None:
    assert list(numbers(text)) == found


@pytest.mark.parametrize("text", ["", "0", "-1", "5-3", "1-", "1-9999999999", "1 2", "\uff11", "9" * 5000])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no number of 1 or more, and no range"):
        numbers(text)
