"""Keeps the access reports of a store, one document per run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.access.check.report import AccessReport, Drift, drift
from airflow_provider_elementary.storage.documents import STRICT, Codec, Time, sha256
from airflow_provider_elementary.storage.layout import access_folder, access_report_key

if TYPE_CHECKING:
    from airflow_provider_elementary.storage.store import Store

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Recorded:
    """A report in the history.

    :param key: the name of its document in the store.
    :param sha256: of the document, hexadecimal: an anchor outside the store.
    :param previous: the report before it; None for the first.
    :param drift: what changed since then; empty for the first.
    """

    key: str
    sha256: str
    previous: AccessReport | None
    drift: Drift

    def to_dict(self) -> dict[str, Any]:
        """Return small JSON-ready values, for XCom and an Asset event."""
        return {
            "key": self.key,
            "sha256": self.sha256,
            "since": self.previous.checked_at.isoformat() if self.previous else None,
            "appeared": list(self.drift.appeared),
            "gone": list(self.drift.gone),
        }


@dataclass(frozen=True)
class _Document:
    """A report as the store keeps it."""

    subject: str
    run_key: str
    report: AccessReport
    since: Time | None
    appeared: tuple[str, ...]
    gone: tuple[str, ...]
    format_version: int

    __pydantic_config__ = STRICT


_CODEC = Codec(
    _Document,
    "access report",
    "Find out who changed it; then move it away, and the next report is compared with the one before.",
    FORMAT_VERSION,
)


def record(store: Store, report: AccessReport, *, subject: str, run_key: str) -> Recorded:
    """Put a report into the history, also one that does not pass, and compare it with the one before.

    Like a manifest, the document names tables and roles, and rests as the store protects it; it holds no row.

    :param subject: what is watched: a connection's id, and the schema where it is not the connection's own.
    :param run_key: what the report was made for; a second try for the same replaces it.
    :raises SnapshotCorruptError: the report before it is not what was written.
    :raises StoreError: the store failed; a retry may help.
    """
    folder = access_folder(subject)
    documents = [found.key for found in store.list(folder) if found.key.endswith(".json")]
    previous = None
    key = access_report_key(subject, report.checked_at)
    for older in reversed(documents):
        document_before = _CODEC.read(store.get(older) or b"", older)
        if document_before.run_key == run_key:
            key = older
            continue
        previous = document_before.report
        break
    change = drift(previous, report) if previous else Drift((), ())
    document = _CODEC.dump(
        {
            "format_version": FORMAT_VERSION,
            "subject": subject,
            "run_key": run_key,
            "report": report.to_dict(),
            "since": previous.checked_at.isoformat() if previous else None,
            "appeared": list(change.appeared),
            "gone": list(change.gone),
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )
    store.put(key, document)
    return Recorded(key, sha256(document), previous, change)
