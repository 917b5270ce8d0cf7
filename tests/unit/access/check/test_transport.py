"""The checks on the link, put together from what both of its ends see."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.access.check.findings import Link
from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.access.check.transport import allowed_networks, evaluate_link
from airflow_provider_elementary.exceptions import ConfigurationError

VERIFIED = TransportFacts(True, "TLSv1.3", True, "verify-full")
CARELESS = TransportFacts(True, "TLSv1.3", False, "require")
PLAIN = TransportFacts(False, None, False, "disable")
SILENT = TransportFacts(None, None, None, "the driver says nothing")

PASS, FAIL, UNKNOWN, UNUSED = "pass", "fail", "unknown", "not applicable"

#: The link as the warehouse sees it, as the client knows it, and the outcome: encrypted, version, certificate.
OUTCOMES = [
    (Link(encrypted=True, version="TLSv1.3"), VERIFIED, (PASS, PASS, PASS)),
    (Link(encrypted=True, version="TLSv1.2"), CARELESS, (PASS, PASS, FAIL)),
    (Link(encrypted=True, version="TLSv1.1"), VERIFIED, (PASS, FAIL, PASS)),
    (Link(encrypted=True, version="TLSv1"), VERIFIED, (PASS, FAIL, PASS)),
    (Link(encrypted=True, version="TLSv1.3"), None, (PASS, PASS, UNKNOWN)),
    (Link(encrypted=False), VERIFIED, (FAIL, PASS, PASS)),
    (Link(encrypted=False), PLAIN, (FAIL, FAIL, FAIL)),
    (Link(encrypted=True, version="TLSv1.3"), PLAIN, (FAIL, PASS, FAIL)),
    (Link(), VERIFIED, (PASS, PASS, PASS)),
    (Link(), PLAIN, (FAIL, FAIL, FAIL)),
    (Link(), SILENT, (UNKNOWN, UNKNOWN, UNKNOWN)),
    (Link(), None, (UNKNOWN, UNKNOWN, UNKNOWN)),
    (Link(local="Unix socket, no network"), None, (UNUSED, UNUSED, UNUSED)),
]


@pytest.mark.parametrize(("link", "transport", "expected"), OUTCOMES)
def test_a_link_is_evaluated_by_both_of_its_ends(
    link: Link, transport: TransportFacts | None, expected: tuple[str, str, str]
) -> None:
    findings = evaluate_link(link, transport, allowed=())

    assert tuple(finding.status for finding in findings[:3]) == expected


@pytest.mark.parametrize(
    ("address", "allowed", "status"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], PASS),
        ("10.1.2.3", ["192.0.2.1", "10.1.2.3"], PASS),
        ("192.0.2.2", ["192.0.2.1", "10.0.0.0/8"], FAIL),
        ("2001:db8::1", ["2001:db8::/32"], PASS),
        ("2001:db8::1", ["10.0.0.0/8"], FAIL),
        ("10.1.2.3", [], UNUSED),
        (None, [], UNUSED),
        (None, ["10.0.0.0/8"], UNKNOWN),
    ],
)
def test_the_clients_address_is_held_against_the_allow_list(
    address: str | None, allowed: list[str], status: str
) -> None:
    finding = evaluate_link(Link(client_address=address), VERIFIED, allowed_networks(allowed))[3]

    assert finding.status == status


def test_a_missing_allow_list_is_said() -> None:
    finding = evaluate_link(Link(client_address="10.0.0.5"), VERIFIED, allowed=())[3]

    assert finding.evidence == "no allow-list configured; the warehouse sees 10.0.0.5"


def test_an_allow_list_with_a_name_in_it_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Allowed address 'example\.com'"):
        allowed_networks(["10.0.0.0/8", "example.com"])
