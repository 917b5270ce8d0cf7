"""Says why Airflow does not find a connection."""

from __future__ import annotations

import os

_VARIABLE = "AIRFLOW_CONN_"


def connection_variable(conn_id: str) -> str:
    """Return the environment variable that Airflow reads a connection from."""
    return f"{_VARIABLE}{conn_id.upper()}"


def missing_connection(conn_id: str) -> str:
    """Return the sentence that an error about a connection begins with.

    Airflow says the same of a connection that is not there and of a variable that it cannot read.
    """
    variable = connection_variable(conn_id)
    if os.environ.get(variable):
        return (
            f"Airflow cannot read connection {conn_id!r} from {variable}: it is neither a URI nor a JSON object of a "
            "connection's fields."
        )
    return f"Airflow has no connection {conn_id!r}."
