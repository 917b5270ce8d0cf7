"""Lists the libpq parameters that connections pass on or may not."""

from __future__ import annotations

from collections.abc import Mapping

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
