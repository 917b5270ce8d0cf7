"""A failure whose cause is known is called by it, and no error shows the driver's text."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.warehouses.warehouse import connection_lost_error


class OperationalError(Exception):
    """The name that PEP 249 gives to whatever happens below SQL."""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Job aborted: java.lang.OutOfMemoryError: Java heap space", "failed: its server ran out of memory. "),
        (
            "most recent failure: Lost task 9.0: TaskResultLost (result lost)",
            "failed: its server lost a part, as it does ",
        ),
        ("Cannot call methods on a stopped SparkContext.", "failed: its server has stopped, as it does when "),
        ("row 7 of jane@example.com", "failed (OperationalError). "),
    ],
)
def test_the_cause_comes_first_then_the_remedy(text: str, said: str) -> None:
    error = str(connection_lost_error("spark", "reading dbt_models", OperationalError(text)))

    assert error.startswith(f"Spark: reading dbt_models {said}")
    assert ("spark.driver.memory" in error) is ("failed: " in error)
    assert text not in error
    assert "retry" in error.lower()
