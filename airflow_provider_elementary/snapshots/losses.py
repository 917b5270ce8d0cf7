"""What a chain has lost: told before anything is removed, as the lost may come back, and given up by name alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airflow_provider_elementary.exceptions import ConfigurationError, SnapshotCorruptError
from airflow_provider_elementary.snapshots.chain import Anchor, Chain, check_chain, read_chain
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.prune_record import Tombstone
from airflow_provider_elementary.storage.store import Store

_NAMED_IN_ERROR = 10


def require_whole(store: Store, anchors: Iterable[Anchor] = (), give_up: Collection[int] = ()) -> tuple[Tombstone, ...]:
    """Return what is to be recorded of the manifests that are given up; without any, of none.

    :param anchors: hashes of manifests that were kept elsewhere.
    :param give_up: numbers of manifests that are lost for good.
    :raises SnapshotCorruptError: the chain does not hold: files that only a lost manifest names would go.
    :raises ConfigurationError: a number is not that of a lost manifest.
    """
    chain = read_chain(store)
    stones = tuple(_given_up(chain, sorted(give_up)))
    # As the chain will be once the record is written.
    findings = [*chain.findings, *check_chain(chain, anchors, stones)[0]]
    if findings:
        named = "; ".join(f"{found.object} is {found.damage}" for found in findings[:_NAMED_IN_ERROR])
        raise SnapshotCorruptError(
            f"Expected a chain that holds in {store.uri} before pruning it, found {len(findings)} differences: "
            f"{named}. Nothing was removed, as files that only a lost manifest names would go. See what "
            "`airflow-elementary snapshot verify` says. Put back what was moved; restore what is missing or changed "
            "from a replica or an older version of the object; give up what is missing for good by its number, with "
            "`airflow-elementary snapshot prune --give-up`."
        )
    return stones


def _given_up(chain: Chain, numbers: list[int]) -> list[Tombstone]:
    head = chain.head.sequence if chain.head else 0
    known = chain.tombstones
    if wrong := [number for number in numbers if number in chain.links or number in known or not 0 < number < head]:
        raise ConfigurationError(
            f"Expected numbers of missing manifests below the newest, {head}, to give up; found "
            f"{', '.join(map(str, wrong))}. One that is there and cannot be read has to be removed first."
        )
    stones: dict[int, Tombstone] = {}
    for number in numbers:
        before = chain.links.get(number - 1) or known.get(number - 1) or stones.get(number - 1)
        child = chain.links.get(number + 1) or known.get(number + 1)
        # Of several in a row, only the last one's hash is known: the manifest after it names it.
        told = child.parent.sha256 if child is not None and child.parent is not None else ""
        parent = Parent(number - 1, before.sha256 if before else "") if number > 1 else None
        stones[number] = Tombstone(number, "", "", told, parent)
    return list(stones.values())
