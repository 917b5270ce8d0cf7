"""Explains why a login failed, without the driver's own text."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from airflow_provider_elementary.exceptions import LoginRefusedError, WarehouseError
from airflow_provider_elementary.warehouses.login_causes import (
    BY_DRIVER_NUMBER,
    BY_HTTP_STATUS,
    BY_SQLSTATE,
    BY_TEXT,
    BY_VERIFY_CODE,
    CAUSES,
    LoginCause,
)

#: How long to wait for a server when asking whether it listens, or which certificate it shows.
_PROBE_SECONDS = 3
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
#: A user, role or database that may be shown. Any other text may be a whole DSN with a password.
_NAME = re.compile(r"[\w.@+$-]{1,128}")
_QUOTED = re.compile(r"[\"'\u00ab\u00bb\u2018-\u201f](.+?)[\"'\u00ab\u00bb\u2018-\u201f]")
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")


@dataclass(frozen=True)
class Login:
    """What was tried; none of it is a secret.

    :param conn_id: the Airflow connection.
    :param kind: its type, as in ``postgres``.
    :param host: as the connection names it, if it does.
    :param ca_file: the authorities that the connection trusts, for a server that starts TLS as PostgreSQL does.
    """

    conn_id: str
    kind: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    database: str | None = None
    role: str | None = None
    ca_file: str | None = None

    def place(self) -> str:
        """Return the host and port as they may be shown."""
        if not self.host:
            return "the default address"
        if self.host.startswith("/"):
            return "a local socket"
        host = plain_host(self.host)
        return f"a host that is no plain name{_at(self.port)}" if host is None else f"{host}{_at(self.port)}"


def plain_host(host: str) -> str | None:
    """Return a host name or an address without brackets; None for what is neither, as a DSN pasted into the field."""
    bare = host.strip().removeprefix("[").removesuffix("]")
    with suppress(ValueError):
        # An address of IPv6 may carry the name of an interface.
        ipaddress.ip_address(bare)
        return bare
    return bare if _HOST_NAME.fullmatch(bare) else None


def login_error(login: Login, error: BaseException) -> WarehouseError:
    """Return the error to raise where a driver could not log in: the cause, and the remedy.

    Drivers share no base class for their errors, and their text may quote a DSN or a key. It is read here for known
    phrases, together with SQLSTATE, the driver's error number and the TLS library's codes, and never passed on.
    """
    cause, number = _diagnose(login, error)
    facts = {
        "place": login.place(),
        "user": _shown("user", login.user),
        "database": _shown("database", login.database),
        "role": _shown("role", login.role),
        "module": getattr(error, "name", None) or "of the warehouse",
    }
    code = f" ({number})" if number else ""
    raised = LoginRefusedError if cause.permanent else WarehouseError
    return raised(
        f"Cannot log in to the warehouse of connection {login.conn_id!r} ({login.kind} at {login.place()}): "
        f"{cause.fact.format(**facts)}{code}. {cause.remedy.format(**facts)}"
    )


def _diagnose(login: Login, error: BaseException) -> tuple[LoginCause, str]:
    """Return the cause and the number that the server or the driver gave it."""
    chain = list(_chain(error))
    number, cause = _by_number(chain)
    cause = _by_type(chain) or cause or _by_text(chain) or _by_state_or_status(chain) or _by_quoted_names(login, chain)
    if cause is None:
        return _by_probing(login), number or type(error).__name__
    if cause is CAUSES["certificate"] and login.ca_file and (code := _certificate_fault(login)) is not None:
        cause = BY_VERIFY_CODE.get(code, cause)
    if cause is CAUSES["host"] and login.host and ":" in (plain_host(login.host) or ""):
        cause = CAUSES["ipv6"]
    return cause, number


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that are behind it: as cause, as context, or kept by a driver as argument or reason."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        pending += [*one.args, one.__cause__, one.__context__]
        pending += [getattr(one, name, None) for name in ("reason", "orig", "cause", "original_exception")]


def _by_type(chain: list[BaseException]) -> LoginCause | None:
    """Return the cause that Python's own errors name: they are the most exact."""
    if isinstance(chain[0], ImportError):
        return CAUSES["driver"]
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return BY_VERIFY_CODE.get(one.verify_code, CAUSES["certificate"])
    for one in chain:
        if isinstance(one, socket.gaierror):
            return CAUSES["host"]
        if isinstance(one, ssl.SSLError):
            return CAUSES["tls"]
        if isinstance(one, ConnectionRefusedError):
            return CAUSES["refused"]
        if isinstance(one, TimeoutError):
            return CAUSES["timeout"]
        if isinstance(one, ConnectionError):
            return CAUSES["closed"]
        if isinstance(one, OSError) and one.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
            return CAUSES["route"]
        if isinstance(one, FileNotFoundError | PermissionError | IsADirectoryError):
            return CAUSES["file"]
    return None


def _by_number(chain: list[BaseException]) -> tuple[str, LoginCause | None]:
    """Return the first SQLSTATE or error number as it is shown, and the cause of a number that says one."""
    shown = ""
    # An operating system's numbers mean something else.
    for one in (one for one in chain if not isinstance(one, OSError)):
        for name in ("errno", "code", "vendor_code"):
            number = getattr(one, name, None)
            if isinstance(number, int | str) and str(number).isdecimal():
                if cause := BY_DRIVER_NUMBER.get(int(number)):
                    return f"error {number}", cause
                shown = shown or f"error {number}"
        if isinstance(first := next(iter(one.args), None), int) and (cause := BY_DRIVER_NUMBER.get(first)):
            return f"error {first}", cause
        if not shown and (state := _sqlstate(one)):
            shown = f"SQLSTATE {state}"
    return shown, None


def _sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error; Redshift's driver keeps it in a mapping."""
    first = next(iter(error.args), None)
    kept = first.get("C") if isinstance(first, Mapping) else None
    for state in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None), kept):
        if isinstance(state, str) and _SQLSTATE.fullmatch(state) and state != "00000":
            return state
    return None


def _by_text(chain: list[BaseException]) -> LoginCause | None:
    text = " ".join(str(one) for one in chain).lower()
    return next((cause for phrase, cause in BY_TEXT if phrase.search(text)), None)


def _by_state_or_status(chain: list[BaseException]) -> LoginCause | None:
    for one in chain:
        if (state := _sqlstate(one)) and (cause := BY_SQLSTATE.get(state)):
            return cause
        for holder in (one, getattr(one, "response", None)):
            for name in ("status_code", "status", "http_status", "http_code"):
                status = getattr(holder, name, None)
                if isinstance(status, int) and (cause := BY_HTTP_STATUS.get(status)):
                    return cause
    return None


def _by_quoted_names(login: Login, chain: list[BaseException]) -> LoginCause | None:
    """Return the cause by what a PostgreSQL server quotes: its words are in its own language, names are not."""
    quoted = {name for one in chain for name in _QUOTED.findall(str(one))}
    if login.user in quoted:
        return CAUSES["rule"] if login.database in quoted and login.database != login.user else CAUSES["password"]
    return CAUSES["database"] if login.database in quoted else None


def _by_probing(login: Login) -> LoginCause:
    """Return the cause by whether anything listens there: the last resort for a driver that says nothing known."""
    host = plain_host(login.host or "")
    if not host or not login.port:
        return CAUSES["unknown"]
    try:
        socket.create_connection((host, login.port), _PROBE_SECONDS).close()
    except OSError as probe:
        return _by_type([probe]) or CAUSES["refused"]
    return CAUSES["unknown"]


def _certificate_fault(login: Login) -> int | None:
    """Return OpenSSL's code of what is wrong with the certificate that a server like PostgreSQL shows."""
    host = plain_host(login.host or "")
    if not host:
        return None
    try:
        context = ssl.create_default_context(cafile=login.ca_file)
        # libpq says itself when only the name does not fit.
        context.check_hostname = False
        with socket.create_connection((host, login.port or 5432), _PROBE_SECONDS) as raw:
            raw.sendall(_SSL_REQUEST)
            if raw.recv(1) == b"S":
                context.wrap_socket(raw, server_hostname=host).close()
    except ssl.SSLCertVerificationError as fault:
        return fault.verify_code
    except (OSError, ValueError):
        return None
    return None


def _shown(kind: str, name: str | None) -> str:
    """Return a name behind its kind, as it may be shown."""
    return f"{kind} {name!r}" if name and _NAME.fullmatch(name) else f"the {kind} of the connection"


def _at(port: int | None) -> str:
    return f", port {port}" if port else ""
