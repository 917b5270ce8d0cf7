"""What dbt makes of anomalies: severity, ``error_if`` and ``warn_if``, as far as the schema holds them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_elementary.anomalies import compare_with_elementary
from tests.support.stored_verdicts import PARAMS, RUN, history, stored_verdict
from tests.support.table_source import TableSource

#: Two of the last five days are anomalies.
TWO = {
    "metrics": history((100.0, 101.0, 99.0, 100.0, 101.0, 99.0, 100.0, 100.0, 101.0, 60.0, 100.0, 101.0, 99.0, 20.0)),
    "params": {**PARAMS, "anomaly_sensitivity": 2, "backfill_days": 5},
    "failures": 2,
}


def compared(source: TableSource) -> dict[str, Any]:
    [verdict] = compare_with_elementary(source).to_pylist()
    return verdict


@pytest.mark.parametrize(
    ("severity", "declared", "status"),
    [
        ("ERROR", {}, "fail"),
        ("warn", {}, "warn"),
        ("ERROR", {"error_if": "> 2"}, "warn"),
        ("ERROR", {"error_if": ">=2", "warn_if": ">= 1"}, "fail"),
        ("warn", {"error_if": ">= 2"}, "warn"),
        ("ERROR", {"error_if": "> 2", "warn_if": "> 2"}, "pass"),
        ("error", {"error_if": "between 3 and 9", "warn_if": "<> 2"}, "pass"),
        ("ERROR", {"error_if": "not in (1, 2)"}, "warn"),
    ],
)
def test_the_status_is_what_dbt_makes_of_the_number_of_anomalies(
    severity: str, declared: dict[str, Any], status: str
) -> None:
    verdict = compared(stored_verdict(**TWO, severity=severity, declared=declared, status=status))

    assert (verdict["recomputed"], verdict["agreement"]) == (status, "agree")


def test_another_status_than_the_declared_conditions_give_disagrees() -> None:
    verdict = compared(stored_verdict(**TWO, declared={"error_if": "> 2"}, status="pass"))

    assert (verdict["recomputed"], verdict["agreement"]) == ("warn", "disagree")


def test_a_warning_under_warn_error_agrees() -> None:
    verdict = compared(stored_verdict(**TWO, severity="warn", declared={}, status="fail"))

    assert (verdict["recomputed"], verdict["agreement"]) == ("fail", "agree")


def test_a_status_without_anomalies_is_always_pass() -> None:
    calm = stored_verdict(metrics=history((5.0,) * 14), declared={"warn_if": "= 0"}, status="pass", failures=0)

    assert compared(calm)["agreement"] == "agree"


@pytest.mark.parametrize(
    "declared",
    [
        None,
        {"error_if": "> 2", "generated_at": f"{RUN + timedelta(days=1):%Y-%m-%d}"},
        {"error_if": "> (select 2)"},
        {"error_if": None},
    ],
)
def test_a_status_by_conditions_that_are_not_known_is_unknown(declared: dict[str, Any] | None) -> None:
    verdict = compared(stored_verdict(**TWO, declared=declared, status="warn"))

    assert (verdict["agreement"], verdict["recomputed"]) == ("unknown", None)
    assert verdict["reason"] == (
        "its anomalies are as stored, but what warn_if and error_if its run went by is not known"
    )


def test_another_number_of_anomalies_disagrees_whatever_the_conditions_are() -> None:
    verdict = compared(stored_verdict(**{**TWO, "failures": 1}, status="warn"))

    assert verdict["agreement"] == "disagree"
