"""Signs messages and checks signatures with public keys."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from airflow_provider_elementary.exceptions import ConfigurationError, KeyUnavailableError, StoreError
from airflow_provider_elementary.storage.documents import STRICT, Base64, sha256
from airflow_provider_elementary.storage.keys import key_of_base64, kms_code, kms_is_busy
from airflow_provider_elementary.storage.layout import APPLICATION
from airflow_provider_elementary.storage.tls import require_tls

Algorithm = Literal["ed25519", "ecdsa-p256-sha256"]
_SEED_BYTES = 32
_KEY_ID = 32


class Signer(Protocol):
    """Signs with one private key."""

    @property
    def key_id(self) -> str:
        """The id of its public key."""
        ...

    @property
    def algorithm(self) -> Algorithm:
        """How it signs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a message of at most 4,096 bytes.

        :raises KeyUnavailableError: the key is missing, disabled or refused.
        :raises StoreError: KMS did not answer; a retry may help.
        """
        ...


@dataclass(frozen=True)
class PublicKey:
    """A public key and its algorithm.

    :param algorithm: the one algorithm whose signatures count.
    :param der: SubjectPublicKeyInfo in DER, base64.
    """

    algorithm: Algorithm
    der: Base64

    __pydantic_config__ = STRICT

    @property
    def key_id(self) -> str:
        """The first half of the SHA-256 of the DER, hexadecimal."""
        return sha256(base64.b64decode(self.der))[:_KEY_ID]


class Ed25519Signer:
    """Signs with an Ed25519 key that this process holds.

    :param seed: the private key, 32 bytes.
    """

    algorithm: Algorithm = "ed25519"

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @staticmethod
    def generate() -> str:
        """Return a fresh private key in base64, for the writer's keys file."""
        return base64.b64encode(os.urandom(_SEED_BYTES)).decode()

    @classmethod
    def from_text(cls, text: str, where: str) -> Ed25519Signer:
        """Return the signer of a private key in base64.

        :param where: what holds the key, for an error, which does not repeat it.
        :raises ConfigurationError: it is no such key.
        """
        if (seed := key_of_base64(text, _SEED_BYTES)) is None:
            raise ConfigurationError(
                f"The signing key of {where} is not {_SEED_BYTES} bytes in base64. Make one with "
                "`airflow-elementary keys generate`."
            )
        return cls(seed)

    @cached_property
    def public_key(self) -> PublicKey:
        """The key that checks its signatures."""
        return PublicKey(
            "ed25519",
            base64.b64encode(
                self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            ).decode(),
        )

    @property
    def key_id(self) -> str:
        """The id of its public key."""
        return self.public_key.key_id

    def sign(self, message: bytes) -> bytes:
        """Sign."""
        return self._key.sign(message)


class WrappedEd25519Signer:
    """Signs with an Ed25519 key that a KMS key encrypts; it is decrypted when it is first needed.

    :param client: a boto3 KMS client.
    :param kms_key_id: the KMS key that the store's connection names.
    :param public_key: what the decrypted key has to fit.
    :param ciphertext: the encrypted private key, base64.
    :param salt: of the store, authenticated with it.
    """

    algorithm: Algorithm = "ed25519"

    def __init__(self, client: Any, kms_key_id: str, public_key: PublicKey, ciphertext: str, salt: str) -> None:
        self._client = client
        self._kms_key_id = kms_key_id
        self._public_key = public_key
        self._ciphertext = ciphertext
        self._context = signing_context(salt)

    @property
    def key_id(self) -> str:
        """The id of its public key."""
        return self._public_key.key_id

    def sign(self, message: bytes) -> bytes:
        """Sign, after KMS has decrypted the key once."""
        return self._opened.sign(message)

    @cached_property
    def _opened(self) -> Ed25519Signer:
        answer = ask_kms(
            self._client,
            "decrypt",
            self._kms_key_id,
            CiphertextBlob=base64.b64decode(self._ciphertext),
            EncryptionContext=self._context,
        )
        opened = Ed25519Signer(answer["Plaintext"])
        if opened.public_key != self._public_key:
            raise KeyUnavailableError(
                f"KMS key {self._kms_key_id} decrypts another signing key than {self.key_id}. Name the KMS key that "
                "the store was created with."
            )
        return opened


class KmsSigner:
    """Signs with an asymmetric KMS key of the kind ECC_NIST_P256, which nobody can export.

    :param client: a boto3 KMS client.
    :param kms_key_id: the KMS key that the store's connection names.
    :param public_key: what its signatures have to fit.
    """

    algorithm: Algorithm = "ecdsa-p256-sha256"

    def __init__(self, client: Any, kms_key_id: str, public_key: PublicKey) -> None:
        self._client = client
        self._kms_key_id = kms_key_id
        self._public_key = public_key

    @property
    def key_id(self) -> str:
        """The id of its public key."""
        return self._public_key.key_id

    def sign(self, message: bytes) -> bytes:
        """Have KMS sign, and check that it was this key."""
        answer = ask_kms(
            self._client, "sign", self._kms_key_id, Message=message, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256"
        )
        signature: bytes = answer["Signature"]
        if not verify_signature(self._public_key, message, signature):
            raise KeyUnavailableError(
                f"KMS key {self._kms_key_id} is not signing key {self.key_id} of this store. Name that KMS key in "
                "signing_kms_key_id, or introduce the new one with `airflow-elementary store rotate-signing-key`."
            )
        return signature


def signing_context(salt: str) -> dict[str, str]:
    """Return the encryption context of a store's wrapped signing key."""
    return {"application": APPLICATION, "purpose": "signing", "salt": salt}


def verify_signature(public_key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Return whether a key made a signature; a key of another kind than its algorithm made none."""
    try:
        key = load_der_public_key(base64.b64decode(public_key.der, validate=True))
        if public_key.algorithm == "ed25519" and isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
            return True
        if (
            public_key.algorithm == "ecdsa-p256-sha256"
            and isinstance(key, EllipticCurvePublicKey)
            and isinstance(key.curve, SECP256R1)
        ):
            key.verify(signature, message, ECDSA(SHA256()))
            return True
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return False


def kms_public_key(client: Any, kms_key_id: str) -> PublicKey | None:
    """Return the public key of an asymmetric KMS key, or None for a symmetric one, which can wrap a signing key.

    :raises ConfigurationError: it can neither sign as ECC_NIST_P256 does nor encrypt.
    """
    facts = ask_kms(client, "describe_key", kms_key_id)["KeyMetadata"]
    spec, usage = facts.get("KeySpec", "SYMMETRIC_DEFAULT"), facts.get("KeyUsage", "ENCRYPT_DECRYPT")
    if spec == "SYMMETRIC_DEFAULT" and usage == "ENCRYPT_DECRYPT":
        return None
    if spec != "ECC_NIST_P256" or usage != "SIGN_VERIFY":
        raise ConfigurationError(
            f"KMS key {kms_key_id} is a {spec} key for {usage}. Name a key of kind ECC_NIST_P256 for SIGN_VERIFY, or a "
            "symmetric key, which then encrypts a signing key."
        )
    der = ask_kms(client, "get_public_key", kms_key_id)["PublicKey"]
    return PublicKey("ecdsa-p256-sha256", base64.b64encode(der).decode())


def wrap_signing_key(client: Any, kms_key_id: str, salt: str) -> tuple[PublicKey, str]:
    """Make an Ed25519 key that a KMS key encrypts; return its public key and the encrypted private one, base64."""
    seed = os.urandom(_SEED_BYTES)
    answer = ask_kms(client, "encrypt", kms_key_id, Plaintext=seed, EncryptionContext=signing_context(salt))
    return Ed25519Signer(seed).public_key, base64.b64encode(answer["CiphertextBlob"]).decode()


def ask_kms(client: Any, operation: str, kms_key_id: str, **arguments: Any) -> dict[str, Any]:
    """Ask KMS about a signing key.

    :raises StoreRefusedError: the client's endpoint has no TLS, or its certificate is not verified.
    :raises KeyUnavailableError: the key is missing, disabled or refused.
    :raises StoreError: KMS did not answer; a retry may help.
    """
    require_tls(client)
    try:
        answer: dict[str, Any] = getattr(client, operation)(KeyId=kms_key_id, **arguments)
        return answer
    except (ClientError, BotoCoreError) as error:
        code = kms_code(error)
        if kms_is_busy(error):
            raise StoreError(
                f"KMS key {kms_key_id} did not answer {operation} ({code}), after several attempts. Retry."
            ) from None
        raise KeyUnavailableError(
            f"KMS key {kms_key_id} refused {operation}: {code}. Check that the key exists in this region and is "
            "enabled. Only a writer needs it: its credentials need kms:Sign, or kms:Decrypt for a symmetric key."
        ) from None
