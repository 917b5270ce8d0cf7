"""Data keys open with their category's master key and the context that they were made in, and with nothing else."""

from __future__ import annotations

import pytest
from boto3.session import Session

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError, KeyUnavailableError
from airflow_provider_elementary.storage.keys import KmsKeys, LocalKeys, Purpose, StoreKeys, WrappedKey

CONTEXT = {"snapshot": "20261122T000000Z-00000000"}


def test_a_data_key_opens_again() -> None:
    keys = LocalKeys(LocalKeys.generate())

    made = keys.new_data_key(Category.METADATA, CONTEXT)

    assert keys.unwrap(Category.METADATA, made.wrapped, CONTEXT) == made.plaintext
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
        keys.unwrap(Category.RUN_RESULTS, made.wrapped, CONTEXT)


def test_another_context_does_not_open_it() -> None:
    keys = LocalKeys(LocalKeys.generate())
    made = keys.new_data_key(Category.METADATA, CONTEXT)

    with pytest.raises(KeyUnavailableError):
        keys.unwrap(Category.METADATA, made.wrapped, {"snapshot": "another"})


@pytest.mark.parametrize(
    ("store_id", "category", "purpose"),
    [
        ("cd" * 32, Category.METADATA, Purpose.SNAPSHOT),
        ("ab" * 32, Category.RUN_RESULTS, Purpose.SNAPSHOT),
        ("ab" * 32, Category.METADATA, Purpose.RESULT),
    ],
    ids=["store", "category", "purpose"],
)
def test_a_data_key_opens_in_no_other_store_category_or_purpose(
    store_id: str, category: Category, purpose: Purpose
) -> None:
    # One master key for all categories, as with KMS: so the context alone separates them.
    masters = LocalKeys(dict.fromkeys(LocalKeys.generate(), LocalKeys.generate()["metadata"]))
    made = StoreKeys(masters, "ab" * 32).new_data_key(Category.METADATA, Purpose.SNAPSHOT)

    assert StoreKeys(masters, "ab" * 32).unwrap(Category.METADATA, made.wrapped, Purpose.SNAPSHOT) == made.plaintext
    with pytest.raises(KeyUnavailableError):
        StoreKeys(masters, store_id).unwrap(category, made.wrapped, purpose)


def test_a_replaced_key_still_opens_and_wraps_nothing() -> None:
    old, new = LocalKeys.generate(), LocalKeys.generate()
    made = LocalKeys(old).new_data_key(Category.METADATA, CONTEXT)

    keys = LocalKeys({"metadata": [new["metadata"], old["metadata"]]})

    assert keys.unwrap(Category.METADATA, made.wrapped, CONTEXT) == made.plaintext
    assert keys.new_data_key(Category.METADATA, CONTEXT).wrapped.master_key_id == LocalKeys(new).master_key_id(
        Category.METADATA, CONTEXT
    )


@pytest.mark.parametrize("ciphertext", ["", "AAAA", "AAAAAAAAAAAAAAAAAAAA"])
def test_a_wrapped_key_that_is_none_opens_nothing(ciphertext: str) -> None:
    keys = LocalKeys(LocalKeys.generate())

    with pytest.raises(KeyUnavailableError):
        keys.unwrap(Category.METADATA, WrappedKey("local:1", ciphertext), CONTEXT)


class TestKmsKeyNames:
    """Which keys of a connection may be asked to open what a key of this ARN wrapped."""

    ARN = "arn:aws:kms:eu-central-1:111122223333:key/0b8f2d3e-aaaa-bbbb-cccc-000000000000"
    REPLICA = "arn:aws:kms:us-east-1:111122223333:key/mrk-1"

    @pytest.mark.parametrize(
        ("named", "arn", "asked"),
        [
            (ARN, ARN, True),
            (ARN.rpartition("/")[2], ARN, True),
            ("alias/elementary", ARN, True),
            (ARN.replace("1111", "2222"), ARN, False),
            (ARN.replace("eu-central-1", "eu-west-1"), ARN, False),
            (ARN[:-1] + "1", ARN, False),
            (REPLICA.replace("us-east-1", "eu-central-1"), REPLICA, True),
            (REPLICA.replace("1111", "2222"), REPLICA, False),
            (ARN, "local:0123", False),
        ],
    )
    def test_only_a_key_that_may_be_the_same_is_asked(
        self, monkeypatch: pytest.MonkeyPatch, named: str, arn: str, asked: bool
    ) -> None:
        asking: list[str] = []

        def decrypt(KeyId: str, **arguments: object) -> dict[str, bytes]:
            asking.append(KeyId)
            return {"Plaintext": b"k" * 32}

        kms = Session("id", "secret", region_name="eu-central-1").client("kms")
        monkeypatch.setattr(kms, "decrypt", decrypt)
        keys = KmsKeys(kms, named)
        if asked:
            assert keys.unwrap(Category.METADATA, WrappedKey(arn, "AAAA"), CONTEXT) == b"k" * 32
        else:
            with pytest.raises(KeyUnavailableError, match="does not name that KMS key"):
                keys.unwrap(Category.METADATA, WrappedKey(arn, "AAAA"), CONTEXT)

        assert asking == ([named] if asked else [])


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
