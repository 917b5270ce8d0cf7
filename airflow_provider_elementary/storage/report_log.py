"""Records access reports in a store and compares each with the previous."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.access.check.report import AccessReport, Drift, drift
from airflow_provider_elementary.storage.documents import STRICT, Codec, Time, sha256
from airflow_provider_elementary.storage.layout import ACCESS_REPORTS, access_folder, access_report_key

if TYPE_CHECKING:
    from airflow_provider_elementary.storage.store import Store

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Recorded:
    """A report in the log.

    :param key: the name of its document in the store.
    :param sha256: of the document, hexadecimal: to be recorded outside the store.
    :param previous: the previous report; None for the first.
    :param drift: what changed since the previous report; empty for the first.
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
class StoredReport:
    """The document of one report.

    :param subject: the connection's id, with the schema if it is not the connection's own.
    :param since: when the previous report was made; None for the first.
    """

    subject: str
    run_key: str
    report: AccessReport
    since: Time | None
    appeared: tuple[str, ...]
    gone: tuple[str, ...]
    format_version: int

    __pydantic_config__ = STRICT


_CODEC = Codec(
    StoredReport,
    "access report",
    "Find out who changed it, then move it out of the store: the next report is compared with the one before it.",
    FORMAT_VERSION,
)


def newest_reports(store: Store, count: int) -> list[StoredReport]:
    """Return the newest reports of all subjects, newest first: failed ones as well as others.

    :raises SnapshotCorruptError: one of them is not valid.
    """
    keys = [found.key for found in store.list(ACCESS_REPORTS) if found.key.endswith(".json")]
    newest = sorted(keys, key=lambda key: key.rsplit("/", 1)[-1], reverse=True)[:count]
    # A report may be removed between the list and the read.
    return [_CODEC.read(body, key) for key in newest if (body := store.get(key)) is not None]


def newest_report(store: Store) -> StoredReport | None:
    """Return the newest report of any subject."""
    return next(iter(newest_reports(store, 1)), None)


def record(store: Store, report: AccessReport, *, subject: str, run_key: str) -> Recorded:
    """Store a report, also one with failed checks, and compare it with the previous one.

    Like a manifest, the document names tables and roles and holds no row; only the store protects it.

    :param subject: a connection's id, with the schema if it is not the connection's own.
    :param run_key: the run that the report belongs to; a second attempt of the run replaces it.
    :raises SnapshotCorruptError: the previous report is not valid.
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
