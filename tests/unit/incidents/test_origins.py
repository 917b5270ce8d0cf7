"""Wrong columns are followed to the table that their values come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.exceptions import ObjectNotFoundError, StoreError
from airflow_provider_elementary.incidents.conditions import Condition, Origin
from airflow_provider_elementary.incidents.origins import with_origins
from airflow_provider_elementary.incidents.tracking import track_incidents
from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.project.lineage import Lineage
from tests.support.dbt_project import rows_table
from tests.support.incidents import anomaly, failing_test
from tests.support.shop import ORDERS, RAW, REVENUE, STAGING, SUNDAY, lineage
from tests.support.table_source import TableSource

SHOP = lineage()
CODE = {
    STAGING: "select id, amount_cents / 100 as amount, store from shop.raw.orders",
    ORDERS: "select s.id, s.amount, s.store, c.plan from shop.stg.orders s left join c on c.id = s.id",
    REVENUE: "select sum(amount) as revenue, store from shop.core.orders group by 2",
}
OLD = SUNDAY - timedelta(days=30)


def source_of(code: dict[str, str | None], changed_at: datetime = OLD) -> TableSource:
    """Return a source with the code of models as they ran on Sunday, and when they were described last."""
    ids = {table: SHOP.node(table).unique_id for table in code}  # type: ignore[union-attr]
    runs = [
        {"unique_id": ids[table], "created_at": SUNDAY, "compiled_code": sql, "status": "success"}
        for table, sql in code.items()
    ]
    models = [{"unique_id": each, "generated_at": f"{changed_at:%Y-%m-%d %H:%M:%S}"} for each in ids.values()]
    held: dict[str, Sequence[dict[str, Any]]] = {"dbt_run_results": runs, "dbt_models": models}
    return TableSource({name: rows_table(name, rows) for name, rows in held.items()})


def origin_of(condition: Condition, source: TableSource, shop: Lineage = SHOP) -> Origin | None:
    [found] = with_origins([condition], (), shop, source, "duckdb")
    return found.origin


@pytest.mark.parametrize(
    ("condition", "origin"),
    [
        (anomaly(ORDERS, "amount.average"), Origin(RAW, ("amount_cents",))),
        (anomaly(REVENUE, "revenue.sum"), Origin(RAW, ("amount_cents",))),
        (anomaly(ORDERS, "dimension store"), Origin(RAW, ("store",))),
        (failing_test(column="amount"), Origin(RAW, ("amount_cents",))),
        (anomaly(ORDERS, "plan.null_percent"), None),
        (anomaly(ORDERS, "row_count"), None),
        (anomaly(RAW, "amount_cents.average"), None),
        (failing_test(column="amount", state="error"), None),
        (failing_test(column="amount", family="volume"), None),
        (failing_test(column="amount", kind="run"), None),
        (failing_test("adds_up", "test adds_up", column="amount"), None),
    ],
)
def test_values_come_from_where_the_code_reads_them(condition: Condition, origin: Origin | None) -> None:
    assert origin_of(condition, source_of({**CODE})) == origin


@pytest.mark.parametrize("changed_at", [SUNDAY - timedelta(hours=12), SUNDAY + timedelta(days=3)])
def test_a_model_that_changed_then_or_later_is_not_looked_through(changed_at: datetime) -> None:
    assert origin_of(anomaly(ORDERS, "amount.average"), source_of({**CODE}, changed_at)) is None


def test_it_ends_at_a_table_with_such_a_test_of_its_own() -> None:
    tested = replace(SHOP, severities={(STAGING, "column_anomalies", "amount"): "warn"})

    assert origin_of(anomaly(REVENUE, "revenue.sum"), source_of({**CODE}), tested) == Origin(ORDERS, ("amount",))


def test_it_ends_where_the_code_is_not_known() -> None:
    source = source_of({**CODE, STAGING: None})

    assert origin_of(anomaly(ORDERS, "amount.average"), source) == Origin(STAGING, ("amount",))
    assert origin_of(anomaly(ORDERS, "amount.average"), source.without("dbt_run_results", "compiled_code")) is None
    assert origin_of(anomaly(ORDERS, "amount.average"), TableSource({})) is None


def test_a_model_that_was_described_at_the_first_time_there_is_is_followed() -> None:
    source = source_of({**CODE})
    ids = source.held["dbt_models"]["unique_id"].to_pylist()
    for text in ("0001-01-01T00:00:00+01:00", "0001-01-01"):
        models = rows_table("dbt_models", [{"unique_id": each, "generated_at": text} for each in ids])
        found = origin_of(anomaly(ORDERS, "amount.average"), TableSource({**source.held, "dbt_models": models}))

        assert found == Origin(RAW, ("amount_cents",))


@pytest.mark.parametrize("table", ["dbt_run_results", "dbt_models", "schema_columns_snapshot"])
def test_a_store_that_cannot_be_read_now_is_an_error_and_not_no_code(table: str) -> None:
    held = source_of({**CODE, STAGING: None}).held

    def source(error: StoreError) -> TableSource:
        class Unreadable(TableSource):
            def read(self, name: str, **options: Any) -> pa.RecordBatchReader:
                if name == table:
                    raise error
                return super().read(name, **options)

        return Unreadable({**held, "schema_columns_snapshot": columns_of((RAW, "amount"))})

    with pytest.raises(StoreError, match="timed out"):
        origin_of(anomaly(ORDERS, "amount.average"), source(StoreError("The store timed out.")))
    # A retry does not bring a lost file back.
    origin_of(anomaly(ORDERS, "amount.average"), source(ObjectNotFoundError("s3://b", "data/1")))


def columns_of(*pairs: tuple[str, str]) -> pa.Table:
    rows = [{"full_table_name": table, "column_name": column} for table, column in pairs]
    return rows_table("schema_columns_snapshot", rows)


def test_without_the_code_it_is_the_only_source_with_such_a_column() -> None:
    without = source_of({**CODE}).without("dbt_run_results", "compiled_code")
    known = TableSource({**without.held, "schema_columns_snapshot": columns_of((RAW, "AMOUNT"), (ORDERS, "plan"))})
    second = Node("source.refunds", "SHOP.RAW.REFUNDS", kind="source")
    orders = replace(SHOP.nodes["model.orders"], upstream=("model.stg_orders", "source.refunds"))
    two = Lineage({**SHOP.nodes, "model.orders": orders, "source.refunds": second})
    both = columns_of((RAW, "amount"), ("SHOP.RAW.REFUNDS", "amount"))

    assert origin_of(anomaly(ORDERS, "amount.average"), known) == Origin(RAW, ("amount",), "names")
    assert origin_of(anomaly(ORDERS, "amount.average"), known, two) == Origin(RAW, ("amount",), "names")
    assert origin_of(anomaly(ORDERS, "plan.null_percent"), known) is None
    ambiguous = TableSource({**known.held, "schema_columns_snapshot": both})
    assert origin_of(anomaly(ORDERS, "amount.average"), ambiguous, two) is None


def test_what_was_known_of_a_condition_stays() -> None:
    found = anomaly(ORDERS, "amount.average")
    known = replace(found, origin=Origin("SHOP.ELSEWHERE", ("amount",)))

    assert with_origins([found], [known], SHOP, source_of({**CODE}), None) == [known]
    assert with_origins([found], [found], SHOP, source_of({**CODE}), None) == [found]


def test_two_tables_with_values_of_one_column_are_one_incident_of_its_table() -> None:
    wrong = [anomaly(ORDERS, "store.null_percent"), anomaly(REVENUE, "revenue.sum"), anomaly(ORDERS, "amount.max")]

    found = track_incidents(with_origins(wrong, (), SHOP, source_of({**CODE}), None), Lineage())

    assert {each.root for each in found} == {RAW}
    assert {frozenset(member.subject for member in each.conditions) for each in found} == {
        frozenset({wrong[0].subject}),
        frozenset(each.subject for each in wrong[1:]),
    }


def test_another_column_of_its_table_is_not_the_cause() -> None:
    wrong = [anomaly(ORDERS, "amount.average"), *(anomaly(RAW, f"{name}.max") for name in ("store", "amount_cents"))]

    found = track_incidents(with_origins(wrong, (), SHOP, source_of({**CODE}), None), SHOP)

    assert sorted([member.subject for member in each.conditions] for each in found) == [
        [wrong[2].subject, wrong[0].subject],
        [wrong[1].subject],
    ]


def test_the_newest_code_of_a_model_counts() -> None:
    source = source_of({**CODE})
    older = {"unique_id": SHOP.node(STAGING).unique_id, "created_at": OLD, "compiled_code": "select amount from x"}  # type: ignore[union-attr]
    runs = pa.concat_tables([source.held["dbt_run_results"], rows_table("dbt_run_results", [older])])
    held = TableSource({**source.held, "dbt_run_results": runs})

    assert origin_of(anomaly(ORDERS, "amount.average"), held) == Origin(RAW, ("amount_cents",))
