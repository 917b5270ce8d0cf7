"""Keeps small what Arrow holds in the API server."""

from __future__ import annotations

import os
import sys


def use_system_allocator() -> None:
    """Let Arrow take memory from the system's allocator: its own keeps tens of MB for the threads that read rows."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def release_arrow() -> None:
    """Give memory of rows that were read back to the system."""
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()
