"""Opens the snapshots of one store with its keys and signer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError, SnapshotCorruptError
from airflow_provider_elementary.progress import Progress, no_progress
from airflow_provider_elementary.snapshots.chain import Anchor, Chain, check_chain, read_chain
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.prune_record import without_expired
from airflow_provider_elementary.snapshots.reader import SnapshotSource, find_manifest, read_manifest
from airflow_provider_elementary.storage.keys import Keys
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.signatures import KeysSigner, Signer, sign_object
from airflow_provider_elementary.storage.store import Store, open_store

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.diff import DiffReport
    from airflow_provider_elementary.snapshots.prune import PruneReport
    from airflow_provider_elementary.snapshots.restore import RestoreReport
    from airflow_provider_elementary.snapshots.restore_targets import RestoreTarget
    from airflow_provider_elementary.snapshots.retention import Retention
    from airflow_provider_elementary.snapshots.verify import VerifyReport

log = logging.getLogger(__name__)

_NAMED_IN_ERROR = 10


@dataclass(frozen=True)
class StoredSnapshot:
    """One snapshot of the chain.

    :param manifest: what it is.
    :param sha256: the hash of its manifest.
    """

    manifest: Manifest
    sha256: str


class Repository:
    """The snapshots of one store.

    :param store: where the objects are.
    :param keys: the master keys, or what opens them when they are first needed; without any, manifests alone are read.
    :param signer: who signs manifests and prune records, and has to have signed them.
    """

    def __init__(
        self, store: Store, keys: Keys | Callable[[], Keys] | None = None, *, signer: Signer | None = None
    ) -> None:
        self.store = store
        self.signer = signer
        self._keys = keys

    @classmethod
    def open(cls, uri: str, *, keys: Keys | Callable[[], Keys] | None = None) -> Repository:
        """Return the repository that a URI names, opened with the environment's own credentials.

        :param uri: ``file:///absolute/directory`` or ``s3://bucket/prefix``.
        :param keys: the master keys; a reader may hold those of some categories.
        """
        return cls(open_store(uri), keys)

    @property
    def uri(self) -> str:
        """The store's URI."""
        return self.store.uri

    @property
    def has_keys(self) -> bool:
        """Whether master keys are named; opening them may still fail."""
        return self._keys is not None

    @cached_property
    def keys(self) -> Keys:
        """The master keys.

        :raises ConfigurationError: none are named; nothing is stored unencrypted.
        """
        if self._keys is None:
            raise ConfigurationError(
                f"No master keys for {self.uri}: nothing is stored unencrypted. Name kms_key_id, or secret_keys that "
                "`airflow-elementary keys generate` makes, in the store's connection."
            )
        return self._keys() if callable(self._keys) else self._keys

    def chain(self) -> Chain:
        """Read the chain of manifests and prune records."""
        return read_chain(self)

    def snapshots(self, chain: Chain) -> list[StoredSnapshot]:
        """Return the snapshots of a chain that are in their place, oldest first."""
        return [
            StoredSnapshot(read_manifest(self, sequence), link.sha256)
            for sequence, link in sorted(chain.links.items())
            if link.claimed == sequence
        ]

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
        manifest = snapshot if isinstance(snapshot, Manifest) else self.find(snapshot)
        return SnapshotSource(self, without_expired(self, manifest)[0])

    def verify(
        self,
        snapshot: str | datetime = "latest",
        *,
        anchors: Iterable[Anchor] = (),
        decrypt: bool = True,
        categories: Sequence[Category] = tuple(Category),
        progress: Progress = no_progress,
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
        """Remove what no rule keeps; see :func:`airflow_provider_elementary.snapshots.prune.prune`."""
        from airflow_provider_elementary.snapshots.prune import prune

        return prune(
            self,
            retention,
            anchors=anchors,
            acknowledge_loss=acknowledge_loss,
            dry_run=dry_run,
            orphan_age=orphan_age,
        )

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

    def sign(self, *, anchors: Iterable[Anchor] = ()) -> list[str]:
        """Sign every manifest and prune record of a chain that holds, replacing the signatures that there are.

        That the chain holds does not prove who wrote it: verify it first, with the key that signed until now, or with
        an anchor.

        :param anchors: hashes of manifests that were kept elsewhere.
        :return: the names of what was signed.
        :raises SnapshotCorruptError: the chain does not hold; nothing was signed.
        """
        chain = self.chain()
        findings = [*chain.findings, *check_chain(chain, anchors)[0]]
        if findings:
            named = "; ".join(f"{found.object} is {found.damage}" for found in findings[:_NAMED_IN_ERROR])
            raise SnapshotCorruptError(
                f"The snapshot chain in {self.uri} has {len(findings)} problems; nothing was signed: {named}. Run "
                "`airflow-elementary snapshot verify`."
            )
        signer = self.signer or KeysSigner(self.keys)
        digests = {manifest_key(link.sequence): link.sha256 for link in chain.links.values()}
        digests |= {stored.record.key: stored.sha256 for stored in chain.records}
        for key, digest in sorted(digests.items()):
            sign_object(self.store, key, digest, signer)
        log.info("signed %s manifests and %s prune records of %s", len(chain.links), len(chain.records), self.uri)
        return sorted(digests)


def _moment_or_id(name: str | datetime) -> str | datetime:
    """Return a time that was written as text as a time; any other text is a snapshot's id or ``latest``."""
    try:
        moment = name if isinstance(name, datetime) else datetime.fromisoformat(name)
    except ValueError:
        return name
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
