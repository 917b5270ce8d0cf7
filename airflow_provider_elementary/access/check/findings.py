"""What a warehouse's examination hands to the access check: holes found, what to try, how the link looks from there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_elementary.access.check.report import CHECKS, ONLY_ON, Finding
from airflow_provider_elementary.warehouses.registry import by_dialect

#: More holes than this are counted, not listed.
LISTED = 100
_QUOTED = 5

DEDICATED_ROLE = "Connect as a role that was made for this sync: `airflow-elementary grants` prints the statements."


@dataclass(frozen=True)
class Hole:
    """One thing that is open and should not be.

    :param finding: the check that it fails.
    :param what: the object and the right, in a few words.
    :param mend: the statement or the step that closes it.
    :param through: the role that the right comes through, where that is another than the user.
    """

    finding: str
    what: str
    mend: str
    through: str | None = None


@dataclass(frozen=True)
class Canary:
    """One read that must be denied.

    :param name: what is read, as a person writes it.
    :param statement: a query of it that returns no row; None where it cannot be tried.
    :param exists: whether the catalogue knows it; None where the catalogue would not tell.
    """

    name: str
    statement: str | None
    exists: bool | None


@dataclass(frozen=True)
class Link:
    """The link as the warehouse sees it.

    :param local: why there is no network between client and warehouse; None where there is one.
    :param encrypted: whether the warehouse sees TLS; None where it would not tell.
    :param version: the protocol that it sees, as in ``TLSv1.3``.
    :param client_address: where it sees the client.
    """

    local: str | None = None
    encrypted: bool | None = None
    version: str | None = None
    client_address: str | None = None


@dataclass(frozen=True)
class Examination:
    """All that one warehouse told.

    :param user: who it says the session is.
    :param roles: the other roles in reach.
    :param findings: in any order; a check without one becomes unknown.
    :param link: how it sees the link.
    :param canaries: what to try to read; empty where nothing outside the schema is known.
    """

    user: str
    roles: Sequence[str]
    findings: Sequence[Finding]
    link: Link
    canaries: Sequence[Canary]


def judge(name: str, holes: Sequence[Hole], proof: str, *, total: int | None = None) -> Finding:
    """Return the finding of a check that the warehouse answered in full.

    :param name: the check.
    :param holes: what is open; none means that the check passes.
    :param proof: the evidence of a pass.
    :param total: how many holes there are where not all were fetched.
    """
    if not holes:
        return Finding(name, "pass", proof)
    whats = sorted({hole.what for hole in holes})
    return Finding(
        name,
        "fail",
        _some(whats, max(total or 0, len(whats))),
        _some(list(dict.fromkeys(hole.mend for hole in holes)), separator=" ", limit=3),
        tuple(whats[:LISTED]),
    )


def count_wider_roles(findings: Iterable[Finding], holes: Sequence[Hole], own: Iterable[str | None]) -> list[Finding]:
    """Count among the memberships each further role through which the hole of another check is open.

    :param findings: ``role-memberships`` among them.
    :param holes: of all checks.
    :param own: whose holes are no matter of membership: the user, and whoever stands for everybody.
    """
    memberships = [hole for hole in holes if hole.finding == "role-memberships"]
    named = {None, *own, *(hole.through for hole in memberships)}
    for hole in holes:
        if hole.through not in named:
            named.add(hole.through)
            what = f"member of {hole.through}, which fails {hole.finding}"
            mend = f"Take {hole.through} from the user, or mend {hole.finding}."
            memberships.append(Hole("role-memberships", what, mend, hole.through))
    return [
        judge(finding.name, memberships, finding.evidence) if finding.name == "role-memberships" else finding
        for finding in findings
    ]


def unanswered(name: str, evidence: str, mend: str = "") -> Finding:
    """Return the finding of a check that the warehouse would not answer."""
    return Finding(name, "unknown", evidence, mend)


def settled(names: Iterable[str], evidence: str) -> list[Finding]:
    """Return a pass for several checks, where one fact settles them all."""
    return [Finding(name, "pass", evidence) for name in names]


def complete(findings: Iterable[Finding], dialect: str) -> tuple[Finding, ...]:
    """Return one finding per check in the order of the checks; one without an answer is unknown, if it can apply."""
    by_name = {finding.name: finding for finding in findings}
    return tuple(by_name.get(name) or _without_answer(name, claim, dialect) for name, claim in CHECKS.items())


def _without_answer(name: str, claim: str, dialect: str) -> Finding:
    kind = by_dialect(dialect)
    if kind.key and name in ONLY_ON and dialect not in ONLY_ON[name][0]:
        return Finding(name, "pass", f"{kind.label} has no {ONLY_ON[name][1]}")
    return unanswered(
        name,
        f"The system catalog of {dialect} does not show whether {claim}.",
        "Verify it by hand, then name the check in accept_unknown.",
    )


def _some(items: Sequence[str], total: int | None = None, separator: str = "; ", limit: int = _QUOTED) -> str:
    rest = (len(items) if total is None else total) - min(len(items), limit)
    return separator.join(items[:limit]) + (f"{separator}… and {rest} more" if rest else "")
