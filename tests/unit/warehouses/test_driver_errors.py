"""A driver's error says whether a right is missing, an object, or the connection."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.warehouses.driver_errors import FailureCause, cause_of


def error(name: str, text: object = "", base: type[Exception] = Exception, **attributes: object) -> Exception:
    kind = type(name, (base,), attributes)
    made: Exception = kind(text)
    return made


class OperationalError(Exception):
    """The name that PEP 249 gives to whatever happens below SQL."""


@pytest.mark.parametrize(
    ("raised", "cause"),
    [
        (error("TrinoUserError", "Access Denied", error_name="PERMISSION_DENIED"), FailureCause.DENIED),
        (error("TrinoUserError", "line 1:15", error_name="TABLE_NOT_FOUND"), FailureCause.ABSENT),
        (
            error("TrinoQueryError", "query exceeded memory", error_name="EXCEEDED_GLOBAL_MEMORY_LIMIT"),
            FailureCause.OTHER,
        ),
        (error("ServerOperationError", "PERMISSION_DENIED"), FailureCause.DENIED),
        (error("ServerOperationError", "[INSUFFICIENT_PERMISSIONS] … SQLSTATE: 42501"), FailureCause.DENIED),
        (error("ServerOperationError", "[TABLE_OR_VIEW_NOT_FOUND] … SQLSTATE: 42P01"), FailureCause.ABSENT),
        (error("RequestError", "Error during request to server: 403 Forbidden"), FailureCause.LOST),
        (error("ProgrammingError", {"C": "42501", "M": "permission denied"}), FailureCause.DENIED),
        (error("ProgrammingError", {"C": "42601", "M": "syntax error"}), FailureCause.OTHER),
        (error("ProgrammingError", {"C": "57P01", "M": "terminating connection"}), FailureCause.LOST),
        (error("OperationalError", {"C": "25P03", "M": "terminating connection"}), FailureCause.LOST),
        (error("DatabaseError", {"C": "25P04", "M": "terminating connection"}), FailureCause.LOST),
        (error("DatabaseError", "Code: 497. Not enough privileges", code=497), FailureCause.DENIED),
        (error("DatabaseError", "Code: 60. Unknown table", code=60), FailureCause.ABSENT),
        (error("DatabaseError", "Code: 241. Memory limit exceeded", code=241), FailureCause.OTHER),
        (error("Forbidden", "403 POST https://…", code=403), FailureCause.DENIED),
        (error("NotFound", "404 Not found: Table", code=404), FailureCause.ABSENT),
        (error("ClientError", "…", response={"Error": {"Code": "AccessDeniedException"}}), FailureCause.DENIED),
        (error("ClientError", "…", response={"Error": {"Code": "ExpiredTokenException"}}), FailureCause.LOST),
        (OperationalError("Insufficient permissions to execute the query"), FailureCause.DENIED),
        (OperationalError(229, b"The SELECT permission was denied on the object"), FailureCause.DENIED),
        (error("TTransportException", "TSocket read 0 bytes"), FailureCause.LOST),
        (OperationalError("server closed the connection unexpectedly"), FailureCause.LOST),
        (OperationalError("The security token included in the request is expired"), FailureCause.LOST),
        (ConnectionResetError("Connection reset by peer: permission denied"), FailureCause.LOST),
        (error("ProgrammingError", "unexpected token near SELEC"), FailureCause.OTHER),
    ],
    ids=str,
)
def test_the_cause_of_an_error_is_found(raised: Exception, cause: FailureCause) -> None:
    assert cause_of(raised) is cause
