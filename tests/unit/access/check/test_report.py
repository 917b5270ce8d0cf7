"""The report of an access check: its verdict, its words, its way through JSON, and drift."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_provider_elementary.access import AccessFinding, AccessReport, drift
from airflow_provider_elementary.access.check.report import CHECKS
from airflow_provider_elementary.exceptions import AccessDeniedError, ConfigurationError

PASSED = AccessFinding("ownership", "pass", "nothing is owned")
OPEN = AccessFinding(
    "reads-outside-schema",
    "fail",
    "raw.users: SELECT through reader",
    "REVOKE SELECT ON raw.users FROM reader;",
    ("raw.users: SELECT through reader",),
)
UNKNOWN = AccessFinding("certificate-verified", "unknown", "the driver does not say", "Use sslmode=verify-full.")


def report_of(*findings: AccessFinding) -> AccessReport:
    return AccessReport(
        dialect="postgres",
        database="wh",
        schema="elementary",
        user="reader",
        roles=("elementary_reader",),
        checked_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        findings=findings,
    )


def test_a_report_without_failed_checks_raises_nothing() -> None:
    report_of(PASSED).require()


def test_a_failed_check_raises_with_its_evidence_and_remediation() -> None:
    with pytest.raises(AccessDeniedError) as refusal:
        report_of(PASSED, OPEN).require()

    assert str(refusal.value) == (
        "1 of 2 access checks do not pass for 'reader', which may read the schema 'elementary' and nothing else:\n"
        "- reads-outside-schema (fail): raw.users: SELECT through reader\n"
        "  To fix it: REVOKE SELECT ON raw.users FROM reader;"
    )


def test_an_unknown_check_stops_too() -> None:
    with pytest.raises(AccessDeniedError, match=r"certificate-verified \(unknown\)[\s\S]*accept_unknown"):
        report_of(UNKNOWN).require()


def test_an_unknown_check_that_was_accepted_does_not_stop() -> None:
    report_of(UNKNOWN).require(accept_unknown=["certificate-verified"])


def test_a_failed_check_cannot_be_accepted() -> None:
    with pytest.raises(AccessDeniedError):
        report_of(OPEN).require(accept_unknown=["reads-outside-schema"])


def test_accepting_a_check_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="names no access check: 'certificate'"):
        report_of(PASSED).require(accept_unknown=["certificate"])


def test_a_report_survives_json() -> None:
    report = report_of(PASSED, OPEN, UNKNOWN)

    assert AccessReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_the_names_of_checks_are_kebab_case_and_their_claims_sentences() -> None:
    assert all(name == name.lower().replace("_", "-").replace(" ", "-") for name in CHECKS)


def test_two_equal_reports_have_no_drift() -> None:
    earlier, later = report_of(OPEN), replace(report_of(OPEN), checked_at=datetime(2026, 11, 23, tzinfo=UTC))

    assert not drift(earlier, later)


def test_evidence_of_a_pass_may_change_without_drift() -> None:
    assert not drift(report_of(PASSED), report_of(replace(PASSED, evidence="still nothing")))


def test_drift_lists_what_appeared_and_what_is_gone() -> None:
    change = drift(report_of(PASSED, UNKNOWN), replace(report_of(PASSED, OPEN), roles=()))

    assert change.appeared == ("reads-outside-schema: fail", "reads-outside-schema: raw.users: SELECT through reader")
    assert change.gone == ("reachable role: elementary_reader", "certificate-verified: unknown")


UNUSED = AccessFinding("secondary-roles", "not applicable", "PostgreSQL has none")


def test_a_check_that_does_not_apply_is_not_counted_and_stops_nothing() -> None:
    report = report_of(PASSED, UNUSED, UNUSED)

    report.require()
    assert report.headline == "1 of 1 checks pass"
    assert drift(report_of(PASSED), report).appeared == ()


def test_an_accepted_failure_is_a_warning_with_its_reason_and_never_a_pass() -> None:
    report = report_of(PASSED, OPEN).accept({"reads-outside-schema": "agreed with the owner"})

    report.require()
    (warning,) = report.warnings
    assert (warning.status, warning.accepted, warning.excess) == ("warning", "agreed with the owner", OPEN.excess)
    assert report.headline == "1 of 2 checks pass, 1 accepted as a warning"
    assert AccessReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_one_accepted_privilege_accepts_no_other() -> None:
    reasons = {"reads-outside-schema: raw.users: SELECT through reader": "a public table"}
    wider = replace(OPEN, excess=(*OPEN.excess, "raw.orders: SELECT through reader"))

    assert report_of(OPEN).accept(reasons).failed == ()
    assert report_of(wider).accept(reasons).failed == (wider,)


def test_a_truncated_list_of_privileges_is_not_accepted_one_by_one() -> None:
    many = replace(OPEN, excess=tuple(f"raw.t{i}: SELECT" for i in range(100)))

    assert report_of(many).accept({f"{many.name}: {each}": "fine" for each in many.excess}).failed == (many,)


@pytest.mark.parametrize("reasons", [{"no-such-check": "x"}, {"ownership": " "}, {"raw.users": "x"}])
def test_a_failure_is_accepted_only_by_the_name_of_a_check_and_with_a_reason(reasons: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="accept_failed"):
        report_of(PASSED).accept(reasons)


def test_an_unknown_check_is_not_accepted_as_a_failure() -> None:
    assert report_of(UNKNOWN).accept({"certificate-verified": "x"}).unknown == (UNKNOWN,)
