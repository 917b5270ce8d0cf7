from __future__ import annotations

import subprocess
import sys

import pytest

_ARROW_FIRST = """
import sys
from airflow_provider_elementary.small_arrow import start_without_pandas, release_arrow

release_arrow()
assert "pyarrow" not in sys.modules
start_without_pandas()
start_without_pandas()
import pyarrow as pa

assert pa.array(["a", None]).null_count == 1
assert pa.default_memory_pool().backend_name == "system"
release_arrow()
assert "pandas" not in sys.modules
"""
_LATE = """
import pyarrow as pa
from airflow_provider_elementary.small_arrow import start_without_pandas

start_without_pandas()
assert pa.array(["a", None]).null_count == 1
import sys

assert "pandas" not in sys.modules
"""
_PANDAS_FIRST = """
from airflow_provider_elementary.small_arrow import start_without_pandas

start_without_pandas()
"""
# Arrow without pandas takes NaN for a number.
_BOTH_WORK = """
import sys
import pandas as pd
import pyarrow as pa

assert pa.array(pd.Series([1.0, float("nan")])).null_count == 1
assert pa.table({"a": [1]}).to_pandas()["a"].tolist() == [1]
assert not any(type(finder).__name__ == "_PandasLater" for finder in sys.meta_path)
"""


@pytest.mark.parametrize("before", [_ARROW_FIRST, _LATE, _PANDAS_FIRST], ids=["arrow first", "late", "pandas first"])
def test_arrow_starts_without_pandas_and_knows_it_later(before: str) -> None:
    subprocess.run([sys.executable, "-c", before + _BOTH_WORK], check=True, timeout=120)
