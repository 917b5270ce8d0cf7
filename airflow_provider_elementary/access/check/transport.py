"""Evaluates how the link to the warehouse is protected."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from airflow_provider_elementary.access.check.findings import (
    ExcessPrivilege,
    Link,
    answered_finding,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.exceptions import ConfigurationError

Network = IPv4Network | IPv6Network

_OUTDATED = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"})
_REQUIRE_TLS = "Require TLS 1.2 or newer with verification in the connection (PostgreSQL: sslmode=verify-full)."


def allowed_networks(addresses: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks of an allow-list.

    :param addresses: IP addresses and CIDR ranges.
    :raises ConfigurationError: an address is neither.
    """
    networks = []
    for address in addresses:
        try:
            networks.append(ip_network(address, strict=False))
        except ValueError:
            raise ConfigurationError(
                f"Allowed address {address!r} is not an IP address or CIDR range. Write 10.0.0.0/8 or 10.0.0.5."
            ) from None
    return tuple(networks)


def evaluate_link(link: Link, transport: TransportFacts | None, allowed: Sequence[Network]) -> list[AccessFinding]:
    """Return the findings on the link.

    :param link: the link as the warehouse sees it.
    :param transport: how the client protects the link.
    :param allowed: where the client may connect from; empty if no list is configured.
    """
    if link.local:
        return not_applicable(["link-encrypted", "tls-version", "certificate-verified", "client-address"], link.local)
    return [
        _encrypted(link, transport),
        _version(link, transport),
        _verified(transport),
        _address(link.client_address, allowed),
    ]


def _encrypted(link: Link, transport: TransportFacts | None) -> AccessFinding:
    # Both ends count: behind a proxy, each sees only its own half of the link.
    excess = []
    if link.encrypted is False:
        excess.append(ExcessPrivilege("link-encrypted", "the warehouse sees a link without TLS", _REQUIRE_TLS))
    if transport and transport.encrypted is False:
        what = f"the client would connect without TLS: {transport.detail}"
        excess.append(ExcessPrivilege("link-encrypted", what, _REQUIRE_TLS))
    if excess or link.encrypted:
        return answered_finding("link-encrypted", excess, "the warehouse sees an encrypted link")
    if transport and transport.encrypted:
        return AccessFinding("link-encrypted", "pass", f"the client requires TLS: {transport.detail}")
    return unanswered(
        "link-encrypted", "neither the warehouse nor the driver says whether the link uses TLS", _REQUIRE_TLS
    )


def _version(link: Link, transport: TransportFacts | None) -> AccessFinding:
    version = link.version or (transport.version if transport else None)
    if version is None:
        if link.encrypted is False or (transport and transport.encrypted is False):
            return answered_finding("tls-version", [ExcessPrivilege("tls-version", "no TLS at all", _REQUIRE_TLS)], "")
        return unanswered("tls-version", "neither the warehouse nor the driver reports the TLS version", _REQUIRE_TLS)
    excess = [ExcessPrivilege("tls-version", version, _REQUIRE_TLS)] if version in _OUTDATED else []
    return answered_finding("tls-version", excess, version)


def _verified(transport: TransportFacts | None) -> AccessFinding:
    if transport is None or transport.certificate_verified is None:
        return unanswered("certificate-verified", "the driver does not say, and the server cannot know", _REQUIRE_TLS)
    excess = (
        []
        if transport.certificate_verified
        else [ExcessPrivilege("certificate-verified", transport.detail, _REQUIRE_TLS)]
    )
    return answered_finding("certificate-verified", excess, transport.detail)


def _address(address: str | None, allowed: Sequence[Network]) -> AccessFinding:
    if not allowed:
        seen = address or "no address"
        return AccessFinding("client-address", "not applicable", f"no allow-list configured; the warehouse sees {seen}")
    if address is None:
        return unanswered("client-address", "the warehouse does not report the client's address")
    if any(ip_address(address) in network for network in allowed):
        return AccessFinding("client-address", "pass", f"the warehouse sees {address}, which is allowed")
    remediation = "Run the sync from an allowed address, or add this one to the list."
    return answered_finding(
        "client-address", [ExcessPrivilege("client-address", f"{address} is not in the allow-list", remediation)], ""
    )
