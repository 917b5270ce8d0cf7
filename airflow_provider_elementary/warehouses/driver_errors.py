"""Classifies the errors of drivers, which share no base class."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from airflow_provider_elementary.access.check.session import StatementDeniedError, StatementFailedError


class FailureCause(StrEnum):
    """Why a statement failed."""

    DENIED = "denied"
    """The session lacks a right."""
    ABSENT = "absent"
    """Something that it names does not exist, or is hidden."""
    LOST = "lost"
    """The warehouse cannot be reached, or the session ended."""
    OTHER = "other"
    """Anything else: SQL that this warehouse does not know, too few resources, a value that cannot be converted."""


_SQLSTATES = (
    (FailureCause.DENIED, ("42501", "0L", "0P")),
    (FailureCause.ABSENT, ("42P01", "42S02", "42704", "3D", "3F")),
    # PostgreSQL ends a session that is idle in a transaction, or whose transaction takes too long.
    (FailureCause.LOST, ("08", "28", "57P0", "25P03", "25P04")),
)
#: Names and numbers of errors that drivers show as attributes: Trino, AWS, Google (HTTP) and ClickHouse.
_CODES = (
    (FailureCause.DENIED, frozenset({"PERMISSION_DENIED", "ACCESS_DENIED", "AccessDeniedException", "403", "497"})),
    (
        FailureCause.ABSENT,
        frozenset({"TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "NOT_FOUND", "404", "60", "81"}),
    ),
    (
        FailureCause.LOST,
        frozenset({"UnrecognizedClientException", "ExpiredTokenException", "401", "193", "194", "516"}),
    ),
)
#: Classes of drivers for what happens below SQL; requests' own is an OSError.
_CONNECTION = frozenset(
    {"OSError", "RequestError", "InterfaceError", "TrinoConnectionError", "TrinoAuthError", "TTransportException"}
)
_LOGIN = re.compile(r"authenticat|expired|credential|(?:access|security) token", re.IGNORECASE)
_TEXTS = (
    (
        FailureCause.DENIED,
        re.compile(
            r"denied|not authori[sz]ed|permission|insufficient.privilege|not enough privileges"
            r"|does not have .*(?:privilege|access)",
            re.IGNORECASE,
        ),
    ),
    (
        FailureCause.ABSENT,
        re.compile(
            r"does ?n[o']t exist|not[_ ]found|cannot be found|unknown (?:table|database)|invalid object name", re.I
        ),
    ),
)
_SQLSTATE_IN_TEXT = re.compile(r"SQLSTATE[:=]?\s*([0-9A-Z]{5})\b")


def cause_of(error: BaseException) -> FailureCause:
    """Return why a statement failed, by what its driver's error says. Its text is read here, and never shown."""
    if state := sqlstate(error):
        return next((cause for cause, starts in _SQLSTATES if state.startswith(starts)), FailureCause.OTHER)
    for code in _codes(error):
        for cause, codes in _CODES:
            if code in codes:
                return cause
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = str(error)
    if kinds & _CONNECTION or _LOGIN.search(text):
        return FailureCause.LOST
    for cause, pattern in _TEXTS:
        if pattern.search(text):
            return cause
    # Some drivers raise it for every failed statement, but then the text says more.
    return FailureCause.LOST if "OperationalError" in kinds else FailureCause.OTHER


def refusal(error: BaseException) -> StatementDeniedError:
    """Return the error of a statement that the warehouse refused, without the driver's own text."""
    is_denied = cause_of(error) is FailureCause.DENIED
    return (StatementDeniedError if is_denied else StatementFailedError)(type(error).__name__)


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error, wherever its driver puts it."""
    for name in ("sqlstate", "pgcode"):
        if isinstance(state := getattr(error, name, None), str) and state:
            return state
    # Redshift's driver passes the fields of the server's message.
    if error.args and isinstance(error.args[0], dict):
        return str(error.args[0].get("C") or "") or None
    found = _SQLSTATE_IN_TEXT.search(str(error))
    return found[1] if found else None


def _codes(error: BaseException) -> list[str]:
    response: Any = getattr(error, "response", None)
    named = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    found = [getattr(error, "error_name", None), getattr(error, "code", None), named]
    return [str(int(code)) if isinstance(code, int) else code for code in found if isinstance(code, int | str)]
