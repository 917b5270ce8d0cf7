"""Holds the findings of an access check and compares two reports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from airflow_provider_elementary.exceptions import AccessDeniedError, AccessUnknownError, ConfigurationError

#: A finding lists at most this many excess privileges; the others are only counted.
LISTED = 100
Status = Literal["pass", "warning", "fail", "unknown", "not applicable"]

#: Every check by name, and the claim that it proves where it passes.
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "schema-readable": "the tables of the Elementary schema can be read",
        "administrative-rights": "no reachable role may administer anything",
        "role-memberships": "no reachable role can do more than read the Elementary schema",
        "secondary-roles": "no further role of the user adds its rights to the session's",
        "reads-outside-schema": "nothing outside the Elementary schema can be read",
        "writes-inside-schema": "nothing inside the Elementary schema can be changed",
        "writes-outside-schema": "nothing outside the Elementary schema can be changed",
        "creates-objects": "nothing can be created",
        "temporary-objects": "no temporary tables can be created on the server",
        "ownership": "nothing is owned by the user or a reachable role",
        "future-grants": "objects that are created later will not widen the access",
        "objects-reaching-outside": "no view or table of the schema lends its owner's rights to data outside",
        "definer-functions": "no function or procedure lends its owner's rights",
        "foreign-servers": "no other server can be reached through the warehouse",
        "server-functions": "no function reaches the server's files, processes or settings",
        "untrusted-languages": "no function runs in a language that escapes the database",
        "other-databases": "no other database can be entered",
        "other-privileges": "no privilege is held that reading does not need",
        "link-encrypted": "the link to the warehouse is encrypted",
        "tls-version": "the link uses TLS 1.2 or newer",
        "certificate-verified": "the client verifies the warehouse's certificate",
        "client-address": "the warehouse sees an address that the author allowed",
        "canary-reads": "reads outside the Elementary schema were tried and denied",
    }
)

#: Checks of something that only some warehouses have: dbt's names of those, and what it is. On any other warehouse of
#: the registry such a check does not apply where its inspector gives no answer.
ONLY_ON: Mapping[str, tuple[frozenset[str], str]] = MappingProxyType(
    {"secondary-roles": (frozenset({"snowflake"}), "secondary roles")}
)


@dataclass(frozen=True)
class AccessFinding:
    """The outcome of one check.

    :param name: one of :data:`CHECKS`.
    :param status: ``pass``, ``fail``, ``warning`` for a fail that a person accepted, ``unknown`` if the warehouse did
        not answer, or ``not applicable`` where there is nothing to check.
    :param evidence: what was seen, in a sentence; never a secret or a data row.
    :param remediation: what to change; empty if the check passed.
    :param excess: each excess privilege, sorted; a long list is truncated.
    :param accepted: why a person accepted the fail.
    """

    name: str
    status: Status
    evidence: str
    remediation: str = ""
    excess: tuple[str, ...] = ()
    accepted: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON-ready values."""
        return {
            "name": self.name,
            "status": self.status,
            "evidence": self.evidence,
            "remediation": self.remediation,
            "excess": list(self.excess),
            **({"accepted": self.accepted} if self.accepted else {}),
        }


@dataclass(frozen=True)
class AccessReport:
    """What a connection could do at one moment.

    :param dialect: the warehouse's SQL, as in ``postgres``.
    :param database: the database that holds the Elementary schema, if the warehouse has such a level.
    :param schema: the Elementary schema.
    :param user: the session's user, as the warehouse names it.
    :param roles: the other reachable roles, sorted.
    :param checked_at: when the check ran, in UTC.
    :param findings: one per check, in the order of :data:`CHECKS`.
    """

    dialect: str
    database: str | None
    schema: str
    user: str
    roles: tuple[str, ...]
    checked_at: datetime
    findings: tuple[AccessFinding, ...]

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @property
    def passed(self) -> tuple[AccessFinding, ...]:
        """The findings that passed."""
        return tuple(finding for finding in self.findings if finding.status == "pass")

    @property
    def warnings(self) -> tuple[AccessFinding, ...]:
        """The findings that failed and were accepted."""
        return tuple(finding for finding in self.findings if finding.status == "warning")

    @property
    def applicable(self) -> int:
        """How many checks apply."""
        return sum(finding.status != "not applicable" for finding in self.findings)

    @property
    def headline(self) -> str:
        """How many of the checks that apply pass, and how many do not."""
        return headline(Counter(finding.status for finding in self.findings))

    @property
    def failed(self) -> tuple[AccessFinding, ...]:
        """The findings that failed."""
        return tuple(finding for finding in self.findings if finding.status == "fail")

    @property
    def unknown(self) -> tuple[AccessFinding, ...]:
        """The findings of checks that the warehouse did not answer."""
        return tuple(finding for finding in self.findings if finding.status == "unknown")

    def finding(self, name: str) -> AccessFinding:
        """Return the finding of one check.

        :raises KeyError: the report holds none of that name.
        """
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    def accept(self, reasons: Mapping[str, str]) -> AccessReport:
        """Return the report with failed checks as warnings, where a person has accepted what they found.

        :param reasons: why, by the name of a check; or by one thing that it found, as :func:`drift` writes it
            (``reads-outside-schema: raw.users: SELECT through PUBLIC``): then anything else that it finds still fails.
        :raises ConfigurationError: a name is no check, or a reason is empty.
        """
        if wrong := sorted(key for key in reasons if key.split(": ")[0] not in CHECKS):
            raise ConfigurationError(
                f"accept_failed names no access check: {', '.join(map(repr, wrong))}. "
                f"The checks are: {', '.join(CHECKS)}."
            )
        if silent := sorted(key for key, reason in reasons.items() if not str(reason).strip()):
            raise ConfigurationError(f"accept_failed gives no reason for {', '.join(silent)}. Say why it is accepted.")
        return replace(self, findings=tuple(_accepted(finding, reasons) for finding in self.findings))

    def require(self, accept_unknown: Sequence[str] = ()) -> None:
        """Raise unless every check that applies passed; unknown is not pass.

        :param accept_unknown: names of checks that may be unknown; see :meth:`accept` for failed ones.
        :raises AccessDeniedError: a check failed, or is unknown and was not accepted; the message lists each of them.
        :raises AccessUnknownError: none failed, and one is unknown and was not accepted.
        :raises ConfigurationError: ``accept_unknown`` names a check that does not exist.
        """
        unknown_names = sorted(set(accept_unknown) - CHECKS.keys())
        if unknown_names:
            raise ConfigurationError(
                f"accept_unknown names no access check: {', '.join(map(repr, unknown_names))}. "
                f"The checks are: {', '.join(CHECKS)}."
            )
        stopping = [*self.failed, *(finding for finding in self.unknown if finding.name not in accept_unknown)]
        if stopping:
            raise (AccessDeniedError if self.failed else AccessUnknownError)(self._refusal(stopping))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values, for a manifest."""
        return {
            "dialect": self.dialect,
            "database": self.database,
            "schema": self.schema,
            "user": self.user,
            "roles": list(self.roles),
            "checked_at": self.checked_at.isoformat(),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AccessReport:
        """Return the report that :meth:`to_dict` described.

        :raises ValueError: the report is not valid; the message repeats no value.
        """
        try:
            return _adapter().validate_json(json.dumps(data, allow_nan=False))
        except ValidationError as error:
            raise ValueError(f"The access report is not valid: {error.error_count()} fields are wrong.") from None

    def _refusal(self, stopping: Sequence[AccessFinding]) -> str:
        lines = [
            f"{len(stopping)} of {self.applicable} access checks do not pass for {self.user!r}, which may read the "
            f"schema {self.schema!r} and nothing else:"
        ]
        for finding in stopping:
            lines.append(f"- {finding.name} ({finding.status}): {finding.evidence}")
            if finding.remediation:
                lines.append(f"  To fix it: {finding.remediation}")
        if any(finding.status == "unknown" for finding in stopping):
            lines.append("After you have verified an unknown check yourself, name it in accept_unknown.")
        return "\n".join(lines)


def headline(counts: Mapping[str, int]) -> str:
    """Return how many of the checks that apply pass, from the number of checks by status."""
    applying = sum(counts.values()) - counts.get("not applicable", 0)
    others = [("fail", "fail"), ("unknown", "unknown"), ("warning", "accepted as a warning")]
    details = [f"{counts[status]} {words}" for status, words in others if counts.get(status)]
    return ", ".join([f"{counts.get('pass', 0)} of {applying} checks pass", *details])


def _accepted(finding: AccessFinding, reasons: Mapping[str, str]) -> AccessFinding:
    if finding.status != "fail":
        return finding
    reason = reasons.get(finding.name)
    each = [reasons.get(f"{finding.name}: {privilege}") for privilege in finding.excess]
    # A long list is truncated, so that not everything in it can have been accepted.
    if reason is None and each and all(each) and len(each) < LISTED:
        reason = "; ".join(dict.fromkeys(str(one) for one in each))
    return finding if reason is None else replace(finding, status="warning", accepted=reason)


@cache
def _adapter() -> TypeAdapter[AccessReport]:
    return TypeAdapter(AccessReport)


@dataclass(frozen=True)
class AccessDrift:
    """What changed between two reports: lines as in ``reads-outside-schema: raw.users: SELECT through PUBLIC``.

    :param appeared: what the current report holds and the previous did not.
    :param gone: what the previous report held and the current does not.
    """

    appeared: tuple[str, ...]
    gone: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.appeared or self.gone)


def drift(previous: AccessReport, current: AccessReport) -> AccessDrift:
    """Compare two reports.

    :param previous: the older report, from a manifest for instance.
    :param current: the newer one.
    """
    before, after = _facts(previous), _facts(current)
    return AccessDrift(
        appeared=tuple(fact for fact in after if fact not in before),
        gone=tuple(fact for fact in before if fact not in after),
    )


def _facts(report: AccessReport) -> dict[str, None]:
    """Return the facts of a report in a stable order, without counts and times."""
    place = ".".join(part for part in (report.database, report.schema) if part)
    facts = [
        f"session: {report.user} on {report.dialect} {place}",
        *(f"reachable role: {role}" for role in report.roles),
    ]
    for finding in report.findings:
        if finding.status not in ("pass", "not applicable"):
            facts.append(f"{finding.name}: {finding.status}")
        facts.extend(f"{finding.name}: {privilege}" for privilege in finding.excess)
    return dict.fromkeys(facts)
