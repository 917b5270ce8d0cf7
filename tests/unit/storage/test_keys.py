"""Data keys open with their category's master key and the context that they were made in, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError, KeyUnavailableError
from airflow_provider_elementary.storage.keys import LocalKeys

CONTEXT = {"snapshot": "20261122T000000Z-00000000"}


def test_a_data_key_opens_again() -> None:
    keys = LocalKeys(LocalKeys.generate())

    made = keys.new_data_key(Category.METADATA, CONTEXT)

    assert keys.unwrap(Category.METADATA, made.wrapped) == made.plaintext
    assert len(made.plaintext) == 32


def test_two_data_keys_are_never_the_same() -> None:
    keys = LocalKeys(LocalKeys.generate())

    made = [keys.new_data_key(Category.METADATA, CONTEXT) for _ in range(2)]

    assert made[0].plaintext != made[1].plaintext
    assert made[0].wrapped.ciphertext != made[1].wrapped.ciphertext


def test_the_wrapped_key_and_its_name_do_not_hold_the_keys() -> None:
    master_keys = LocalKeys.generate()

    made = LocalKeys(master_keys).new_data_key(Category.METADATA, CONTEXT)

    assert master_keys["metadata"] not in repr(made)
    assert made.plaintext.hex() not in repr(made)
    assert made.wrapped.master_key_id.startswith("local:")


def test_the_key_of_another_category_does_not_open_it() -> None:
    keys = LocalKeys(LocalKeys.generate())
    made = keys.new_data_key(Category.METADATA, CONTEXT)

    with pytest.raises(KeyUnavailableError, match="does not open what"):
        keys.unwrap(Category.RUN_RESULTS, made.wrapped)


def test_another_context_does_not_open_it() -> None:
    keys = LocalKeys(LocalKeys.generate())
    made = keys.new_data_key(Category.METADATA, CONTEXT)

    with pytest.raises(KeyUnavailableError):
        keys.unwrap(Category.METADATA, replace(made.wrapped, context={"snapshot": "another"}))


@pytest.mark.parametrize(
    "value", ["", "c2hvcnQ=", "not base64!", "A" * 44 + "="], ids=["empty", "short", "text", "long"]
)
def test_a_key_that_is_not_32_bytes_in_base64_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(ConfigurationError, match="The master key of metadata is not 32 bytes") as caught:
        LocalKeys({"metadata": value})

    assert not value or value not in str(caught.value)


def test_a_key_for_something_that_is_no_category_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'metrics' is not a category that a key could be for"):
        LocalKeys({"metrics": LocalKeys.generate()["metadata"]})
