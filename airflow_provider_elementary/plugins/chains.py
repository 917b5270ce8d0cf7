"""What the Elementary page shows of a store: its chain of snapshots, out of the manifests alone."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import conf

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Manifest

log = logging.getLogger(__name__)

#: The newest snapshots of each store are shown; each costs one small read.
SHOWN = 25


@dataclass(frozen=True)
class Snapshot:
    """One snapshot, as the page shows it.

    :param link: how it hangs on the one before: ``linked``, ``first``, ``broken``, or ``not checked`` where the one
        before is not at hand.
    :param categories: the categories that it holds, with their rows.
    :param access: how many access checks ended how, as in ``{"pass": 22, "unknown": 1}``; empty where none was made.
    :param open_checks: the names of the access checks that did not pass.
    :param held_back: what the policy held back, a sentence for each rule.
    """

    sequence: int
    snapshot_id: str
    taken_at: datetime
    rows: int
    size: int
    link: str
    categories: dict[str, int]
    access: dict[str, int]
    open_checks: list[str]
    held_back: list[str]


@dataclass(frozen=True)
class Chain:
    """The newest snapshots of a store, newest first.

    :param uri: the store.
    :param total: how many snapshots the store holds.
    :param problems: what could not be read, in words for the person who looks.
    """

    uri: str
    total: int
    snapshots: list[Snapshot]
    problems: list[str]


def configured_stores() -> list[tuple[str, str | None]]:
    """Return the URIs of ``[elementary] stores``, and the AWS connection that opens those on S3."""
    aws_conn_id = conf.get("elementary", "aws_conn_id", fallback="aws_default") or None
    stores = conf.get("elementary", "stores", fallback="") or ""
    return [(uri.strip(), aws_conn_id) for uri in stores.split(",") if uri.strip()]


def read_chain(uri: str, aws_conn_id: str | None) -> Chain:
    """Read the newest manifests of a store; what goes wrong is told in ``problems``, never raised."""
    from airflow_provider_elementary.snapshots.read import committed_sequences, read_manifest

    try:
        # Nothing is written, so no key is named: neither for the server's encryption nor for the files.
        store = ElementaryStoreHook(uri, aws_conn_id=aws_conn_id, server_side_encryption="AES256").store
        sequences = committed_sequences(store)
    except Exception as error:
        return Chain(uri, 0, [], [_problem(uri, error)])
    snapshots: list[Snapshot] = []
    problems: list[str] = []
    manifests: dict[int, Manifest] = {}
    shown = sequences[-SHOWN:]
    # One more than is shown: the oldest shown hangs on it.
    for sequence in sequences[-SHOWN - 1 :]:
        try:
            manifests[sequence] = read_manifest(store, sequence)
            if sequence in shown:
                snapshots.insert(0, _snapshot(manifests[sequence], manifests))
        except Exception as error:
            problems.append(_problem(store.uri, error))
    return Chain(store.uri, len(sequences), snapshots, problems)


def _snapshot(manifest: Manifest, manifests: dict[int, Manifest]) -> Snapshot:
    rows: Counter[str] = Counter()
    for file in manifest.files:
        rows[file.category.value] += file.rows
    findings = (manifest.access or {}).get("findings", ())
    return Snapshot(
        sequence=manifest.sequence,
        snapshot_id=manifest.snapshot_id,
        taken_at=manifest.taken_at,
        rows=manifest.rows,
        size=manifest.size,
        link=_link(manifest, manifests),
        categories=dict(rows),
        access=dict(Counter(finding["status"] for finding in findings)),
        open_checks=[finding["name"] for finding in findings if finding["status"] != "pass"],
        held_back=[_sentence(rule) for rule in manifest.held_back],
    )


def _link(manifest: Manifest, manifests: dict[int, Manifest]) -> str:
    from airflow_provider_elementary.snapshots.manifest import sha256

    if manifest.parent is None:
        return "first"
    if (parent := manifests.get(manifest.parent.sequence)) is None:
        return "not checked"
    return "linked" if sha256(parent.to_bytes()) == manifest.parent.sha256 else "broken"


def _sentence(rule: Mapping[str, object]) -> str:
    what = (
        f"{rule['rows']} rows of {rule['table']}" if "rows" in rule else f"{rule['values']} values of {rule['column']}"
    )
    return f"{what}: {rule['rule']}"


def _problem(uri: str, error: Exception) -> str:
    """Say what failed; the text of an error that is not ours stays in the server's log."""
    if isinstance(error, ElementaryError):
        return str(error)
    log.error("the Elementary page could not read %s", uri, exc_info=error)
    return f"Expected to read {uri}, found an unexpected {type(error).__name__}; the API server's log says more."
