"""Signs manifests and prune records and checks their signatures."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    KeyUnavailableError,
    StoreError,
)
from airflow_provider_elementary.storage.documents import STRICT, Codec
from airflow_provider_elementary.storage.keys import DataKey, Keys, WrappedKey, kms_code, kms_is_busy
from airflow_provider_elementary.storage.layout import APPLICATION, signature_key
from airflow_provider_elementary.storage.store import Store

DATA_KEY = "DATA_KEY"
_DISPROVED = frozenset({"KMSInvalidSignatureException", "KMSInvalidMacException"})


@dataclass(frozen=True)
class Signature:
    """A signature over the SHA-256 of one object of the store.

    :param algorithm: KMS's name of a signing or MAC algorithm, or ``DATA_KEY``: a data key that a master key wrapped
        with that SHA-256 in its encryption context, which nobody without the master key can make.
    :param key_id: which key made it.
    :param value: base64.
    """

    algorithm: str
    key_id: str
    value: str

    __pydantic_config__ = STRICT


_CODEC = Codec(Signature, "signature", "Sign the object again, if it verifies.")


class Signer(Protocol):
    """Signs with one key, and checks signatures of that key."""

    def sign(self, digest: str) -> Signature:
        """Sign a SHA-256 in hexadecimal.

        :raises KeyUnavailableError: the key is missing, disabled or refused.
        """
        ...

    def proves(self, digest: str, signature: Signature) -> bool:
        """Return whether this signer's key made the signature, over this SHA-256.

        :raises KeyUnavailableError: it cannot be checked, as the key is missing, disabled or refused.
        """
        ...


class KeysSigner:
    """Signs with a master key that the store has anyway: only a writer of encrypted files can sign.

    :param keys: the master keys.
    :param category: whose master key signs; readers who hold a local key of it could sign too.
    """

    def __init__(self, keys: Keys, category: Category = Category.METADATA) -> None:
        self._keys = keys
        self._category = category

    def sign(self, digest: str) -> Signature:
        """Wrap a data key, which nobody needs, with the digest authenticated in its context."""
        wrapped = self._keys.new_data_key(self._category, self._context(digest)).wrapped
        return Signature(DATA_KEY, wrapped.master_key_id, wrapped.ciphertext)

    def proves(self, digest: str, signature: Signature) -> bool:
        """Return whether the data key opens under this digest, by the very master key that signs here."""
        # A signature that names another key is not asked of that key: it may be the forger's own.
        own = self._probe.wrapped
        if signature.algorithm != DATA_KEY or signature.key_id != own.master_key_id:
            return False
        try:
            self._keys.unwrap(self._category, WrappedKey(own.master_key_id, signature.value), self._context(digest))
        except (KeyUnavailableError, ValueError):
            # Where our own probe opens, the key is at hand and it is the signature that does not fit.
            self._keys.unwrap(self._category, own, self._context("0" * 64))
            return False
        return True

    @cached_property
    def _probe(self) -> DataKey:
        return self._keys.new_data_key(self._category, self._context("0" * 64))

    def _context(self, digest: str) -> dict[str, str]:
        return {"application": APPLICATION, "purpose": "signature", "sha256": digest}


class KmsSigner:
    """Signs with a KMS key made for it: asymmetric (``kms:Sign``), or HMAC (``kms:GenerateMac``).

    An asymmetric key lets anybody check with the public key alone; verifying here asks KMS (``kms:Verify``).

    :param client: a boto3 KMS client.
    :param key_id: the key's id, ARN or alias.
    """

    def __init__(self, client: Any, key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    def sign(self, digest: str) -> Signature:
        """Have KMS sign."""
        usage, algorithm = self._kind
        message = bytes.fromhex(digest)
        if usage == "GENERATE_VERIFY_MAC":
            answer = self._ask("generate_mac", Message=message, MacAlgorithm=algorithm)
            return Signature(algorithm, answer["KeyId"], base64.b64encode(answer["Mac"]).decode())
        answer = self._ask("sign", Message=message, MessageType="DIGEST", SigningAlgorithm=algorithm)
        return Signature(algorithm, answer["KeyId"], base64.b64encode(answer["Signature"]).decode())

    def proves(self, digest: str, signature: Signature) -> bool:
        """Have KMS verify with this signer's key, whatever key the signature names."""
        usage, algorithm = self._kind
        message = bytes.fromhex(digest)
        try:
            value = base64.b64decode(signature.value, validate=True)
        except (binascii.Error, ValueError):
            return False
        if signature.algorithm != algorithm:
            return False
        if usage == "GENERATE_VERIFY_MAC":
            answer = self._ask("verify_mac", Message=message, MacAlgorithm=algorithm, Mac=value)
            return bool(answer.get("MacValid"))
        answer = self._ask("verify", Message=message, MessageType="DIGEST", SigningAlgorithm=algorithm, Signature=value)
        return bool(answer.get("SignatureValid"))

    @cached_property
    def _kind(self) -> tuple[str, str]:
        """What the key is for, and the algorithm over a SHA-256 that it offers first."""
        facts = self._ask("describe_key")["KeyMetadata"]
        usage, spec = facts["KeyUsage"], facts["KeySpec"]
        if usage == "GENERATE_VERIFY_MAC":
            # A MAC key has one algorithm, named like its kind: HMAC_256 makes HMAC_SHA_256.
            return usage, spec.replace("HMAC_", "HMAC_SHA_")
        fitting = [name for name in facts.get("SigningAlgorithms", ()) if name.endswith("SHA_256")]
        if not fitting:
            raise ConfigurationError(
                f"KMS key {self._key_id} is a {spec} key for {usage}, which makes neither MACs nor signatures over a "
                "SHA-256. Name a key of usage GENERATE_VERIFY_MAC, or SIGN_VERIFY with an algorithm of SHA-256."
            )
        return usage, fitting[0]

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(KeyId=self._key_id, **arguments)
            return answer
        except (ClientError, BotoCoreError) as error:
            code = kms_code(error)
            if code in _DISPROVED:
                return {}
            if kms_is_busy(error):
                raise StoreError(
                    f"KMS key {self._key_id} did not answer {operation} ({code}), after several attempts. "
                    "Retry: a snapshot that was committed without its signature is signed then."
                ) from None
            raise KeyUnavailableError(
                f"KMS key {self._key_id} refused {operation}: {code}. Check that the key exists in "
                "this region, is enabled, and that the credentials may use it (kms:DescribeKey, kms:Sign and "
                "kms:Verify, or kms:GenerateMac and kms:VerifyMac)."
            ) from None


class AnyOf:
    """Takes a signature by any of several keys, while one takes the place of another; the first one signs.

    :param signers: at least one.
    """

    def __init__(self, signers: Sequence[Signer]) -> None:
        self._signers = signers

    def sign(self, digest: str) -> Signature:
        """Sign with the first key."""
        return self._signers[0].sign(digest)

    def proves(self, digest: str, signature: Signature) -> bool:
        """Return whether one of the keys made the signature; a key that cannot be asked matters if no other did."""
        refused: KeyUnavailableError | None = None
        for signer in self._signers:
            try:
                if signer.proves(digest, signature):
                    return True
            except KeyUnavailableError as error:
                refused = error
        if refused is not None:
            raise refused
        return False


def sign_object(store: Store, key: str, digest: str, signer: Signer) -> Signature:
    """Sign an object, and keep the signature beside it; signing twice does no harm.

    :param key: a manifest or a prune record.
    :param digest: the SHA-256 of what it holds, as the caller wrote or checked it; what the store holds by now proves
        nothing.
    """
    signature = signer.sign(digest)
    store.put(signature_key(key), json.dumps(asdict(signature), sort_keys=True).encode())
    return signature


def read_signature(store: Store, key: str) -> Signature | None:
    """Return the signature of an object, or None where there is none.

    :raises SnapshotCorruptError: what is there is no signature.
    """
    if (content := store.get(signature_key(key))) is None:
        return None
    return _CODEC.read(content, signature_key(key))


def delete_signature(store: Store, key: str) -> None:
    """Remove the signature of an object that was removed."""
    store.delete(signature_key(key))
