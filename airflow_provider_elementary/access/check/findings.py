"""Evaluates what the inspection of a warehouse found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_elementary.access.check.report import CHECKS, LISTED, ONLY_ON, AccessFinding
from airflow_provider_elementary.warehouses.registry import by_adapter

_QUOTED = 5

DEDICATED_ROLE = "Connect as a role that was made for this sync: `airflow-elementary grants` prints the statements."


@dataclass(frozen=True)
class ExcessPrivilege:
    """One right that the session has and does not need.

    :param finding: the check that it fails.
    :param what: the object and the right, in a few words.
    :param remediation: the statement or the step that removes it.
    :param through: the role that the right comes through, if it is not the user itself.
    """

    finding: str
    what: str
    remediation: str
    through: str | None = None


@dataclass(frozen=True)
class Canary:
    """One read that must be denied.

    :param name: what is read, as a person writes it.
    :param statement: a query of it that returns no row; None if it cannot be tried.
    :param exists: whether the system catalog has it; None if the system catalog does not answer.
    """

    name: str
    statement: str | None
    exists: bool | None


@dataclass(frozen=True)
class Link:
    """The link as the warehouse sees it.

    :param local: why there is no network between client and warehouse; None if there is one.
    :param encrypted: whether the warehouse sees TLS; None if it does not say.
    :param version: the protocol that it sees, as in ``TLSv1.3``.
    :param client_address: where it sees the client.
    """

    local: str | None = None
    encrypted: bool | None = None
    version: str | None = None
    client_address: str | None = None


@dataclass(frozen=True)
class Inspection:
    """What one warehouse answered.

    :param user: the session's user, as the warehouse names it.
    :param roles: the other reachable roles.
    :param findings: in any order; a check without a finding becomes unknown.
    :param link: the link as the warehouse sees it.
    :param canaries: what to try to read; empty if nothing outside the schema is known.
    """

    user: str
    roles: Sequence[str]
    findings: Sequence[AccessFinding]
    link: Link
    canaries: Sequence[Canary]


def answered_finding(
    name: str, excess: Sequence[ExcessPrivilege], proof: str, *, total: int | None = None
) -> AccessFinding:
    """Return the finding of a check that the warehouse answered in full.

    :param name: the check.
    :param excess: the privileges that should not be there; none means that the check passes.
    :param proof: the evidence of a pass.
    :param total: the number of excess privileges, if not all were fetched.
    """
    if not excess:
        return AccessFinding(name, "pass", proof)
    whats = sorted({privilege.what for privilege in excess})
    return AccessFinding(
        name,
        "fail",
        _some(whats, max(total or 0, len(whats))),
        _some(list(dict.fromkeys(privilege.remediation for privilege in excess)), separator=" ", limit=3),
        tuple(whats[:LISTED]),
    )


def count_wider_roles(
    findings: Iterable[AccessFinding], excess: Sequence[ExcessPrivilege], own: Iterable[str | None]
) -> list[AccessFinding]:
    """Add to the memberships each role through which another check fails.

    :param findings: ``role-memberships`` among them.
    :param excess: the excess privileges of all checks.
    :param own: the grantees that are no membership: the user, and PUBLIC.
    """
    memberships = [privilege for privilege in excess if privilege.finding == "role-memberships"]
    named = {None, *own, *(privilege.through for privilege in memberships)}
    for privilege in excess:
        if privilege.through not in named:
            named.add(privilege.through)
            what = f"member of {privilege.through}, which fails {privilege.finding}"
            remediation = f"Revoke {privilege.through} from the user, or fix {privilege.finding}."
            memberships.append(ExcessPrivilege("role-memberships", what, remediation, privilege.through))
    return [
        answered_finding(finding.name, memberships, finding.evidence) if finding.name == "role-memberships" else finding
        for finding in findings
    ]


def unanswered(name: str, evidence: str, remediation: str = "") -> AccessFinding:
    """Return the finding of a check that the warehouse did not answer."""
    return AccessFinding(name, "unknown", evidence, remediation)


def passed(names: Iterable[str], evidence: str) -> list[AccessFinding]:
    """Return a pass for several checks, for one reason."""
    return [AccessFinding(name, "pass", evidence) for name in names]


def not_applicable(names: Iterable[str], evidence: str) -> list[AccessFinding]:
    """Return that several checks do not apply, for one reason."""
    return [AccessFinding(name, "not applicable", evidence) for name in names]


def complete(findings: Iterable[AccessFinding], adapter: str) -> tuple[AccessFinding, ...]:
    """Return one finding per check in the order of the checks; one without an answer is unknown, if it can apply."""
    by_name = {finding.name: finding for finding in findings}
    return tuple(by_name.get(name) or _without_answer(name, claim, adapter) for name, claim in CHECKS.items())


def _without_answer(name: str, claim: str, adapter: str) -> AccessFinding:
    kind = by_adapter(adapter)
    if kind.key and name in ONLY_ON and adapter not in ONLY_ON[name][0]:
        return AccessFinding(name, "not applicable", f"{kind.label} has no {ONLY_ON[name][1]}")
    return unanswered(
        name,
        f"The system catalog of {kind.label} does not show whether {claim}.",
        "Verify it by hand, then name the check in accept_unknown.",
    )


def _some(items: Sequence[str], total: int | None = None, separator: str = "; ", limit: int = _QUOTED) -> str:
    rest = (len(items) if total is None else total) - min(len(items), limit)
    return separator.join(items[:limit]) + (f"{separator}… and {rest} more" if rest else "")
