"""Which anomalies stop a pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.circuit_breaker import require_none, stopping_tables
from airflow_provider_elementary.exceptions import AnomaliesFoundError, ConfigurationError
from airflow_provider_elementary.project.lineage import Lineage

ORDERS, ITEMS, USERS = "DWH.CORE.ORDERS", "DWH.CORE.ITEMS", "DWH.RAW.USERS"
VERDICTS = pa.table({
    "full_table_name": [ORDERS, ORDERS, ITEMS, USERS, None],
    "is_anomalous": [True, True, True, False, True],
    "severity": ["warn", "error", "warn", "error", "warn"],
})  # fmt: skip
LINEAGE = Lineage()


@pytest.mark.parametrize(
    ("fail_on", "tables"),
    [
        ("none", []),
        ("any", [ITEMS, ORDERS]),
        ("warn", [ITEMS, ORDERS]),
        ("error", [ORDERS]),
        ("orders", [ORDERS]),
        ("dwh.core.items", [ITEMS]),
        ("users", []),
        (["orders", "items"], [ITEMS, ORDERS]),
        ([], []),
    ],
    ids=str,
)
def test_the_tables_that_stop_are_those_that_fail_on_names(fail_on: str | Sequence[str], tables: list[str]) -> None:
    assert stopping_tables(fail_on, VERDICTS, LINEAGE, [ORDERS, ITEMS, USERS]) == tables


@pytest.mark.parametrize("fail_on", ["nowhere", ["orders", "nowhere"], "core.orders"])
def test_a_name_that_could_never_stop_anything_is_refused(fail_on: str | Sequence[str]) -> None:
    with pytest.raises(ConfigurationError, match="in fail_on is no model, no source and no table"):
        stopping_tables(fail_on, VERDICTS, LINEAGE, [ORDERS, ITEMS, USERS])


def test_ten_tables_are_named_and_the_others_counted() -> None:
    require_none([], "the store")

    with pytest.raises(AnomaliesFoundError, match="T9 and 2 more, for which fail_on stops"):
        require_none([f"T{number}" for number in range(12)], "the store")
