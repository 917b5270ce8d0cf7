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

#: How many snapshots are read.
_SHOWN = 25
_ORDER = ("fail", "unknown", "pass")


@dataclass(frozen=True)
class AccessState:
    """Summary of the access report of one snapshot: number of checks by status.

    :param status: ``pass``, ``fail``, ``unknown``, or ``not checked``.
    """

    sequence: int
    taken_at: datetime
    status: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    :param claim: what the check proves if it passes.
    :param remediation: what to do if it does not pass.
    :param items: the objects that were found.
    """

    name: str
    status: str
    claim: str
    evidence: str
    remediation: str
    items: Sequence[str]


@dataclass(frozen=True)
class Access:
    """What the template ``access.html`` shows.

    :param manifest: of the newest snapshot with a report, or None.
    :param report: user, roles and schema of the session.
    :param compared_with: the number of the snapshot with the previous report, or None.
    :param appeared: facts that only the newer report holds; ``gone``: only the older one.
    """

    total: int
    manifest: Manifest | None
    report: Mapping[str, Any]
    findings: tuple[CheckResult, ...]
    compared_with: int | None
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
    report = checked[0].access or {} if checked else {}
    appeared, gone = _drift(checked)
    return Access(
        total=len(sequences),
        manifest=checked[0] if checked else None,
        report=report,
        findings=_findings(report),
        compared_with=checked[1].sequence if len(checked) > 1 else None,
        appeared=appeared,
        gone=gone,
        history=tuple(access_state(manifest) for manifest in manifests),
        problems=tuple(problems),
    )


def access_state(manifest: Manifest) -> AccessState:
    """Return the summary of the access report of a snapshot."""
    counts = Counter(str(finding.get("status")) for finding in (manifest.access or {}).get("findings", ()))
    worst = next((status for status in _ORDER if counts[status]), "not checked")
    return AccessState(manifest.sequence, manifest.taken_at, worst, dict(counts))


def _findings(report: Mapping[str, Any]) -> tuple[CheckResult, ...]:
    from airflow_provider_elementary.access.check.report import CHECKS

    found = [
        CheckResult(
            name=str(finding.get("name", "")),
            status=str(finding.get("status", "")),
            claim=CHECKS.get(finding.get("name", ""), ""),
            evidence=str(finding.get("evidence", "")),
            remediation=str(finding.get("mend", "")),
            items=[str(item) for item in finding.get("holes", ())],
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
