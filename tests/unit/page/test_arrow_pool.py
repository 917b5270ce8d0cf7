from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from airflow_provider_elementary.page.arrow_pool import release_arrow, use_system_allocator

release_arrow()
assert "pyarrow" not in sys.modules
use_system_allocator()
import pyarrow as pa

assert pa.default_memory_pool().backend_name == "system"
release_arrow()
"""


def test_arrow_takes_from_the_system_and_is_not_loaded_for_that() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True, timeout=120)
