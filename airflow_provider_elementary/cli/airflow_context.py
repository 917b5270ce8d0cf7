"""Lets the commands read connections from Airflow's metadata database."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout


def enable_metadata_db_connections() -> None:
    """Let connections in Airflow's metadata database be found, as those of secrets backends are.

    Airflow reads its database only in a process that it takes for a server. It logs to what is the standard output when
    it is first imported: that is diverted, so that the commands' JSON stays valid.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    with redirect_stdout(sys.stderr):
        import airflow.settings  # noqa: F401
