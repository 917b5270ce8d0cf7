"""Opens warehouses whose links are protected as their connections' extra says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elementary.hooks.connections import WarehouseConnection, open_with_dbapi_hook

if TYPE_CHECKING:
    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.warehouses.warehouse import Warehouse


def open_trino(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on Trino; Airflow's hook uses plain HTTP unless the extra field ``protocol`` is ``https``."""
    extra = connection.extra_dejson
    verifies = str(extra.get("verify", True)).lower() not in ("false", "none", "0", "")
    link = _http_link(extra.get("protocol", "http") == "https", verifies, f"protocol={extra.get('protocol', 'http')}")
    return open_with_dbapi_hook(connection, schema, database, link)


def open_databricks(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on Databricks, over TLS unless the extra names another address."""
    extra = connection.extra_dejson
    verifies = not extra.get("_tls_no_verify", False) and bool(extra.get("_tls_verify_hostname", True))
    is_secure = not str(extra.get("_connection_uri", "")).startswith("http:")
    return open_with_dbapi_hook(connection, schema, database, _http_link(is_secure, verifies, "Databricks' driver"))


def open_athena(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on Athena, over TLS unless the extra names another address."""
    extra = connection.extra_dejson
    # Boto ignores use_ssl where an address is given.
    address = extra.get("endpoint_url")
    is_secure = str(address).startswith("https:") if address else extra.get("use_ssl", True) is not False
    verifies = extra.get("verify", True) is not False
    from airflow_provider_elementary.warehouses.athena import AthenaWarehouse

    link = _http_link(is_secure, verifies, "AWS's client")
    return open_with_dbapi_hook(connection, schema, database, link, AthenaWarehouse)


def _http_link(is_secure: bool, verifies: bool, detail: str) -> TransportFacts:
    from airflow_provider_elementary.access.check.session import TransportFacts

    return TransportFacts(
        encrypted=is_secure,
        # Python's ssl module agrees to nothing older since 3.10.
        version="TLSv1.2 or newer" if is_secure else None,
        certificate_verified=is_secure and verifies,
        detail=f"{detail}, {'https' if is_secure else 'http'}",
    )
