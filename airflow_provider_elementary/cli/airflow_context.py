"""Where the commands find Airflow's connections."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout


def enable_metadata_db_connections() -> None:
    """Let connections that are kept in Airflow's own database be found, as those of secrets backends are.

    Airflow looks there only where it takes itself for a server. Its log goes to what is the standard output when it is
    first imported: that is left to the commands, so that what they print as JSON is JSON.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    with redirect_stdout(sys.stderr):
        import airflow.settings  # noqa: F401
