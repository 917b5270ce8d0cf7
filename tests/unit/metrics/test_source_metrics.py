"""Metrics of sources and of the shape of tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support.dbt_project import MONDAY, ORDERS, project, values

RAW = "SHOP.RAW.ORDERS"
SOURCES = [
    {"unique_id": "source.raw.orders", "database_name": "shop", "schema_name": "raw", "identifier": "orders"},
]


def check(day: int, age: float | None, hour: int = 0, **facts: Any) -> dict[str, Any]:
    moment = MONDAY + timedelta(days=day, hours=hour)
    return {
        "source_freshness_execution_id": f"{day}-{hour}",
        "unique_id": "source.raw.orders",
        "generated_at": f"{moment:%Y-%m-%d %H:%M:%S}",
        "created_at": moment,
        "max_loaded_at_time_ago_in_s": age,
        "warn_after": '{"count": 6, "period": "hour"}',
        "error_after": '{"count": null, "period": null}',
        **facts,
    }


def columns(day: int, /, **types: str) -> list[dict[str, Any]]:
    moment = MONDAY + timedelta(days=day)
    return [
        {
            "full_table_name": ORDERS,
            "column_name": name,
            "data_type": type_,
            "detected_at": moment,
            "created_at": moment,
        }
        for name, type_ in types.items()
    ]


def test_source_age_is_the_greatest_of_the_day() -> None:
    source = project(
        dbt_sources=SOURCES, dbt_source_freshness_results=[check(0, 60.0), check(0, 7200.0, hour=6), check(1, None)]
    )

    assert values(source, "source_age", RAW) == {"Mon 02": 7200.0}


def test_source_age_is_compared_with_the_thresholds_of_its_time() -> None:
    source = project(
        dbt_sources=SOURCES,
        dbt_source_freshness_results=[
            check(0, 10_800.0),
            check(
                1, 10_800.0, warn_after='{"count": 90, "period": "minute"}', error_after='{"count": 1, "period": "day"}'
            ),
            check(2, 10_800.0, warn_after="{}", error_after="***"),
        ],
    )

    assert values(source, "source_age_of_warning", RAW) == {"Mon 02": 50.0, "Tue 03": 200.0}
    assert values(source, "source_age_of_error", RAW) == {"Tue 03": 12.5}


def test_a_policy_without_configuration_leaves_the_age_and_takes_the_thresholds() -> None:
    source = project(dbt_sources=SOURCES, dbt_source_freshness_results=[check(0, 60.0)])

    without = source.without("dbt_source_freshness_results", "warn_after", "error_after")

    assert values(without, "source_age", RAW) == {"Mon 02": 60.0}
    assert values(without, "source_age_of_warning", RAW) == {}


def test_columns_added_removed_and_of_another_type_are_changes() -> None:
    source = project(
        schema_columns_snapshot=[
            *columns(0, id="INTEGER", amount="INTEGER"),
            *columns(1, id="INTEGER", amount="INTEGER"),
            *columns(2, id="VARCHAR", note="VARCHAR", day="DATE"),
        ]
    )

    assert values(source, "schema_changes") == {"Tue 03": 0.0, "Wed 04": 4.0}
    assert values(source, "column_count") == {"Mon 02": 2.0, "Tue 03": 2.0, "Wed 04": 3.0}
