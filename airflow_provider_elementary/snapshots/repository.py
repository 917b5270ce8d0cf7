"""Opens the snapshots of one store with its keys and signer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ElementaryError,
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreError,
    StoreRefusedError,
)
from airflow_provider_elementary.progress import Progress, no_progress
from airflow_provider_elementary.snapshots.chain import Anchor, Chain, read_chain
from airflow_provider_elementary.snapshots.index.page import Row
from airflow_provider_elementary.snapshots.lookup import find_manifest, read_signed, resolve_manifest
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.manifest_document import Generation, ManifestDocument
from airflow_provider_elementary.snapshots.prune_record import (
    PruneRecord,
    newest_record,
    read_records,
    tombstones,
    without_expired,
)
from airflow_provider_elementary.snapshots.store_setup import SigningKey, signer_of
from airflow_provider_elementary.storage.genesis import Trust
from airflow_provider_elementary.storage.kept_files import KeptFiles, load_kept_files, save_kept_files
from airflow_provider_elementary.storage.keys import Keys, StoreKeys
from airflow_provider_elementary.storage.layout import kept_key
from airflow_provider_elementary.storage.object_store.read_once import ReadOnceStore
from airflow_provider_elementary.storage.object_store.store import Store, open_store
from airflow_provider_elementary.storage.signed_documents import Documents, Signed
from airflow_provider_elementary.storage.signers import Signer
from airflow_provider_elementary.storage.trust import read_trust

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_elementary.snapshots.diff import DiffReport
    from airflow_provider_elementary.snapshots.maintenance.maintain import MaintenanceReport
    from airflow_provider_elementary.snapshots.maintenance.prune import PruneReport
    from airflow_provider_elementary.snapshots.maintenance.retention import Retention
    from airflow_provider_elementary.snapshots.reader import SnapshotSource
    from airflow_provider_elementary.snapshots.restore import RestoreReport
    from airflow_provider_elementary.snapshots.restore_targets import RestoreTarget
    from airflow_provider_elementary.snapshots.verify import VerifyReport


class Repository:
    """The snapshots of one store.

    :param store: where the objects are.
    :param keys: the master keys, or what opens them when they are first needed; without any, manifests alone are read.
    :param store_id: the SHA-256 of the store's genesis, as ``store init`` printed it; without it nothing is proved and
        nothing is written.
    :param signing: the key that signs what is written, or what opens it when it is first needed; None for a reader.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys | Callable[[], Keys] | None = None,
        *,
        store_id: str | None = None,
        signing: SigningKey | Callable[[], SigningKey | None] | None = None,
    ) -> None:
        self.store = store
        self.store_id = store_id
        self._signing = signing
        self._keys = keys
        self._trust_lock = Lock()
        #: The small files that a task keeps for its next run; None outside :meth:`one_task`.
        self.kept: KeptFiles | None = None
        #: The name under which it keeps them.
        self.kept_key: str | None = None
        #: Documents that were read, by number and hash: none is ever replaced.
        self.read: dict[int, Signed[ManifestDocument]] = {}
        self.generations: dict[str, Generation] = {}
        self.pages: dict[str, Sequence[Row]] = {}
        #: The newest prune record as it was when it was last looked for; None before that.
        self.record: tuple[Signed[PruneRecord] | None] | None = None
        #: The name of a manifest after which the newest ones are listed; None before it was looked for.
        self.listed_after: str | None = None
        #: Why the storage did not give out manifests, by number.
        self.unreadable: dict[int, ElementaryError] = {}
        #: The snapshot that was opened last by :meth:`shared_source`.
        self._shared: SnapshotSource | None = None

    @classmethod
    def open(
        cls,
        uri: str,
        *,
        store_id: str | None = None,
        keys: Keys | Callable[[], Keys] | None = None,
        signing: SigningKey | None = None,
    ) -> Repository:
        """Return the repository that a URI names, opened with the environment's own credentials.

        :param uri: ``file:///absolute/directory`` or ``s3://bucket/prefix``.
        :param store_id: the id that ``store init`` printed; without it nothing that is read is proved.
        :param keys: the master keys; a reader may hold those of some categories.
        :param signing: the key that signs; only a writer has it.
        """
        return cls(open_store(uri), keys, store_id=store_id, signing=signing)

    def require_pinned_store(self) -> None:
        """Refuse another store than the one that the connection pins, and none: what is unproved is passed over.

        :raises SnapshotCorruptError: the pinned store is gone, or another one is there.
        """
        if self.store_id is not None:
            self.trust  # noqa: B018 - reading the genesis is the check

    @cached_property
    def trust(self) -> Trust:
        """Which keys may sign in the store.

        :raises StoreRefusedError: there is no store.
        :raises SnapshotCorruptError: the pinned store is gone, or is another one.
        """
        with self._trust_lock:
            # What opens a snapshot reads beside this one: of several threads, one reads the genesis.
            known: Trust | None = self.__dict__.get("trust")
            found = self.__dict__["trust"] = known or read_trust(self.store, self.store_id)
            return found

    @cached_property
    def documents(self) -> Documents:
        """The store's signed documents."""
        opened = Documents(self.store, self.trust, self._signer)
        opened.kept = self.kept
        return opened

    def reopened(self) -> Repository:
        """Return the same store for a reader that asks for everything itself, whatever a task or answer listed."""
        # What keeps listings, for a task or for an answer of the page, has the store itself inside.
        return Repository(getattr(self.store, "inner", self.store), self._keys, store_id=self.store_id)

    def read_again(self) -> None:
        """Read everything of the store again when it is next needed."""
        for name in ("trust", "documents", "keys"):
            self.__dict__.pop(name, None)
        self.read.clear()
        self.generations.clear()
        self.pages.clear()
        self.record = None
        self.listed_after = None
        self.unreadable.clear()
        self._shared = None

    @contextmanager
    def one_task(self, series: str) -> Iterator[None]:
        """Ask the store once for what a task reads several times, and keep small files for the task's next run.

        :param series: identifies the task, or one of its shards, from run to run.
        """
        store = self.store
        kept = load_kept_files(store, series)
        self.kept_key = kept_key(series)
        self._use(ReadOnceStore(store), kept)
        try:
            yield
        except (StoreError, StoreRefusedError):
            raise
        except ElementaryError:
            # A task that fails on what it found has read as much.
            save_kept_files(store, series, kept)
            raise
        else:
            save_kept_files(store, series, kept)
        finally:
            self._use(store, None)
            self._shared = self.kept_key = None

    def _use(self, store: Store, kept: KeptFiles | None) -> None:
        self.store, self.kept = store, kept
        if (documents := self.__dict__.get("documents")) is not None:
            documents.store, documents.kept = store, kept

    @property
    def unproved(self) -> str | None:
        """What to say of all that is read, in a sentence; None where the connection pins the store."""
        if self.store_id is not None:
            return None
        return f"unproved: the connection names no store_id, so anybody could have made what is in {self.uri}"

    def open_clients(self) -> None:
        """Open what makes and opens keys and what signs, in this thread.

        A task that runs on Airflow before 3.2 may ask for connections in one thread alone: answers would be mixed up.
        """
        if callable(self._signing):
            self._signing = self._signing()
        if callable(self._keys):
            self._keys = self._keys()

    @property
    def is_writer(self) -> bool:
        """Whether a signing key is named; opening it may still fail."""
        signing = self._signing() if callable(self._signing) else self._signing
        return self.store_id is not None and signing is not None

    @property
    def uri(self) -> str:
        """The store's URI."""
        return self.store.uri

    @property
    def has_keys(self) -> bool:
        """Whether master keys are named; opening them may still fail."""
        return self._keys is not None

    @cached_property
    def keys(self) -> StoreKeys:
        """The master keys, whose data keys open in this store alone.

        :raises ConfigurationError: none are named; nothing is stored unencrypted.
        """
        if self._keys is None:
            raise ConfigurationError(
                f"No master keys for {self.uri}: nothing is stored unencrypted. Name kms_key_id, or secret_keys that "
                "`airflow-elementary keys generate` makes, in the store's connection."
            )
        return StoreKeys(self._keys() if callable(self._keys) else self._keys, self.trust.store_id)

    def _signer(self) -> Signer | None:
        signing = self._signing() if callable(self._signing) else self._signing
        return signer_of(signing, self.trust) if signing is not None else None

    def read_signed(self, number: int) -> Signed[ManifestDocument]:
        """Return the document of a manifest; see :func:`airflow_provider_elementary.snapshots.lookup.read_signed`."""
        return read_signed(self, number)

    def chain(self) -> Chain:
        """Read the chain of manifests and prune records."""
        return read_chain(self)

    def snapshots(self, chain: Chain) -> list[Row]:
        """Return the snapshots of a chain that are in their place, oldest first."""
        return chain.snapshots

    def latest(self) -> Manifest:
        """Return the manifest of the newest snapshot.

        :raises SnapshotNotFoundError: there is none.
        """
        return find_manifest(self)

    def find(self, name: str | datetime) -> Manifest:
        """Return the manifest of a snapshot.

        :param name: ``latest``, a snapshot's id, or a time, also as text in ISO 8601: the newest snapshot taken by
            then. A time without a zone is UTC.
        :raises SnapshotNotFoundError: there is no such snapshot; the message says which there are.
        """
        return find_manifest(self, _moment_or_id(name))

    def source(self, snapshot: Manifest | str | datetime = "latest") -> SnapshotSource:
        """Open a snapshot for reading; what prune withdrew from it is left out.

        :param snapshot: its manifest, or a name as for :meth:`find`.
        """
        from airflow_provider_elementary.snapshots.reader import SnapshotSource

        manifest = snapshot if isinstance(snapshot, Manifest) else self.find(snapshot)
        return SnapshotSource(self, without_expired(self, manifest)[0], self.kept)

    def shared_source(self, snapshot_id: str, number: Any = None) -> SnapshotSource:
        """Open a snapshot for a task that reads its tables more than once: it is looked up once, as are small files.

        :param snapshot_id: its id.
        :param number: its place in the chain, as a result of it says; None where that is not known.
        """
        from airflow_provider_elementary.snapshots.reader import SnapshotSource

        if self._shared is None or self._shared.manifest.snapshot_id != snapshot_id:
            kept = self.kept if self.kept is not None else KeptFiles()
            manifest = self._numbered(snapshot_id, number) or self.find(snapshot_id)
            self._shared = SnapshotSource(self, without_expired(self, manifest)[0], kept)
        return self._shared

    def _numbered(self, snapshot_id: str, number: Any) -> Manifest | None:
        """Return the manifest of an id whose number is said to be known; None where it is not that, or was pruned."""
        if not isinstance(number, int) or number < 1:
            return None
        try:
            found = read_signed(self, number)
        except (SnapshotNotFoundError, SnapshotCorruptError, StoreRefusedError, KeyUnavailableError):
            return None
        if found.document.snapshot_id != snapshot_id:
            return None
        newest = newest_record(self)
        # No prune removed one that was the newest at the last prune, or that was taken since.
        is_new = newest is None or number >= newest.document.head.sequence
        if not is_new and number in tombstones(list(read_records(self))):
            return None
        return resolve_manifest(self, found)

    def named_hash(self, number: int) -> str | None:
        """Return the hash by which the manifest after that of a number, if it was read, names it.

        One that was removed and written again has another.
        """
        child = self.read.get(number + 1)
        parent = child.document.parent if child is not None else None
        return parent.sha256 if parent is not None and parent.sequence == number else None

    def verify(
        self,
        snapshot: str | datetime = "latest",
        *,
        anchors: Iterable[Anchor] = (),
        decrypt: bool = True,
        categories: Sequence[Category] = tuple(Category),
        progress: Progress = no_progress,
        checked: Path | None = None,
    ) -> VerifyReport:
        """Check the store; see :func:`airflow_provider_elementary.snapshots.verify.verify`.

        :param decrypt: open every file, which needs the keys; else compare hashes only.
        """
        from airflow_provider_elementary.snapshots.verify import verify

        return verify(
            self,
            snapshot=_moment_or_id(snapshot),
            anchors=anchors,
            decrypt=decrypt,
            categories=categories,
            progress=progress,
            checked=checked,
        )

    def prune(
        self,
        retention: Retention,
        *,
        anchors: Iterable[Anchor] = (),
        acknowledge_loss: Collection[int] = (),
        dry_run: bool = False,
        orphan_age: timedelta,
    ) -> PruneReport:
        """Remove what no rule keeps; see :func:`airflow_provider_elementary.snapshots.maintenance.prune.prune`."""
        from airflow_provider_elementary.snapshots.maintenance.prune import prune

        return prune(
            self,
            retention,
            anchors=anchors,
            acknowledge_loss=acknowledge_loss,
            dry_run=dry_run,
            orphan_age=orphan_age,
        )

    def maintain(
        self,
        retention: Retention,
        *,
        anchors: Iterable[Anchor] = (),
        orphan_age: timedelta,
        prune_now: bool = True,
    ) -> MaintenanceReport:
        """Maintain the store; see :func:`airflow_provider_elementary.snapshots.maintenance.maintain.maintain`."""
        from airflow_provider_elementary.snapshots.maintenance.maintain import maintain

        return maintain(self, retention, anchors=anchors, orphan_age=orphan_age, prune_now=prune_now)

    def restore(
        self,
        target: RestoreTarget,
        snapshot: str | datetime = "latest",
        *,
        categories: Sequence[Category] | None = None,
        progress: Progress = no_progress,
    ) -> RestoreReport:
        """Restore a snapshot; see :func:`airflow_provider_elementary.snapshots.restore.restore`."""
        from airflow_provider_elementary.snapshots.restore import restore

        return restore(self, target, snapshot=_moment_or_id(snapshot), categories=categories, progress=progress)

    def diff(self, before: str | datetime, after: str | datetime = "latest") -> DiffReport:
        """Compare two snapshots; see :func:`airflow_provider_elementary.snapshots.diff.diff`."""
        from airflow_provider_elementary.snapshots.diff import diff

        return diff(self, _moment_or_id(before), _moment_or_id(after))


def _moment_or_id(name: str | datetime) -> str | datetime:
    """Return a time that was written as text as a time; any other text is a snapshot's id or ``latest``."""
    try:
        moment = name if isinstance(name, datetime) else datetime.fromisoformat(name)
    except ValueError:
        return name
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
