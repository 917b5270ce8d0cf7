"""The table that columns of a query are computed from."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.project.column_lineage import ColumnsRead, columns_read


@pytest.mark.parametrize(
    ("sql", "columns", "read"),
    [
        ("select amount from d.s.orders", "amount", ("D.S.ORDERS", "amount")),
        ("select O.amount / 100 as a from s.orders o left join x on x.id = o.id", "a", ("S.ORDERS", "amount")),
        ("select sum(case when s = 1 then v end) as a from x group by k", "a", ("X", "s v")),
        ("with a as (select * from s.x), b as (select a.*, 1 as k from a) select * from b", "v", ("S.X", "v")),
        ("select q.v from (select y as v from x) as q", "v", ("X", "y")),
        ("select v from x union all select v from x", "v", ("X", "v")),
        ("select x.* from x join y using (id)", "v", ("X", "v")),
        ("select v, w from x", "v w", ("X", "v w")),
        ("select v from x where t > (select max(t) from y)", "v", ("X", "v")),
    ],
)
def test_a_column_comes_from_the_table_that_is_selected_from(sql: str, columns: str, read: tuple[str, str]) -> None:
    table, names = read

    assert columns_read(sql, columns.split(), None) == ColumnsRead(table, frozenset(names.split()))


@pytest.mark.parametrize(
    "sql",
    [
        "select j.v from x left join j on j.id = x.id",
        "select x.a + j.b as v from x join j on j.id = x.id",
        "select v from x join j on j.id = x.id",
        "select * from x join j using (id)",
        "select x.v from x full join j using (id)",
        "select v from x union all select v from y",
        "select (select max(q) from z) as v from x",
        "select count(*) as v from x",
        "select 1 as v from x",
        "select w from x",
        "select v",
        "not sql at all (",
        "***",
        "",
    ],
)
def test_a_column_of_a_join_or_of_no_table_is_not_followed(sql: str) -> None:
    assert columns_read(sql, ["v"], None) is None


def test_no_column_comes_from_nowhere() -> None:
    assert columns_read("select v from x", [], None) is None


def test_quotes_of_the_dialect_are_read() -> None:
    assert columns_read("select `v` from `d`.`s`.`x`", ["v"], "bigquery") == ColumnsRead("D.S.X", frozenset({"v"}))


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select * rename (a as v) from x", "snowflake"),
        ("select * rename (v as a) from x", "snowflake"),
        ("select x.* rename (a as V) from x", "snowflake"),
        ("select * exclude (v) from x", "duckdb"),
        ("select x.* exclude v from x", "snowflake"),
        ("select * except (v) from x", "bigquery"),
        ("select * replace (a + 1 as v) from x", "bigquery"),
        ("select * apply(sum) from x", "clickhouse"),
        ("select v from x unpivot (v for k in (a, b))", "snowflake"),
        ("select v from x unpivot (v for k in (a, b)) as u", "snowflake"),
        ("with q as (select * from y) select v from q unpivot (v for k in (a, b))", "snowflake"),
        ("select v from (select * from y) pivot (sum(q) for k in ('v', 'w')) as p", "bigquery"),
        ("select v from (pivot x on k using sum(q))", "duckdb"),
        ("from x select * exclude (v)", "duckdb"),
    ],
)
def test_a_column_that_a_star_or_a_pivot_makes_or_removes_is_not_followed(sql: str, dialect: str) -> None:
    assert columns_read(sql, ["v"], dialect) is None


def test_a_star_that_changes_other_columns_is_followed() -> None:
    read = ColumnsRead("X", frozenset({"v"}))

    assert columns_read("select * exclude (c) rename (a as b) from x", ["v"], "snowflake") == read
    assert columns_read("select * except (a), 1 as b from x", ["v"], "bigquery") == read
