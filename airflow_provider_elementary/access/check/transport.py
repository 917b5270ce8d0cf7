"""How the link between client and warehouse is protected, put together from what both ends see."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from airflow_provider_elementary.access.check.findings import Hole, Link, judge, settled, unanswered
from airflow_provider_elementary.access.check.report import Finding
from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.exceptions import ConfigurationError

Network = IPv4Network | IPv6Network

_OUTDATED = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"})
_REQUIRE_TLS = "Require TLS 1.2 or newer with verification in the connection (PostgreSQL: sslmode=verify-full)."


def allowed_networks(addresses: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks of an allow-list.

    :param addresses: IP addresses and CIDR ranges.
    :raises ConfigurationError: one is neither.
    """
    networks = []
    for address in addresses:
        try:
            networks.append(ip_network(address, strict=False))
        except ValueError:
            raise ConfigurationError(
                f"Expected IP addresses or CIDR ranges as allowed addresses, found {address!r}. "
                "Write 10.0.0.0/8 or 10.0.0.5."
            ) from None
    return tuple(networks)


def judge_link(link: Link, transport: TransportFacts | None, allowed: Sequence[Network]) -> list[Finding]:
    """Return the findings on the link.

    :param link: how the warehouse sees it.
    :param transport: how the client protects it.
    :param allowed: where the client may come from; empty where the author set no list.
    """
    if link.local:
        return settled(["link-encrypted", "tls-version", "certificate-verified", "client-address"], link.local)
    return [
        _encrypted(link, transport),
        _version(link, transport),
        _verified(transport),
        _address(link.client_address, allowed),
    ]


def _encrypted(link: Link, transport: TransportFacts | None) -> Finding:
    # Both ends are asked: behind a proxy either one sees only its own half.
    holes = []
    if link.encrypted is False:
        holes.append(Hole("link-encrypted", "the warehouse sees a link without TLS", _REQUIRE_TLS))
    if transport and transport.encrypted is False:
        what = f"the client would take a link without TLS: {transport.detail}"
        holes.append(Hole("link-encrypted", what, _REQUIRE_TLS))
    if holes or link.encrypted:
        return judge("link-encrypted", holes, "the warehouse sees an encrypted link")
    if transport and transport.encrypted:
        return Finding("link-encrypted", "pass", f"the client insists on TLS: {transport.detail}")
    return unanswered("link-encrypted", "neither the warehouse nor the driver tells", _REQUIRE_TLS)


def _version(link: Link, transport: TransportFacts | None) -> Finding:
    version = link.version or (transport.version if transport else None)
    if version is None:
        if link.encrypted is False or (transport and transport.encrypted is False):
            return judge("tls-version", [Hole("tls-version", "no TLS at all", _REQUIRE_TLS)], "")
        return unanswered("tls-version", "neither the warehouse nor the driver tells the version", _REQUIRE_TLS)
    holes = [Hole("tls-version", version, _REQUIRE_TLS)] if version in _OUTDATED else []
    return judge("tls-version", holes, version)


def _verified(transport: TransportFacts | None) -> Finding:
    if transport is None or transport.certificate_verified is None:
        return unanswered("certificate-verified", "the driver does not tell, and no server can", _REQUIRE_TLS)
    holes = [] if transport.certificate_verified else [Hole("certificate-verified", transport.detail, _REQUIRE_TLS)]
    return judge("certificate-verified", holes, transport.detail)


def _address(address: str | None, allowed: Sequence[Network]) -> Finding:
    if not allowed:
        seen = address or "no address"
        return Finding("client-address", "pass", f"no allow-list configured; the warehouse sees {seen}")
    if address is None:
        return unanswered("client-address", "the warehouse does not tell which address it sees")
    if any(ip_address(address) in network for network in allowed):
        return Finding("client-address", "pass", f"the warehouse sees {address}, which is allowed")
    mend = "Send the sync through an allowed address, or add this one to the list."
    return judge("client-address", [Hole("client-address", f"{address} is not in the allow-list", mend)], "")
