"""The chain of manifests has a finding for every kind of damage, and a loss is acknowledged by its number alone."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.snapshots.chain import Anchor, Chain, check_chain
from airflow_provider_elementary.snapshots.index.page import Row
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.prune_record import Tombstone


def link(number: int, own: str | None = None, *, parent: str | None = None) -> Row:
    """Return a manifest whose hash is ``hash-<number>``, with the hash of the one before it as its parent."""
    before = Parent(number - 1, parent or f"hash-{number - 1}") if number > 1 else None
    return Row(
        sequence=number,
        sha256=own or f"hash-{number}",
        snapshot_id=f"snapshot-{number}",
        kind="full",
        created_at="2026-01-01T00:00:00",
        epoch=1,
        parent=before,
        lists=(),
        lost_until=None,
        categories=(),
        files=0,
        rows=0,
        size=0,
    )


def links(*changed: Row, without: int | None = None) -> Chain:
    found = {**{number: link(number) for number in (1, 2, 3)}, **{one.sequence: one for one in changed}}
    return Chain({number: one for number, one in found.items() if number != without}, [], [])


@pytest.mark.parametrize(
    ("chain", "anchors", "expected"),
    [
        (links(), (), []),
        (links(), (Anchor(3, "hash-3"),), []),
        (links(without=2), (), [("missing", 2)]),
        (links(without=3), (), []),
        (links(without=3), (Anchor(3, "hash-3"),), [("rolled back", 3)]),
        (links(link(2, "other")), (), [("changed", 2)]),
        (links(link(3, "other")), (), []),
        (links(link(3, "other")), (Anchor(3, "hash-3"),), [("rewritten", 3)]),
        (links(link(2, "other"), link(3, parent="other")), (Anchor(2, "hash-2"),), [("rewritten", 2)]),
    ],
    ids=[
        "intact",
        "intact and anchored",
        "missing inside",
        "missing at the end",
        "missing at the end, anchored",
        "changed",
        "newest changed",
        "newest changed, anchored",
        "rewritten from number 2 on, anchored",
    ],
)
def test_findings_of_a_chain(chain: Chain, anchors: tuple[Anchor, ...], expected: list[tuple[str, int]]) -> None:
    findings, _ = check_chain(chain, anchors)

    assert [(found.damage.value, int(found.object[-10:])) for found in findings] == expected


def test_an_acknowledged_loss_is_no_finding() -> None:
    lost = Tombstone(2, "", "", "hash-2", Parent(1, "hash-1"))

    assert check_chain(links(without=2), lost=[lost]) == ([], [])
