"""Reads and writes signed documents, and parses nothing unproved."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    DocumentExistsError,
    SnapshotCorruptError,
    UnprovedError,
)
from airflow_provider_elementary.storage.documents import MAX_BYTES, Codec, sha256
from airflow_provider_elementary.storage.genesis import Role, Trust
from airflow_provider_elementary.storage.kept_files import KeptFiles
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.storage.signers import Algorithm, Signer, verify_signature

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_WORDS = "elementary-signed 2"
_LINE = re.compile(rb"elementary-signed 2 (ed25519|ecdsa-p256-sha256) ([0-9a-f]{32}) ([A-Za-z0-9+/]{80,120}={0,2})")
_LONGEST_LINE = 256

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True)
class Signed(Generic[T]):
    """A document of which it is proved who signed it.

    :param name: of its object in the store, which the signature covers.
    :param document: what it says.
    :param sha256: of the canonical JSON: by it parents, anchors and lists name the document.
    :param key_id: the key that signed it.
    """

    name: str
    document: T
    sha256: str
    key_id: str


class Documents:
    """The signed documents of one store.

    :param store: where they are.
    :param trust: which keys may sign in it.
    :param signer: signs what is written, or what opens it when it is first needed; None for a reader.
    """

    def __init__(self, store: Store, trust: Trust, signer: Signer | Callable[[], Signer | None] | None = None) -> None:
        self.store = store
        self.trust = trust
        #: Where a task keeps documents for its next run; None outside a task.
        self.kept: KeptFiles | None = None
        self._signer = signer

    @cached_property
    def signer(self) -> Signer | None:
        """What signs, or None for a reader."""
        return self._signer() if callable(self._signer) else self._signer

    def read(
        self, name: str, codec: Codec[T], role: Role, *, number: int | None = None, expected: str | None = None
    ) -> Signed[T] | None:
        """Return a document, or None where the store holds none of that name.

        :param name: of its object.
        :param role: what a key has to be allowed to sign, for the document to count.
        :param number: the snapshot that it is of; None where its name does not say.
        :param expected: the SHA-256 of its JSON, as a proved document names it: one that the task kept is not asked
            for again. It is checked as one that is.
        :raises UnprovedError: no key that may sign it did; nothing of it was parsed.
        :raises SnapshotCorruptError: it is proved, and not valid.
        """
        if self.kept is not None and expected is not None and (content := self.kept.document(expected)) is not None:
            # Anybody who may write to the store can change what was kept: then the object itself is read.
            with suppress(SnapshotCorruptError):
                kept = self.decode(content, name, codec, role, number=number)
                if kept.sha256 == expected:
                    return kept
        # One byte more shows that an object is too large, and is not read further.
        if (found := self.store.get_capped(name, MAX_BYTES + 1)) is None:
            return None
        signed = self.decode(found.content, name, codec, role, number=number)
        if self.kept is not None:
            self.kept.keep_document(signed.sha256, found.content)
        return signed

    def write(self, name: str, codec: Codec[T], document: T, role: Role, *, number: int | None = None) -> Signed[T]:
        """Sign a document and store it under a name that is free.

        :raises DocumentExistsError: there is something of that name, whatever it is.
        :raises ConfigurationError: no signer is named, the store is not pinned, or the document cannot be written.
        """
        signed, content = self.encode(name, codec, document, role, number=number)
        if not self.store.put_if_absent(name, content):
            raise DocumentExistsError(name)
        return signed

    def encode(
        self, name: str, codec: Codec[T], document: T, role: Role, *, number: int | None = None
    ) -> tuple[Signed[T], bytes]:
        """Return a document as it will be read, and its signed bytes.

        :raises ConfigurationError: no signer is named, the store is not pinned, or the document cannot be written.
        """
        signer = self.require_signer()
        if not self.trust.can(signer.key_id, role, number):
            raise ConfigurationError(
                f"Signing key {signer.key_id} may not sign for {role.value} in {self.store.uri}. Use the key that the "
                "store was created with, or that was introduced last."
            )
        return self._sign(signer, name, codec, document)

    def encode_introduction(self, name: str, codec: Codec[T], document: T) -> tuple[Signed[T], bytes]:
        """Return the introduction of a key and its signed bytes.

        :raises ConfigurationError: the signer may not introduce a key.
        """
        signer = self.require_signer()
        if not self.trust.can_introduce(signer.key_id):
            raise ConfigurationError(
                f"Signing key {signer.key_id} may introduce no other in {self.store.uri}. Use a key of role store that "
                "is not retired, or the recovery key."
            )
        return self._sign(signer, name, codec, document)

    def _sign(self, signer: Signer, name: str, codec: Codec[T], document: T) -> tuple[Signed[T], bytes]:
        body, document = codec.canonical(document, name)
        digest = sha256(body)
        signature = signer.sign(_message(signer.algorithm, signer.key_id, self.trust.store_id, name, digest))
        line = f"{_WORDS} {signer.algorithm} {signer.key_id} {base64.b64encode(signature).decode()}\n"
        content = line.encode() + body
        if len(content) > MAX_BYTES:
            raise ConfigurationError(
                f"{name} would be {len(content):,} bytes, and at most {MAX_BYTES:,} are read. Take full snapshots "
                "more often, and prune."
            )
        return Signed(name, document, digest, signer.key_id), content

    def decode(self, content: Any, name: str, codec: Codec[T], role: Role, *, number: int | None = None) -> Signed[T]:
        """Return the document that signed bytes hold, wherever they come from.

        :param content: bytes of an object, or what came with XCom or an Asset event: text, if it is one of ours.
        :param name: the name that it was signed under.
        :raises UnprovedError: no key that may sign it did; nothing of it was parsed.
        :raises SnapshotCorruptError: it is proved, and not valid.
        """
        signed = self._prove(content, name)
        if not self.trust.can(signed.key_id, role, number):
            raise UnprovedError(
                f"{name} is signed by key {signed.key_id}, which may not sign it. Find out who wrote it."
            )
        return signed.parse(codec)

    def decode_introduction(self, content: Any, name: str, codec: Codec[T]) -> Signed[T]:
        """Return the introduction of a key; a key of role ``store`` that is not retired or the recovery key signed it.

        :raises UnprovedError: none of these keys signed it.
        :raises SnapshotCorruptError: it is proved, and not valid.
        """
        signed = self._prove(content, name)
        if not self.trust.can_introduce(signed.key_id):
            raise UnprovedError(f"{name} is signed by key {signed.key_id}, which may introduce no other. Ignore it.")
        return signed.parse(codec)

    def _prove(self, content: Any, name: str) -> _Proved:
        """Check the signature; the JSON after it is not looked at."""
        if isinstance(content, str):
            content = content.encode(errors="replace")
        if not isinstance(content, bytes):
            raise UnprovedError(f"{name} is not a signed document of this store. Find out who wrote it.")
        if len(content) > MAX_BYTES:
            raise UnprovedError(f"{name} is larger than {MAX_BYTES // 2**20} MiB, so no writer wrote it. Remove it.")
        line, _, body = content[:_LONGEST_LINE].partition(b"\n")
        body = content[len(line) + 1 :]
        if (found := _LINE.fullmatch(line)) is None:
            raise UnprovedError(f"{name} has no signature. Anyone who may write to the store could have written it.")
        algorithm, key_id = found[1].decode(), found[2].decode()
        key, digest = self.trust.key(key_id), sha256(body)
        if key is None or key.algorithm != algorithm:
            raise UnprovedError(
                f"{name} is signed by key {key_id} ({algorithm}), which is not known to this store. Find out who "
                "wrote it."
            )
        try:
            signature = base64.b64decode(found[3], validate=True)
        except (binascii.Error, ValueError):
            signature = b""
        if not verify_signature(key, _message(key.algorithm, key_id, self.trust.store_id, name, digest), signature):
            raise UnprovedError(
                f"The signature of {name} by key {key_id} is invalid: it was changed, or signed for another name or "
                "store. Restore it from a replica or an older version of the object."
            )
        return _Proved(name, body, digest, key_id)

    def require_pin(self) -> None:
        """Refuse a store that may be anybody's.

        :raises ConfigurationError: the store id is not pinned.
        """
        if not self.trust.pinned:
            raise ConfigurationError(
                f"No store_id in the connection of {self.store.uri}, so nothing is written. Add the id that "
                "`airflow-elementary store init` printed."
            )

    def require_signer(self) -> Signer:
        """Return what signs.

        :raises ConfigurationError: the store id is not pinned, or no signing key is named.
        """
        self.require_pin()
        if self.signer is None:
            raise ConfigurationError(
                f"No signing key for {self.store.uri}, so nothing is written. Name signing_kms_key_id in the "
                "connection, or a keys file or secret_keys with a signing_key."
            )
        return self.signer


@dataclass(frozen=True)
class _Proved:
    """What a known key signed, not yet parsed."""

    name: str
    body: bytes
    digest: str
    key_id: str

    def parse(self, codec: Codec[T]) -> Signed[T]:
        document = codec.read(self.body, self.name)
        if codec.write(document) != self.body:
            raise SnapshotCorruptError(f"{self.name} is not a valid {codec.noun}: not canonical JSON. {codec.remedy}")
        return Signed(self.name, document, self.digest, self.key_id)


def _message(algorithm: Algorithm, key_id: str, store_id: str, name: str, digest: str) -> bytes:
    """Return what is signed; names are at most 1,024 bytes, so that KMS takes it."""
    return "\n".join((_WORDS, algorithm, key_id, store_id, name, digest)).encode()
