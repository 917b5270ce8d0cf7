"""Signing what a store holds already: when signing begins, and when the key that signs was replaced."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.snapshots.chain import Anchor, check_chain, read_chain
from airflow_provider_elementary.snapshots.signature import Signer, sign_object
from airflow_provider_elementary.snapshots.store import Store
from airflow_provider_elementary.storage.layout import manifest_key

log = logging.getLogger(__name__)

_NAMED_IN_ERROR = 10


def sign_store(store: Store, signer: Signer, *, anchors: Iterable[Anchor] = ()) -> list[str]:
    """Sign every manifest and prune record of a chain that holds, in place of the signatures that there are.

    That the chain holds does not prove who wrote it: verify it first, with the key that signed until now, or with an
    anchor.

    :param anchors: hashes of manifests that were kept elsewhere.
    :return: the names of what was signed.
    :raises SnapshotCorruptError: the chain does not hold; nothing was signed.
    """
    chain = read_chain(store)
    findings = [*chain.findings, *check_chain(chain, anchors)[0]]
    if findings:
        named = "; ".join(f"{found.object} is {found.damage}" for found in findings[:_NAMED_IN_ERROR])
        raise SnapshotCorruptError(
            f"Expected a chain that holds in {store.uri} before signing it, found {len(findings)} differences: "
            f"{named}. Nothing was signed; see what `airflow-elementary snapshot verify` says."
        )
    digests = {manifest_key(link.sequence): link.sha256 for link in chain.links.values()}
    digests |= {stored.record.key: stored.sha256 for stored in chain.records}
    for key, digest in sorted(digests.items()):
        sign_object(store, key, digest, signer)
    log.info("signed %s manifests and %s prune records of %s", len(chain.links), len(chain.records), store.uri)
    return sorted(digests)
