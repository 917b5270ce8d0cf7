"""Where the commands find Airflow's connections."""

from __future__ import annotations

import os


def look_in_the_database() -> None:
    """Let connections that are kept in Airflow's own database be found, as those of secrets backends are.

    Airflow looks there only where it takes itself for a server.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
