"""Makes libpq's parameters of an Airflow connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.hooks.timeouts import LIBPQ_DEFAULTS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_elementary.access.check.session import TransportFacts

#: As libpq 17 knows them.
PASSED = frozenset(
    "application_name channel_binding connect_timeout fallback_application_name gssdelegation gssencmode gsslib "
    "hostaddr keepalives keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts options "
    "require_auth requirepeer ssl_max_protocol_version ssl_min_protocol_version sslcert sslcertmode sslcrl sslcrldir "
    "sslkey sslmode sslnegotiation sslpassword sslrootcert sslsni target_session_attrs tcp_user_timeout".split()
)

_OWN_FIELD = "Use the connection's own field for it."
_SECRETS = "Keep host, login and password in the Airflow connection."
#: Why each of the others is refused, and what to do instead.
REFUSED: Mapping[str, str] = {
    "client_encoding": "The driver reads UTF-8 only: remove it.",
    "dbname": "Use elementary_database, or the connection's own field for the database.",
    "host": _OWN_FIELD,
    "max_protocol_version": "The driver chooses the protocol's version: remove it.",
    "min_protocol_version": "The driver chooses the protocol's version: remove it.",
    "passfile": _SECRETS,
    "password": _OWN_FIELD,
    "port": _OWN_FIELD,
    "replication": "The sync reads by SQL only: remove it.",
    "requiressl": "Use sslmode.",
    "service": _SECRETS,
    "servicefile": _SECRETS,
    "scram_client_key": _SECRETS,
    "scram_server_key": _SECRETS,
    "sslcompression": "TLS compression is not safe: remove it.",
    "sslkeylogfile": "It writes the session's keys to a file: remove it.",
    "user": _OWN_FIELD,
}
_PLAINTEXT_SSLMODES = frozenset({"disable", "allow", "prefer"})


def libpq_options(connection: Connection) -> dict[str, str]:
    """Return libpq's options from the connection's extra; by default the certificate is verified."""
    extra = connection.extra_dejson
    for name in extra.keys() & REFUSED.keys():
        raise ConfigurationError(
            f"Connection {connection.conn_id!r} has the libpq parameter {name!r} in its extra, which is not passed on. "
            f"{REFUSED[name]}"
        )
    options = {**LIBPQ_DEFAULTS, **{name: str(value) for name, value in extra.items() if name in PASSED}}
    options.setdefault("application_name", "airflow-provider-elementary")
    if not _is_socket(connection.host):
        options.setdefault("sslmode", "verify-full")
        options.setdefault("ssl_min_protocol_version", "TLSv1.2")
        if options["sslmode"] in ("verify-full", "verify-ca") and "sslrootcert" not in options:
            import certifi

            options["sslrootcert"] = certifi.where()
    return options


def postgres_uri(
    connection: Connection,
    login: tuple[str | None, str | None, int | None],
    database: str | None,
    options: Mapping[str, str],
) -> str:
    """Return libpq's URI of a connection.

    :param login: user, password and port.
    :param options: of :func:`libpq_options`.
    """
    host = connection.host or "localhost"
    name, password, port = login[0], login[1], login[2] or 5432
    user = quote(name or "", safe="") + (f":{quote(password, safe='')}" if password else "")
    # A socket's path and an IPv6 address, which may name an interface, are no valid host in a URI.
    apart = _is_socket(host) or ":" in host
    query = {"host": host.removeprefix("[").removesuffix("]"), **options} if apart else dict(options)
    location = f":{port}" if apart else f"{host}:{port}"
    return f"postgresql://{user}@{location}/{quote(database or '', safe='')}?{urlencode(query, quote_via=quote)}"


def postgres_transport(connection: Connection, options: Mapping[str, str]) -> TransportFacts:
    """Return how these options protect the link."""
    from airflow_provider_elementary.access.check.session import TransportFacts

    if _is_socket(connection.host):
        return TransportFacts(None, None, None, "local socket, no network")
    mode = options["sslmode"]
    return TransportFacts(
        encrypted=mode not in _PLAINTEXT_SSLMODES,
        version=options.get("ssl_min_protocol_version"),
        certificate_verified=mode == "verify-full",
        detail=f"sslmode={mode}",
    )


def _is_socket(host: str | None) -> bool:
    return bool(host) and str(host).startswith("/")
