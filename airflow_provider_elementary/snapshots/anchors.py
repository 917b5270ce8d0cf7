"""Signs and reads what is recorded of a snapshot outside its store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.storage.documents import STRICT, Codec, NaiveTime
from airflow_provider_elementary.storage.genesis import Role

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.manifest import Manifest
    from airflow_provider_elementary.snapshots.repository import Repository

#: No object has this name: a statement travels in XCom and in Asset events.
_NAME = "anchor"


@dataclass(frozen=True)
class AnchorStatement:
    """That a store had a snapshot.

    :param sequence: its place in the chain.
    :param sha256: the hash of its manifest.
    :param created_at: when it was taken.
    """

    sequence: int
    sha256: str
    created_at: NaiveTime
    format_version: int = 2

    __pydantic_config__ = STRICT


_CODEC = Codec(AnchorStatement, "anchor", "Give what a snapshot task returned.", 2)


def sign_anchor(repository: Repository, manifest: Manifest) -> str:
    """Return a signed statement about a snapshot, to be kept outside the store."""
    statement = AnchorStatement(manifest.sequence, manifest.sha256, manifest.created_at)
    return repository.documents.encode(_NAME, _CODEC, statement, Role.STORE)[1].decode()


def read_anchor(repository: Repository, statement: Any, origin: str = "the anchor") -> Anchor:
    """Return the anchor that a signed statement holds.

    :param statement: whatever came with XCom or an Asset event.
    :param origin: where it was recorded, in words.
    :raises UnprovedError: no key of the store signed it.
    """
    found = repository.documents.decode(statement, _NAME, _CODEC, Role.STORE).document
    return Anchor(found.sequence, found.sha256, origin)
