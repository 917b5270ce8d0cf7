"""Creates a store, and defines which keys may sign in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property

from airflow_provider_elementary.exceptions import ConfigurationError, SnapshotCorruptError, UnprovedError
from airflow_provider_elementary.storage.documents import STRICT, Base64, Codec, Time, sha256
from airflow_provider_elementary.storage.layout import GENESIS
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.storage.signers import PublicKey

FORMAT_VERSION = 2


class Role(StrEnum):
    """What a key may sign."""

    #: Manifests, prune records and all else that snapshots consist of; also the introduction of another key.
    STORE = "store"
    #: Metrics, verdicts, incidents, answers to them, sent alerts and model state.
    RESULTS = "results"
    #: Reports of access checks.
    ACCESS = "access"


@dataclass(frozen=True)
class SignerEntry:
    """A key that may sign in a store.

    :param key: the public key.
    :param roles: what it may sign.
    :param kms_key_id: the KMS key that signs, or that decrypts ``ciphertext``; None for a key that the writer holds.
    :param ciphertext: the private key, encrypted by ``kms_key_id``, base64; None where KMS itself signs.
    """

    key: PublicKey
    roles: tuple[Role, ...]
    kms_key_id: str | None = None
    ciphertext: Base64 | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Predecessor:
    """The store that a store continues, and its newest snapshot that is known.

    :param store_id: of the earlier store.
    :param number: of its newest manifest that somebody recorded.
    :param sha256: of that manifest.
    """

    store_id: str
    number: int
    sha256: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Genesis:
    """``store.json``: what a store begins with; the SHA-256 of its bytes is the store id.

    :param created_at: UTC, ISO 8601.
    :param salt: random, so that no two stores have the same id.
    :param signers: the keys that may sign from the beginning.
    :param recovery: the public key that may introduce another key after the signing key is lost, and sign nothing else.
    :param master_keys: the master key of each category at the beginning: KMS ARNs, or fingerprints of local keys.
    :param after: the store that it continues.
    """

    created_at: Time
    salt: str
    signers: tuple[SignerEntry, ...]
    recovery: PublicKey | None
    master_keys: Mapping[str, str]
    after: Predecessor | None = None
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Introduction:
    """``signers/<n>``: a new signing key, signed by an earlier one of role ``store`` or by the recovery key.

    :param number: its place among the introductions, from 1.
    :param signer: the new key.
    :param first_number: the first snapshot that it may sign.
    :param head: the SHA-256 of the manifest before that one; None where there is none.
    :param retired: ids of the keys that sign no snapshot of ``first_number`` or later.
    :param revoked: ids of the keys of which, from now on, only what the proved chain already holds counts.
    """

    number: int
    signer: SignerEntry
    first_number: int
    head: str | None
    retired: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class _Authority:
    """What one key may sign, and which snapshots."""

    entry: SignerEntry
    first: int
    until: int | None = None
    revoked: bool = False


@dataclass(frozen=True)
class Trust:
    """Which keys may sign in a store, by its genesis and the introductions that are proved.

    :param store_id: the SHA-256 of the genesis as it was read.
    :param pinned: whether the connection names this id; otherwise anybody could have made the genesis.
    :param genesis: what the store begins with.
    :param introductions: the later keys, in order.
    :param signed: the bytes of the introductions as they were signed.
    """

    store_id: str
    pinned: bool
    genesis: Genesis
    introductions: tuple[Introduction, ...] = field(default=())
    signed: tuple[bytes, ...] = field(default=())

    def key(self, key_id: str) -> PublicKey | None:
        """Return a key that may sign or could once, or None for one that is not known here."""
        if (authority := self._authorities.get(key_id)) is not None:
            return authority.entry.key
        recovery = self.genesis.recovery
        return recovery if recovery is not None and recovery.key_id == key_id else None

    def can(self, key_id: str, role: Role, number: int | None = None) -> bool:
        """Return whether what a key signed counts.

        :param number: the snapshot that it signed or that the document is of; None for one that is of none.
        """
        authority = self._authorities.get(key_id)
        if authority is None or role not in authority.entry.roles:
            return False
        if number is None:
            return not authority.revoked
        return number >= authority.first and (authority.until is None or number < authority.until)

    def can_introduce(self, key_id: str) -> bool:
        """Return whether a key may introduce another one now."""
        recovery = self.genesis.recovery
        if recovery is not None and recovery.key_id == key_id:
            return True
        authority = self._authorities.get(key_id)
        return authority is not None and Role.STORE in authority.entry.roles and authority.until is None

    def current(self) -> list[SignerEntry]:
        """Return the keys that are not retired, the newest first."""
        return [found.entry for found in reversed(self._authorities.values()) if found.until is None]

    def with_introduction(self, introduction: Introduction, content: bytes) -> Trust:
        """Return the trust after one more introduction, which is proved.

        :param content: the introduction as it was signed.
        """
        return replace(self, introductions=(*self.introductions, introduction), signed=(*self.signed, content))

    @cached_property
    def _authorities(self) -> dict[str, _Authority]:
        found = {entry.key.key_id: _Authority(entry, 1) for entry in self.genesis.signers}
        for introduction in self.introductions:
            entry, first = introduction.signer, introduction.first_number
            for key_id in {*introduction.retired, *introduction.revoked} & found.keys():
                ends = min(first, found[key_id].until or first)
                found[key_id] = replace(
                    found[key_id], until=ends, revoked=found[key_id].revoked or key_id in introduction.revoked
                )
            # A key that was retired is not introduced again.
            found.setdefault(entry.key.key_id, _Authority(entry, first))
        return found


_REMEDY = "Compare the store's uri and store_id in the connection, or restore store.json from a copy."
GENESIS_CODEC = Codec(Genesis, "genesis of a store", _REMEDY, FORMAT_VERSION)
INTRODUCTIONS = Codec(Introduction, "introduction of a signing key", "Run `store check`.", FORMAT_VERSION)


def new_salt() -> str:
    """Return a fresh salt for a genesis."""
    return os.urandom(16).hex()


def init_store(
    store: Store,
    signers: tuple[SignerEntry, ...],
    *,
    salt: str,
    recovery: PublicKey | None = None,
    master_keys: Mapping[str, str],
    after: Predecessor | None = None,
) -> Trust:
    """Create a store; its id is what the connection pins.

    :param signers: the keys that may sign; at least one of role ``store``.
    :param salt: as :func:`new_salt` makes it, and as wrapped signing keys have it in their context.
    :param recovery: the public key that may introduce another one after the signing key is lost.
    :param master_keys: the master key of each category.
    :param after: the store that it continues.
    :raises ConfigurationError: there is a store already; it is not touched.
    :raises StoreRefusedError: of two writers that create one object, both would win; nothing was created.
    """
    genesis = Genesis(datetime.now(UTC).isoformat(timespec="seconds"), salt, signers, recovery, master_keys, after)
    if fault := _fault(genesis):
        raise ConfigurationError(f"The store cannot be created: {fault}. Correct the keys.")
    content = GENESIS_CODEC.write(genesis)
    store.probe()
    if not store.put_if_absent(GENESIS, content):
        raise ConfigurationError(
            f"{store.uri} is a store already: there is a {GENESIS}. Nothing was changed. Name its id as store_id in "
            "the connection, or choose an empty prefix."
        )
    return Trust(sha256(content), True, genesis)


def parse_genesis(content: bytes, uri: str, store_id: str | None) -> Trust:
    """Return whom a genesis trusts.

    :param content: of ``store.json``.
    :param store_id: what the connection pins; None where it pins nothing.
    :raises UnprovedError: it is another store.
    :raises SnapshotCorruptError: it is not a valid genesis.
    """
    found = sha256(content)
    if store_id is not None and found != store_id:
        raise UnprovedError(
            f"{uri} is not the store that the connection pins: its id is {found}, and store_id is {store_id}. Check "
            "uri and store_id. If the store was replaced, find out by whom; nothing of it was used."
        )
    genesis = GENESIS_CODEC.read(content, GENESIS)
    if fault := _fault(genesis):
        raise SnapshotCorruptError(f"{GENESIS} is not a valid genesis of a store: {fault}. {_REMEDY}")
    return Trust(found, store_id is not None, genesis)


def _fault(genesis: Genesis) -> str | None:
    """Say what is wrong with the keys of a genesis, or None."""
    keys = [entry.key for entry in genesis.signers] + ([genesis.recovery] if genesis.recovery else [])
    if not any(Role.STORE in entry.roles for entry in genesis.signers):
        return "no signing key has the role store"
    if len({key.key_id for key in keys}) < len(keys):
        return "a key comes twice, and each signing key and the recovery key differ"
    return None
