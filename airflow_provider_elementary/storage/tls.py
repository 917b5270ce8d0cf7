"""Requires TLS with a verified certificate of AWS clients."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import NoRegionError

from airflow_provider_elementary.exceptions import StoreRefusedError


def require_tls(client: Any) -> None:
    """Refuse a boto3 client whose requests could be read or answered by others.

    The client itself is checked, as its endpoint may come from the connection, the environment or a configuration file.

    :raises StoreRefusedError: its endpoint is plain HTTP, or the server's certificate is not verified.
    """
    endpoint = urlsplit(client.meta.endpoint_url)
    service = client.meta.service_model.service_id
    if endpoint.scheme != "https":
        raise StoreRefusedError(
            f"The {service} endpoint {endpoint.scheme}://{endpoint.hostname} has no TLS. Use an https endpoint in the "
            f"connection's endpoint_url, and in AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_{service.upper()} of the "
            "environment and the AWS configuration file."
        )
    # An empty text switches the check off too, as in REQUESTS_CA_BUNDLE="".
    if not client._endpoint.http_session._verify:
        raise StoreRefusedError(
            f"The certificate of {endpoint.hostname} ({service}) is not verified. Name the file of its authority in "
            "`verify` of the connection, or leave it out; and do not set AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE to "
            "an empty value."
        )


def require_tls_of_roles(session: Any, **options: Any) -> None:
    """Refuse a boto3 session that would ask STS for a role's credentials without TLS.

    :param options: how its STS client is made.
    :raises StoreRefusedError: as for :func:`require_tls`.
    """
    try:
        client = session.client("sts", **options)
    except NoRegionError:
        # Without a region, no such client can ask anything.
        return
    require_tls(client)
