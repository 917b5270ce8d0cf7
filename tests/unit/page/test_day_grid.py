"""Anomalous days by table are drawn as a grid."""

from __future__ import annotations

from datetime import date, timedelta

from airflow_provider_elementary.page.day_grid import Grid, order_of, picture_of

FIRST = date(2026, 11, 2)
DAYS = tuple(FIRST + timedelta(days=day) for day in range(3))


def grid(**counts: int) -> Grid:
    return Grid(
        DAYS, tuple(counts), {(table, FIRST): count for table, count in counts.items()}, sum(counts.values()), 0
    )


def test_grids_of_one_view_have_the_same_rows() -> None:
    many, few = grid(orders=9, items=2, users=1), grid(users=2, orders=1)

    order = order_of([many, few])

    assert order == ("orders", "users", "items")
    assert picture_of(many, order).rows == picture_of(few, order).rows
    assert [square.text for square in picture_of(few, order).squares] == [
        "orders, 2026-11-02: 1 anomalous",
        "users, 2026-11-02: 2 anomalous",
    ]


def test_a_grid_alone_has_its_own_order() -> None:
    assert [label for _, label in picture_of(grid(users=2, orders=1)).rows] == ["users", "orders"]


def test_one_bucket_in_one_table_is_singular() -> None:
    assert grid(users=1).conclusion == "1 anomalous bucket in 1 table"
