"""A driver's error says whether a right is missing, an object, or the connection."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.warehouses.driver_errors import Cause, cause_of


def error(name: str, text: object = "", base: type[Exception] = Exception, **attributes: object) -> Exception:
    kind = type(name, (base,), attributes)
    made: Exception = kind(text)
    return made


class OperationalError(Exception):
    """The name that PEP 249 gives to whatever happens below SQL."""


@pytest.mark.parametrize(
    ("raised", "cause"),
    [
        (error("TrinoUserError", "Access Denied", error_name="PERMISSION_DENIED"), Cause.DENIED),
        (error("TrinoUserError", "line 1:15", error_name="TABLE_NOT_FOUND"), Cause.ABSENT),
        (error("TrinoQueryError", "query exceeded memory", error_name="EXCEEDED_GLOBAL_MEMORY_LIMIT"), Cause.OTHER),
        (error("ServerOperationError", "PERMISSION_DENIED"), Cause.DENIED),
        (error("ServerOperationError", "[INSUFFICIENT_PERMISSIONS] … SQLSTATE: 42501"), Cause.DENIED),
        (error("ServerOperationError", "[TABLE_OR_VIEW_NOT_FOUND] … SQLSTATE: 42P01"), Cause.ABSENT),
        (error("RequestError", "Error during request to server: 403 Forbidden"), Cause.LOST),
        (error("ProgrammingError", {"C": "42501", "M": "permission denied"}), Cause.DENIED),
        (error("ProgrammingError", {"C": "42601", "M": "syntax error"}), Cause.OTHER),
        (error("ProgrammingError", {"C": "57P01", "M": "terminating connection"}), Cause.LOST),
        (error("DatabaseError", "Code: 497. Not enough privileges", code=497), Cause.DENIED),
        (error("DatabaseError", "Code: 60. Unknown table", code=60), Cause.ABSENT),
        (error("DatabaseError", "Code: 241. Memory limit exceeded", code=241), Cause.OTHER),
        (error("Forbidden", "403 POST https://…", code=403), Cause.DENIED),
        (error("NotFound", "404 Not found: Table", code=404), Cause.ABSENT),
        (error("ClientError", "…", response={"Error": {"Code": "AccessDeniedException"}}), Cause.DENIED),
        (error("ClientError", "…", response={"Error": {"Code": "ExpiredTokenException"}}), Cause.LOST),
        (OperationalError("Insufficient permissions to execute the query"), Cause.DENIED),
        (OperationalError(229, b"The SELECT permission was denied on the object"), Cause.DENIED),
        (OperationalError("server closed the connection unexpectedly"), Cause.LOST),
        (OperationalError("The security token included in the request is expired"), Cause.LOST),
        (ConnectionResetError("Connection reset by peer: permission denied"), Cause.LOST),
        (error("ProgrammingError", "unexpected token near SELEC"), Cause.OTHER),
    ],
    ids=str,
)
def test_the_cause_of_an_error_is_found(raised: Exception, cause: Cause) -> None:
    assert cause_of(raised) is cause
