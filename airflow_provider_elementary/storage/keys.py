"""Makes and opens data keys, wrapped by master keys."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    KeyDeletedError,
    KeyUnavailableError,
    StoreError,
)
from airflow_provider_elementary.storage.documents import STRICT, Base64
from airflow_provider_elementary.storage.layout import APPLICATION
from airflow_provider_elementary.storage.tls import require_tls

KEY_BYTES = 32
_NONCE_BYTES = 12
# Errors of KMS for a valid request: a retry may help.
_KMS_BUSY = frozenset(
    {
        "ThrottlingException",
        "LimitExceededException",
        "KMSInternalException",
        "DependencyTimeoutException",
        "ExpiredTokenException",
    }
)
# A key that is scheduled for deletion has an invalid state; a deleted one is not found.
_KMS_DELETED = frozenset({"KMSInvalidStateException", "NotFoundException"})


@dataclass(frozen=True)
class WrappedKey:
    """A data key as the manifest keeps it: useless without the master key.

    :param master_key_id: which master key wrapped it: a KMS key's ARN, or ``local:`` and a fingerprint.
    :param ciphertext: the wrapped key, base64.
    """

    master_key_id: str
    ciphertext: Base64

    __pydantic_config__ = STRICT


@dataclass(frozen=True, repr=False)
class DataKey:
    """A data key in the clear, for as long as one snapshot is written, and its wrapped form."""

    plaintext: bytes
    wrapped: WrappedKey


class Keys(Protocol):
    """Where data keys come from and who can open them again."""

    def new_data_key(self, category: Category, context: Mapping[str, str]) -> DataKey:
        """Make a data key of 256 bits for one category.

        :raises KeyUnavailableError: the category's master key is missing, disabled or refused.
        """
        ...

    def unwrap(self, category: Category, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        """Open a wrapped data key, only with a master key that the store's connection names.

        :param context: as it was when the key was made.
        :raises KeyUnavailableError: the category's master key is missing, disabled, refused or another one.
        """
        ...

    def wrap(self, category: Category, plaintext: bytes, context: Mapping[str, str]) -> DataKey:
        """Wrap a data key that there is already, as when its master key was replaced.

        :raises KeyUnavailableError: the category's master key is missing, disabled or refused.
        """
        ...

    def master_key_id(self, category: Category, context: Mapping[str, str]) -> str:
        """Return which master key wraps the category's data keys from now on, as :class:`WrappedKey` names it.

        :param context: as for a data key; who may make none in it may not ask either.
        :raises KeyUnavailableError: the category's master key is missing, disabled or refused.
        """
        ...


class Purpose(StrEnum):
    """What a data key is for; it opens for nothing else."""

    SNAPSHOT = "snapshot"
    HASHED_COLUMNS = "hashed columns"
    RESULT = "result"
    CHECK = "check"


class StoreKeys:
    """The master keys of one store: its data keys open in no other store, category or purpose.

    :param keys: the master keys.
    :param store_id: of the store.
    """

    def __init__(self, keys: Keys, store_id: str) -> None:
        self.masters = keys
        self._store_id = store_id

    def new_data_key(self, category: Category, purpose: Purpose) -> DataKey:
        """Make a data key; see :class:`Keys`."""
        return self.masters.new_data_key(category, self._context(category, purpose))

    def unwrap(self, category: Category, wrapped: WrappedKey, purpose: Purpose) -> bytes:
        """Open a wrapped data key; see :class:`Keys`."""
        return self.masters.unwrap(category, wrapped, self._context(category, purpose))

    def wrap(self, category: Category, plaintext: bytes, purpose: Purpose) -> DataKey:
        """Wrap a data key; see :class:`Keys`."""
        return self.masters.wrap(category, plaintext, self._context(category, purpose))

    def master_key_id(self, category: Category, purpose: Purpose) -> str:
        """Return which master key wraps the category's data keys from now on."""
        return self.masters.master_key_id(category, self._context(category, purpose))

    def _context(self, category: Category, purpose: Purpose) -> dict[str, str]:
        return {
            "application": APPLICATION,
            "store": self._store_id,
            "category": category.value,
            "purpose": purpose.value,
        }


class LocalKeys:
    """Master keys held by this process, one per category, as an Airflow connection or secrets backend gives them.

    :param master_keys: 32 bytes in base64 for each category, or a list of such: the key, then those that it replaced,
        which only open; a reader may hold fewer categories than all.
    :raises ConfigurationError: a name is no category, or a key is not 32 bytes in base64.
    """

    def __init__(self, master_keys: Mapping[str, str | Sequence[str]]) -> None:
        self._master_keys = {
            _category(name): [_decode(name, key) for key in ([value] if isinstance(value, str) else value or [""])]
            for name, value in master_keys.items()
        }

    @staticmethod
    def generate() -> dict[str, str]:
        """Return a fresh random master key for every category, to be kept in a secrets backend."""
        return {category.value: base64.b64encode(os.urandom(KEY_BYTES)).decode() for category in Category}

    def new_data_key(self, category: Category, context: Mapping[str, str]) -> DataKey:
        """Make a data key and wrap it."""
        return self.wrap(category, os.urandom(KEY_BYTES), context)

    def wrap(self, category: Category, plaintext: bytes, context: Mapping[str, str]) -> DataKey:
        """Wrap a data key with AES-256-GCM, the context authenticated."""
        master, nonce = self._master_key(category), os.urandom(_NONCE_BYTES)
        ciphertext = nonce + AESGCM(master).encrypt(nonce, plaintext, _canonical(context))
        return DataKey(plaintext, WrappedKey(_fingerprint(master), base64.b64encode(ciphertext).decode()))

    def unwrap(self, category: Category, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        """Open a wrapped data key."""
        current = self._master_key(category)
        masters = {_fingerprint(master): master for master in self._master_keys[category]}
        master = masters.get(wrapped.master_key_id, current)
        ciphertext = base64.b64decode(wrapped.ciphertext)
        try:
            return AESGCM(master).decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], _canonical(context))
        except (InvalidTag, ValueError):
            raise KeyUnavailableError(
                f"Master key {_fingerprint(master)} for {category.label} does not open what {wrapped.master_key_id} "
                "wrapped. Give the key that the snapshot was written with; if it was replaced, list it after the new."
            ) from None

    def master_key_id(self, category: Category, context: Mapping[str, str]) -> str:
        """Return the fingerprint of the category's master key."""
        return _fingerprint(self._master_key(category))

    def _master_key(self, category: Category) -> bytes:
        try:
            return self._master_keys[category][0]
        except KeyError:
            held = ", ".join(held.value for held in self._master_keys) or "none"
            raise KeyUnavailableError(
                f"No master key for {category.label} ({category.value}); there are keys for: {held}. "
                "Add it to the store's connection, or leave the category out."
            ) from None


class KmsKeys:
    """Master keys that never leave AWS KMS.

    :param client: a boto3 KMS client.
    :param key_ids: a key id, ARN or alias for all categories, or one for each.
    :param former: keys that may still open what they encrypted; no other key is asked, whatever a document says.
    :raises StoreRefusedError: the client's endpoint has no TLS, or its certificate is not verified.
    """

    def __init__(self, client: Any, key_ids: str | Mapping[str, str], former: Sequence[str] = ()) -> None:
        require_tls(client)
        self._client = client
        self._former = former
        if isinstance(key_ids, str):
            self._key_ids = dict.fromkeys(Category, key_ids)
        else:
            self._key_ids = {_category(name): key_id for name, key_id in key_ids.items()}
        self._arns: dict[str, str] = {}

    def new_data_key(self, category: Category, context: Mapping[str, str]) -> DataKey:
        """Have KMS make and wrap a data key."""
        key_id = self._key_id(category)
        try:
            answer = self._client.generate_data_key(
                KeyId=key_id, NumberOfBytes=KEY_BYTES, EncryptionContext=dict(context)
            )
        except (ClientError, BotoCoreError) as error:
            raise _kms_refused("make a data key", key_id, category, error) from None
        self._arns[key_id] = answer["KeyId"]
        wrapped = WrappedKey(answer["KeyId"], base64.b64encode(answer["CiphertextBlob"]).decode())
        return DataKey(answer["Plaintext"], wrapped)

    def unwrap(self, category: Category, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        """Have KMS open a wrapped data key, with a key that is named here."""
        named = [key_id for key_id in (self._key_id(category), *self._former) if _may_be(key_id, wrapped.master_key_id)]
        refused: KeyUnavailableError | None = None
        for key_id in named:
            try:
                answer = self._client.decrypt(
                    KeyId=key_id, CiphertextBlob=base64.b64decode(wrapped.ciphertext), EncryptionContext=dict(context)
                )
            except (ClientError, BotoCoreError) as error:
                failure = _kms_refused("open a data key", key_id, category, error)
                if isinstance(failure, StoreError):
                    raise failure from None
                refused = failure
            else:
                plaintext: bytes = answer["Plaintext"]
                return plaintext
        raise refused or KeyUnavailableError(
            f"{wrapped.master_key_id} wrapped a data key of {category.label}, and the connection does not name that "
            "KMS key. If it is one that was replaced, add it to former_kms_key_ids."
        )

    def wrap(self, category: Category, plaintext: bytes, context: Mapping[str, str]) -> DataKey:
        """Have KMS wrap a data key."""
        key_id = self._key_id(category)
        try:
            answer = self._client.encrypt(KeyId=key_id, Plaintext=plaintext, EncryptionContext=dict(context))
        except (ClientError, BotoCoreError) as error:
            raise _kms_refused("wrap a data key", key_id, category, error) from None
        return DataKey(plaintext, WrappedKey(answer["KeyId"], base64.b64encode(answer["CiphertextBlob"]).decode()))

    def master_key_id(self, category: Category, context: Mapping[str, str]) -> str:
        """Return the ARN of the key; for an id or an alias, which KMS alone resolves, it is asked once."""
        key_id = self._key_id(category)
        if ":key/" in key_id:
            return key_id
        if key_id not in self._arns:
            # Not kms:DescribeKey: a writer may make data keys, and so needs no further permission.
            self.new_data_key(category, context)
        return self._arns[key_id]

    def _key_id(self, category: Category) -> str:
        if (key_id := self._key_ids.get(category)) is None:
            raise KeyUnavailableError(
                f"No KMS key for {category.label} ({category.value}). "
                "Name one in kms_key_id, or leave the category out."
            )
        return key_id


def _may_be(named: str, arn: str) -> bool:
    """Return whether a key that is named by ARN, id or alias may be the key of an ARN; KMS decides in the end."""
    if ":alias/" in named or named.startswith("alias/"):
        return True
    own, other = _account_and_id(named), _account_and_id(arn)
    return own[1] == other[1] and own[0] in ("", other[0])


def _account_and_id(key: str) -> tuple[str, str]:
    """Return the place of a key, without the region if it is a multi-region key, and its id."""
    before, _, key_id = key.rpartition("/")
    parts = before.split(":")
    place = parts[3:5] if len(parts) > 4 else []
    return ":".join(place[1:] if key_id.startswith("mrk-") else place), key_id


def _kms_refused(doing: str, key_id: str, category: Category, error: Exception) -> KeyUnavailableError | StoreError:
    code = kms_code(error)
    if kms_is_busy(error):
        return StoreError(
            f"KMS key {key_id} did not {doing} for {category.label} ({code}), after several attempts. Nothing was "
            "committed. Check KMS's request quota, the network and how long credentials last, and retry."
        )
    kind = KeyDeletedError if code in _KMS_DELETED else KeyUnavailableError
    return kind(
        f"KMS key {key_id} did not {doing} for {category.label}: {code}. Check that the key exists in this "
        "region, is enabled, and that the credentials may use it (kms:GenerateDataKey to write, kms:Decrypt to read, "
        "kms:Encrypt to continue with hashed columns under another key)."
    )


def kms_code(error: Exception) -> str:
    """Return what KMS, or the way to it, calls a failure."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def kms_is_busy(error: Exception) -> bool:
    """Return whether the same request may do later."""
    return kms_code(error) in _KMS_BUSY or isinstance(error, (ConnectionError, HTTPClientError))


def _category(name: str) -> Category:
    try:
        return Category(name)
    except ValueError:
        raise ConfigurationError(
            f"{name!r} is not a category that a key could be for. "
            f"Categories: {', '.join(category.value for category in Category)}."
        ) from None


def key_of_base64(text: str, size: int) -> bytes | None:
    """Return the bytes of a key in base64; None where it is no such text, or of another size."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return None
    return key if len(key) == size else None


def _decode(name: str, value: str) -> bytes:
    if (key := key_of_base64(value, KEY_BYTES)) is None:
        raise ConfigurationError(
            f"The master key of {name} is not {KEY_BYTES} bytes in base64. "
            "Make keys with `airflow-elementary keys generate`."
        )
    return key


def _canonical(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(context), sort_keys=True, separators=(",", ":")).encode()


def _fingerprint(master: bytes) -> str:
    """Name a key without revealing it."""
    return f"local:{hmac.new(master, b'fingerprint', 'sha256').hexdigest()[:16]}"
