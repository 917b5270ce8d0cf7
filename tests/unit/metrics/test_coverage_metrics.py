"""Metrics of how far tests cover a model."""

from __future__ import annotations

from tests.support.dbt_project import PAYMENTS, invocation, project, values


def test_coverage_is_the_share_of_known_columns_with_a_test() -> None:
    source = project(
        dbt_invocations=[invocation(0), invocation(1)],
        dbt_columns=[{"parent_unique_id": "model.shop.orders", "name": name} for name in ("id", "amount", "note")],
        dbt_tests=[
            {"unique_id": "a", "parent_model_unique_id": "model.shop.orders", "test_column_name": "ID"},
            {"unique_id": "b", "parent_model_unique_id": "model.shop.orders", "test_column_name": "undocumented"},
            {"unique_id": "c", "parent_model_unique_id": "model.shop.orders"},
        ],
    )

    assert values(source, "test_coverage") == {"Tue 03": 50.0}
    assert values(source, "test_count") == {"Tue 03": 3.0}
    assert values(source, "test_count", PAYMENTS) == {"Tue 03": 0.0}
