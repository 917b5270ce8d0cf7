"""Shows the newest access report and what changed since the previous one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.page.store_status import attempt
from airflow_provider_elementary.page.views.base import Request

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Manifest
    from airflow_provider_elementary.storage.records.report_log import StoredReport

#: How many snapshots, and how many reports of checks and audits, are read.
_SHOWN = 25
_SESSION = ("dialect", "database", "schema", "user")
_ORDER = ("fail", "unknown", "warning", "pass", "not applicable")


@dataclass(frozen=True)
class AccessState:
    """Summary of one access report: number of checks by status.

    :param sequence: of the snapshot that holds the report; None for the report of a check or an audit.
    :param subject: the connection that a check or an audit was of; empty for a snapshot.
    :param taken_at: when the snapshot was taken, or the report made.
    :param status: the worst of its checks, or ``not checked``.
    :param headline: how many of the checks that apply pass.
    """

    sequence: int | None
    subject: str
    taken_at: datetime
    status: str
    headline: str


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    :param claim: what the check proves if it passes.
    :param remediation: what to do if it does not pass.
    :param accepted: why its failure was accepted.
    :param items: the objects that were found.
    """

    name: str
    status: str
    claim: str
    evidence: str
    remediation: str
    accepted: str
    items: Sequence[str]


@dataclass(frozen=True)
class Access:
    """What the template ``access.html`` shows.

    :param newest: summary of the newest report of any kind, or None.
    :param report: user, roles and schema of its session.
    :param compared_with: what the previous report is of, or None.
    :param appeared: facts that only the newer report holds; ``gone``: only the older one.
    """

    total: int
    newest: AccessState | None
    report: Mapping[str, Any]
    findings: tuple[CheckResult, ...]
    compared_with: str | None
    appeared: tuple[str, ...]
    gone: tuple[str, ...]
    history: tuple[AccessState, ...]
    problems: tuple[str, ...]


def build(request: Request) -> Access:
    """Return the newest access report of a store."""
    problems: list[str] = []
    reader = request.reader
    sequences = attempt(problems, reader.uri, reader.sequences) or []
    manifests = []
    for sequence in reversed(sequences[-_SHOWN:]):
        found = attempt(
            problems,
            reader.uri,
            lambda sequence=sequence: reader.manifest(sequence, newest=sequence == sequences[-1]),  # type: ignore[misc]
        )
        manifests += [found] if found else []
    checked = [manifest for manifest in manifests if manifest.access]
    audits = attempt(problems, reader.uri, lambda: reader.access_reports(_SHOWN)) or []
    history = sorted(
        [*map(access_state, manifests), *map(audit_state, audits)], key=lambda state: state.taken_at, reverse=True
    )
    newest = _newest(manifests, audits)
    report: Mapping[str, Any] = {}
    compared_with: str | None = None
    appeared: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    if newest is not None and newest.sequence is None:
        report = audits[0].report.to_dict()
        appeared, gone = audits[0].appeared, audits[0].gone
        compared_with = f"{audits[0].since:%Y-%m-%d %H:%M} UTC" if audits[0].since else None
    elif checked:
        report = checked[0].access or {}
        appeared, gone = _drift(checked)
        compared_with = f"snapshot {checked[1].sequence}" if len(checked) > 1 else None
    return Access(
        total=len(sequences),
        newest=newest,
        report=report,
        findings=findings(report),
        compared_with=compared_with,
        appeared=appeared,
        gone=gone,
        history=tuple(history[:_SHOWN]),
        problems=tuple(problems),
    )


def newest_access(manifest: Manifest | None, audits: Sequence[StoredReport]) -> AccessState | None:
    """Return the summary of the newest report: of the newest snapshot, or of a check or an audit."""
    return _newest([manifest] if manifest else [], audits) or (access_state(manifest) if manifest else None)


def failing_access(manifest: Manifest | None, audits: Sequence[StoredReport]) -> tuple[AccessState, ...]:
    """Return the reports with a failed check that no newer report of the same subject, or session, replaces."""
    from datetime import UTC

    report = (manifest.access or {}) if manifest else {}
    session = tuple(report.get(name) for name in _SESSION)
    newest: dict[str, StoredReport] = {}
    for audit in audits:
        newest.setdefault(audit.subject, audit)
    failed = [audit for audit in newest.values() if audit.report.failed]
    if manifest and manifest.access:
        # A snapshot was taken over the same session since.
        checked_at = datetime.fromisoformat(str(report.get("checked_at") or manifest.taken_at.isoformat()))
        checked_at = checked_at if checked_at.tzinfo else checked_at.replace(tzinfo=UTC)
        failed = [
            audit
            for audit in failed
            if audit.report.checked_at > checked_at
            or tuple(getattr(audit.report, name) for name in _SESSION) != session
        ]
    return tuple(audit_state(audit) for audit in failed)


def _newest(manifests: Sequence[Manifest], audits: Sequence[StoredReport]) -> AccessState | None:
    """Compare the times of the checks: a snapshot is taken after its own."""
    checked = [manifest for manifest in manifests if manifest.access][:1]
    dated = [(str((manifest.access or {}).get("checked_at", "")), access_state(manifest)) for manifest in checked]
    dated += [(audit.report.checked_at.isoformat(), audit_state(audit)) for audit in audits[:1]]
    return max(dated, key=lambda found: found[0])[1] if dated else None


def access_state(manifest: Manifest) -> AccessState:
    """Return the summary of the access report of a snapshot."""
    statuses = [str(finding.get("status")) for finding in (manifest.access or {}).get("findings", ())]
    return _state(manifest.sequence, "", manifest.taken_at, statuses)


def audit_state(stored: StoredReport) -> AccessState:
    """Return the summary of the report of a check or an audit."""
    statuses = [finding.status for finding in stored.report.findings]
    return _state(None, stored.subject, stored.report.checked_at, statuses)


def _state(sequence: int | None, subject: str, taken_at: datetime, statuses: Sequence[str]) -> AccessState:
    from airflow_provider_elementary.access.check.report import headline

    counts = Counter(statuses)
    worst = next((status for status in _ORDER if counts[status]), "not checked")
    return AccessState(sequence, subject, taken_at, worst, headline(counts) if statuses else "")


def findings(report: Mapping[str, Any]) -> tuple[CheckResult, ...]:
    """Return the checks of a report, those that need attention first."""
    from airflow_provider_elementary.access.check.report import CHECKS

    found = [
        CheckResult(
            name=str(finding.get("name", "")),
            status=str(finding.get("status", "")),
            claim=CHECKS.get(finding.get("name", ""), ""),
            evidence=str(finding.get("evidence", "")),
            remediation=str(finding.get("remediation", "")),
            accepted=str(finding.get("accepted", "")),
            items=[str(item) for item in finding.get("excess", ())],
        )
        for finding in report.get("findings", ())
    ]
    return tuple(sorted(found, key=lambda finding: _ORDER.index(finding.status) if finding.status in _ORDER else 0))


def _drift(checked: Sequence[Manifest]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from airflow_provider_elementary.access.check.report import AccessReport, drift

    if len(checked) < 2:
        return (), ()
    try:
        newer, older = (AccessReport.from_dict(manifest.access or {}) for manifest in checked[:2])
    except (KeyError, TypeError, ValueError):
        # Written by another version of this package.
        return (), ()
    found = drift(older, newer)
    return found.appeared, found.gone
