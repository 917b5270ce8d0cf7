"""Reads the settings of a store from a connection of type ``elementary_store``."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.snapshots.policy import POLICY_NAMES
from airflow_provider_elementary.snapshots.policy.choices import PolicyChoices, read_names
from airflow_provider_elementary.storage.keys import LocalKeys
from airflow_provider_elementary.storage.object_store.store import require_store_uri
from airflow_provider_elementary.storage.signers import Ed25519Signer

#: Named so that Airflow masks what is in it.
KEYS_FIELD = "secret_keys"
_AWS_FIELDS = ("region_name", "endpoint_url", "verify")
_TEXTS = (
    "uri",
    "store_id",
    "aws_conn_id",
    "kms_key_id",
    "server_side_encryption",
    "keys_file",
    "signing_kms_key_id",
    *_AWS_FIELDS,
)
STORE_FIELDS = (*_TEXTS, "category_kms_key_ids", "former_kms_key_ids", KEYS_FIELD, *POLICY_NAMES)
#: The writer's own key, beside the master keys of the categories; readers do not get it.
SIGNING_KEY = "signing_key"
_STORE_ID = re.compile("[0-9a-f]{64}")
_ENCRYPTIONS = ("aws:kms", "AES256")


@dataclass(frozen=True)
class StoreSettings:
    """How to reach one store, what encrypts and signs it, and the defaults of its policy.

    :param name: what to call the settings in an error, as in "connection 'elementary_store_default'".
    :param uri: ``s3://bucket/prefix`` or ``file:///absolute/directory``.
    :param store_id: the SHA-256 of ``store.json``, as ``store init`` printed it; without it, nothing is written, and
        nothing that is read is proved.
    :param aws_conn_id: the AWS connection for S3 and KMS; without one and without ``access_key_id``, the credentials
        of the environment.
    :param access_key_id: an access key of the connection's own.
    :param kms_key_id: the KMS key for server-side encryption, and the master key of every category.
    :param category_kms_key_ids: KMS keys of their own for some categories.
    :param former_kms_key_ids: KMS keys that may open what was encrypted before they were replaced.
    :param server_side_encryption: ``aws:kms``, or ``AES256`` for S3's own keys.
    :param secret_keys: local master keys in base64, by category, instead of KMS; and a writer's ``signing_key``.
    :param keys_file: the path of a JSON file with the same.
    :param signing_kms_key_id: the KMS key that signs, or that encrypts the signing key; only a writer needs it.
    :param policy: what snapshots of this store take.
    """

    name: str
    uri: str
    store_id: str | None = None
    aws_conn_id: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    region_name: str | None = None
    endpoint_url: str | None = None
    verify: str | None = None
    kms_key_id: str | None = None
    category_kms_key_ids: Mapping[str, str] = field(default_factory=dict)
    former_kms_key_ids: tuple[str, ...] = ()
    server_side_encryption: str = "aws:kms"
    secret_keys: Mapping[str, str | list[str]] | None = field(default=None, repr=False)
    keys_file: str | None = None
    signing_kms_key_id: str | None = None
    policy: PolicyChoices = field(default_factory=PolicyChoices)

    @property
    def is_on_s3(self) -> bool:
        """Whether the store is a bucket."""
        return self.uri.startswith("s3://")

    @property
    def has_keys(self) -> bool:
        """Whether master keys are named; without any, manifests alone can be read."""
        return bool(self.secret_keys or self.keys_file or self.kms_key_id)

    @property
    def sse_kms_key_id(self) -> str | None:
        """The KMS key of the server-side encryption; None for S3's own keys."""
        return self.kms_key_id if self.server_side_encryption == "aws:kms" else None

    def kms_key_ids(self) -> dict[str, str]:
        """Return the KMS key of each category."""
        all_alike = dict.fromkeys((category.value for category in Category), self.kms_key_id or "")
        return {**all_alike, **self.category_kms_key_ids}

    def local_keys(self) -> LocalKeys | None:
        """Return the local master keys, or None where KMS holds them.

        :raises ConfigurationError: the file cannot be read, or what it holds are no keys.
        """
        found = {name: keys for name, keys in self._held_keys().items() if name != SIGNING_KEY}
        return LocalKeys(found) if found or not self.kms_key_id else None

    def local_signer(self) -> Ed25519Signer | None:
        """Return the signer whose key the connection or its keys file holds, or None.

        :raises ConfigurationError: the file cannot be read, or what it holds is no key.
        """
        if (key := self._held_keys().get(SIGNING_KEY)) is None:
            return None
        return Ed25519Signer.from_text(key if isinstance(key, str) else "", self.name)

    def _held_keys(self) -> Mapping[str, str | list[str]]:
        if self.secret_keys or not self.keys_file:
            return self.secret_keys or {}
        try:
            found = json.loads(Path(self.keys_file).read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"The keys file {self.keys_file} of {self.name} cannot be read ({type(error).__name__}). Make it with "
                "`airflow-elementary keys generate --file`, on every worker, readable by Airflow's user."
            ) from None
        return _key_texts(found, f"The keys file {self.keys_file} of {self.name}")


def parse_store(
    name: str, extra: Mapping[str, Any], *, login: str | None = None, password: str | None = None
) -> StoreSettings:
    """Read the settings of a store, and refuse what does not fit together.

    :param name: what to call the connection in an error.
    :param extra: the connection's extra fields, as a form, JSON or a URI gives them.
    :param login: an AWS access key id of the connection's own.
    :param password: its secret access key.
    :raises ConfigurationError: a field is unknown, missing or does not fit; the message holds no secret.
    """
    _require_known(name, extra)
    texts = {field: _text(extra.get(field), f"{field} of {name}") for field in _TEXTS}
    if not (uri := texts.pop("uri")):
        raise ConfigurationError(
            f"No uri in the extra of {name}. Name the store: s3://bucket/prefix or file:///absolute/directory."
        )
    require_store_uri(uri)
    encryption = texts.pop("server_side_encryption") or "aws:kms"
    settings = StoreSettings(
        name,
        uri,
        **texts,
        access_key_id=login or None,
        secret_access_key=password or None,
        category_kms_key_ids=_category_keys(extra.get("category_kms_key_ids"), name),
        former_kms_key_ids=read_names(extra.get("former_kms_key_ids"), f"former_kms_key_ids of {name}") or (),
        server_side_encryption=encryption,
        secret_keys=_secret_keys(extra.get(KEYS_FIELD), name),
        policy=PolicyChoices.parse(extra, name),
    )
    _require_pin(settings)
    _require_encryption(settings)
    _require_one_way_to_aws(settings)
    return settings


def _require_known(name: str, extra: Mapping[str, Any]) -> None:
    # A misspelt masked_columns would mask nothing, in silence.
    for unknown in extra:
        if unknown not in STORE_FIELDS:
            close = difflib.get_close_matches(unknown, STORE_FIELDS, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Fields: {', '.join(STORE_FIELDS)}."
            raise ConfigurationError(f"Unknown field {unknown!r} in the extra of {name}. {hint}")


def _require_pin(settings: StoreSettings) -> None:
    if settings.store_id is not None and not _STORE_ID.fullmatch(settings.store_id):
        raise ConfigurationError(
            f"store_id of {settings.name} is not an id of 64 hexadecimal digits. Copy what `airflow-elementary store "
            "init` printed."
        )


def _require_encryption(settings: StoreSettings) -> None:
    name = settings.name
    if settings.server_side_encryption not in _ENCRYPTIONS:
        raise ConfigurationError(
            f"server_side_encryption of {name} is {settings.server_side_encryption!r}. Use aws:kms or AES256: nothing "
            "is written to S3 unencrypted."
        )
    if settings.is_on_s3 and settings.server_side_encryption == "aws:kms" and not settings.kms_key_id:
        raise ConfigurationError(
            f"No kms_key_id in {name}, for {settings.uri}. Name a KMS key; or choose S3's own keys with "
            f"server_side_encryption AES256, and local master keys with {KEYS_FIELD} or keys_file."
        )
    if settings.secret_keys and settings.keys_file:
        raise ConfigurationError(f"Both {KEYS_FIELD} and keys_file are in {name}. Keep one of them.")
    if settings.category_kms_key_ids and not settings.kms_key_id:
        raise ConfigurationError(
            f"category_kms_key_ids without kms_key_id in {name}. Name the key of the other categories too."
        )
    if settings.category_kms_key_ids and set(settings.secret_keys or ()) - {SIGNING_KEY}:
        raise ConfigurationError(
            f"Both category_kms_key_ids and local master keys are in {name}, and a category has one master key. Keep "
            "one of them."
        )
    if settings.signing_kms_key_id and SIGNING_KEY in (settings.secret_keys or ()):
        raise ConfigurationError(
            f"Both signing_kms_key_id and a {SIGNING_KEY} in {KEYS_FIELD} are in {name}. Keep the one that the store "
            "was created with."
        )
    if settings.secret_keys:
        settings.local_keys()
        settings.local_signer()


def _require_one_way_to_aws(settings: StoreSettings) -> None:
    name = settings.name
    own = {"login": settings.access_key_id, "password": settings.secret_access_key}
    own |= {field: getattr(settings, field) for field in _AWS_FIELDS}
    if settings.aws_conn_id and (given := [field for field, value in own.items() if value]):
        raise ConfigurationError(
            f"Both aws_conn_id and {', '.join(given)} are in {name}. Keep the AWS connection, or the store's own "
            "credentials, region, endpoint and certificate authority."
        )
    if bool(settings.access_key_id) != bool(settings.secret_access_key):
        missing = "password (secret access key)" if settings.access_key_id else "login (access key id)"
        raise ConfigurationError(f"No {missing} in {name}. An access key has both parts; or name aws_conn_id.")
    if settings.endpoint_url and urlsplit(settings.endpoint_url).scheme != "https":
        raise ConfigurationError(f"endpoint_url of {name} is not an https address. Use one with TLS.")
    if str(settings.verify).lower() in ("false", "0", "no"):
        raise ConfigurationError(
            f"verify of {name} switches off the check of the server's certificate. Name the file of its authority "
            "instead."
        )


def _text(value: Any, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return (value or "").strip() or None
    if value is True and where.startswith("verify "):
        return None
    if value is False and where.startswith("verify "):
        return "false"
    raise ConfigurationError(f"{where} must be text; it is {type(value).__name__}.")


def _from_json(value: Any) -> Any:
    """Return an object that a form or a URI could only give as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except ValueError:
        return value


def _secret_keys(value: Any, name: str) -> dict[str, str | list[str]] | None:
    found = _from_json(value)
    return _key_texts(found, f"{KEYS_FIELD} of {name}") if found else None


def _key_texts(found: Any, where: str) -> dict[str, str | list[str]]:
    if not isinstance(found, dict) or not all(_is_key_text(key) for key in found.values()):
        raise ConfigurationError(
            f"{where} must hold a master key for each category, as JSON. Make keys with "
            "`airflow-elementary keys generate`."
        )
    return found


def _is_key_text(value: Any) -> bool:
    """Return whether a value is a key, or a list of a key and those that it replaced."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(key, str) for key in value))


def _category_keys(value: Any, name: str) -> dict[str, str]:
    """Return KMS keys by category: an object, or a list of ``category=key``."""
    where = f"category_kms_key_ids of {name}"
    found = _from_json(value)
    if not isinstance(found, dict):
        pairs = [pair.partition("=") for pair in read_names(found, where) or ()]
        found = {category.strip(): key.strip() for category, _, key in pairs}
    categories = {category.value for category in Category}
    for category, key in found.items():
        if category not in categories or not isinstance(key, str) or not key:
            raise ConfigurationError(
                f"{where} must name a KMS key for each category, as in failed_rows_sample=alias/samples; found "
                f"{category!r}. Categories: {', '.join(sorted(categories))}."
            )
    return found
