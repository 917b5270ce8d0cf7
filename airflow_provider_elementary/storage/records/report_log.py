"""Records access reports in a store and compares each with the previous."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_elementary.access.check.report import AccessDrift, AccessReport, drift
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.storage.documents import STRICT, Codec, Time
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import ACCESS_REPORTS, access_folder
from airflow_provider_elementary.storage.records.series import (
    Before,
    SeriesPlace,
    append,
    lost_since,
    newest_first,
    recorded_place,
    sign_place,
)
from airflow_provider_elementary.storage.signed_documents import Signed

if TYPE_CHECKING:
    from airflow_provider_elementary.storage.open_store import OpenStore


@dataclass(frozen=True)
class Recorded:
    """A report in the log.

    :param key: the name of its document in the store.
    :param sha256: of the document's JSON, hexadecimal: to be recorded outside the store.
    :param previous: the previous report; None for the first.
    :param drift: what changed since the previous report; empty for the first.
    :param anchor: a signed statement that the store has it, for the next run.
    :param lost: what was removed since the run before, in a sentence.
    """

    key: str
    sha256: str
    previous: AccessReport | None
    drift: AccessDrift
    anchor: str
    lost: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return small JSON-ready values, for XCom and an Asset event."""
        return {
            "key": self.key,
            "sha256": self.sha256,
            "since": self.previous.checked_at.isoformat() if self.previous else None,
            "appeared": list(self.drift.appeared),
            "gone": list(self.drift.gone),
            "anchor": self.anchor,
        }


@dataclass(frozen=True)
class StoredReport:
    """A stored report.

    :param subject: the connection's id, with the schema if it is not the connection's own.
    :param since: when the previous report was made; None for the first.
    """

    subject: str
    report: AccessReport
    since: Time | None
    appeared: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class StoredDocument:
    """The stored document.

    :param report: as :meth:`~airflow_provider_elementary.access.check.report.AccessReport.to_dict` returns it.
    :param previous: the newest report of the subject before it.
    :param previous_run: the newest of these that is of another run.
    """

    subject: str
    run_key: str
    report: Mapping[str, Any]
    since: Time | None
    appeared: tuple[str, ...]
    gone: tuple[str, ...]
    previous: SeriesPlace | None = None
    previous_run: SeriesPlace | None = None
    format_version: int = 2

    __pydantic_config__ = STRICT


#: How a report is stored.
REPORT = Codec(
    StoredDocument, "access report", "Move it out of the store: the next report is compared with the one before it.", 2
)


def newest_reports(opened: OpenStore, count: int) -> list[StoredReport]:
    """Return the newest report of each subject, and up to this number in all; newest first, failed or not.

    :raises SnapshotCorruptError: one of them is signed, and not valid.
    """
    first: list[tuple[datetime, StoredReport]] = []
    others: list[tuple[datetime, StoredReport]] = []
    for _, reports in reports_by_subject(opened, max(count, 1)):
        made_at = None
        for stored in reports:
            # Of one subject, the number says which is newer: a clock may have been ahead.
            is_newest, made_at = made_at is None, min(made_at or stored.report.checked_at, stored.report.checked_at)
            (first if is_newest else others).append((made_at, stored))
    others.sort(key=lambda found: found[0], reverse=True)
    shown = [*first, *others[: max(count - len(first), 0)]]
    return [stored for _, stored in sorted(shown, key=lambda found: found[0], reverse=True)]


def reports_by_subject(opened: OpenStore, count: int) -> Iterator[tuple[str, Iterator[StoredReport]]]:
    """Yield each subject that has reports with its newest ones, newest first; they are read one by one.

    :raises SnapshotCorruptError: one of them is signed, and not valid.
    """
    folders = sorted({f"{found.key.rpartition('/')[0]}/" for found in opened.store.list(ACCESS_REPORTS)})
    for folder in folders:
        reports = newest_first(opened.documents, folder, REPORT, Role.ACCESS)
        subject = unquote(folder.removeprefix(ACCESS_REPORTS).rstrip("/"))
        yield (
            subject,
            (
                StoredReport(each.document.subject, report_of(each), *_changes(each.document))
                for each in islice(reports, count)
            ),
        )


def record(opened: OpenStore, report: AccessReport, *, subject: str, run_key: str, anchor: Any = None) -> Recorded:
    """Sign and store a report, also one with failed checks, and compare it with the one of the previous run.

    Like a manifest, the document names tables and roles and holds no row; only the store protects it.

    :param subject: a connection's id, with the schema if it is not the connection's own.
    :param run_key: the run that the report belongs to; of several attempts of one run, the newest counts.
    :param anchor: what the run before recorded outside the store; None for nothing.
    :raises SnapshotCorruptError: the previous report is not valid.
    :raises StoreError: the store failed; a retry may help.
    """
    folder = access_folder(subject)
    known = recorded_place(opened.documents, folder, anchor, Role.ACCESS)
    lost = lost_since(opened.documents, folder, REPORT, Role.ACCESS, known)
    older = newest_first(opened.documents, folder, REPORT, Role.ACCESS)
    before = next((found for found in older if found.document.run_key != run_key), None)
    previous = report_of(before) if before is not None else None
    change = drift(previous, report) if previous else AccessDrift((), ())

    def document(place: Before) -> StoredDocument:
        return StoredDocument(
            subject=subject,
            run_key=run_key,
            report=report.to_dict(),
            since=previous.checked_at.isoformat() if previous else None,
            appeared=tuple(change.appeared),
            gone=tuple(change.gone),
            previous=place.previous,
            previous_run=place.previous_run,
        )

    number = known.number if known else 0
    written = append(opened.documents, folder, REPORT, document, Role.ACCESS, run_key=run_key, known=number)
    signed = sign_place(opened.documents, written.name, written.sha256, Role.ACCESS)
    return Recorded(written.name, written.sha256, previous, change, signed, lost)


def is_worth_recording(opened: OpenStore, report: AccessReport, subject: str) -> bool:
    """Return whether a report has a failed check, or the newest stored one of the subject has: it is the end of that.

    :raises SnapshotCorruptError: the newest report is signed, and not valid.
    """
    newest = next(newest_first(opened.documents, access_folder(subject), REPORT, Role.ACCESS), None)
    return bool(report.failed) or (newest is not None and bool(report_of(newest).failed))


def _changes(document: StoredDocument) -> tuple[Time | None, tuple[str, ...], tuple[str, ...]]:
    return document.since, document.appeared, document.gone


def report_of(signed: Signed[StoredDocument]) -> AccessReport:
    """Return the report of a document.

    :raises SnapshotCorruptError: it is not valid.
    """
    try:
        return AccessReport.from_dict(signed.document.report)
    except ValueError as error:
        raise SnapshotCorruptError(f"{signed.name} is not a valid access report: {error} {REPORT.remedy}") from None
