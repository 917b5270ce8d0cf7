"""Elementary's alert keys in the meta of models and tests."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.alerts.dbt_meta import AlertMeta, AlertMetas, alert_meta, read_alert_metas
from tests.support.incidents import incident
from tests.support.shop import ORDERS, REVENUE
from tests.support.table_source import TableSource

PLACE = {"database_name": "shop", "schema_name": "core", "generated_at": "2026-11-01 06:00:00"}


def project(tests: list[dict[str, Any]], **of_orders: Any) -> AlertMetas:
    models = [
        {"unique_id": "model.orders", "alias": "orders", "name": "orders", "meta": json.dumps(of_orders), **PLACE},
        {"unique_id": "model.revenue", "alias": "revenue", "name": "revenue", **PLACE}
        | {"meta": json.dumps({"subscribers": "@cfo", "owner": "finance@shop.example"})},
    ]
    rows = [
        {"unique_id": f"test.{number}", "parent_model_unique_id": "model.orders", "generated_at": "2026-11-01"}
        | {"short_name": test["name"], "test_column_name": test.get("column"), "meta": json.dumps(test["meta"])}
        for number, test in enumerate(tests)
    ]
    schema = pa.schema(
        (name, pa.string())
        for name in ("unique_id", "parent_model_unique_id", "generated_at", "short_name", "test_column_name", "meta")
    )
    return read_alert_metas(
        TableSource({"dbt_models": pa.Table.from_pylist(models), "dbt_tests": pa.Table.from_pylist(rows, schema)})
    )


def test_the_keys_that_elementary_documents_are_read() -> None:
    found = alert_meta(
        json.dumps(
            {
                "owner": "@jessica.jones",
                "subscribers": ["@jessica.jones", "@joe.joseph"],
                "description": "Orders come every day",
                "tags": ["#marketing", "#data_ops"],
                "channel": "data_ops",
                "alert_suppression_interval": 24,
                "slack_group_alerts_by": "table",
                "alert_fields": ["description", "owners"],
            }
        )
    )

    assert found == AlertMeta(
        owners=("@jessica.jones",),
        subscribers=("@jessica.jones", "@joe.joseph"),
        tags=("#marketing", "#data_ops"),
        channel="data_ops",
        description="Orders come every day",
        suppression_hours=24,
        fields=("description", "owners"),
    )


def test_the_older_alerts_config_counts_and_the_newer_keys_win() -> None:
    found = alert_meta(json.dumps({"channel": "new", "alerts_config": {"channel": "old", "subscribers": "@a, @b"}}))

    assert (found.channel, found.subscribers) == ("new", ("@a", "@b"))


@pytest.mark.parametrize("text", [None, "", "***", "[]", '"text"', "{}", '{"owner": {"name": "x"}, "channel": 3}'])
def test_a_meta_that_is_masked_or_says_nothing_says_nothing(text: str | None) -> None:
    assert alert_meta(text) == AlertMeta()


@pytest.mark.parametrize(("written", "hours"), [(0, 0), ("6", 6), (-1, 0), (1.5, 1.5), ("soon", None), (None, None)])
def test_an_interval_is_a_number_of_hours(written: Any, hours: float | None) -> None:
    assert alert_meta(json.dumps({"alert_suppression_interval": written})).suppression_hours == hours


class TestOfAnIncident:
    def test_the_test_that_watches_the_metric_comes_before_its_model(self) -> None:
        metas = project(
            [{"name": "volume_anomalies", "meta": {"channel": "volume", "owner": "@volume"}}],
            channel="orders",
            owner="@orders",
            alert_suppression_interval=12,
        )

        found = metas.of(incident())

        assert (found.channel, found.suppression_hours) == ("volume", 12)
        assert found.owners == ("core@shop.example", "@volume", "@orders")

    def test_a_test_of_another_metric_or_column_says_nothing_of_it(self) -> None:
        metas = project(
            [
                {"name": "freshness_anomalies", "meta": {"channel": "fresh"}},
                {"name": "column_anomalies", "column": "email", "meta": {"channel": "emails"}},
                {"name": "column_anomalies", "column": "AMOUNT", "meta": {"channel": "amounts"}},
            ]
        )

        assert metas.of(incident()).channel is None
        assert metas.of(incident(subjects=("amount.null_percent",))).channel == "amounts"

    def test_a_dimension_is_watched_by_its_test(self) -> None:
        metas = project([{"name": "dimension_anomalies", "meta": {"channel": "stores"}}])

        assert metas.of(incident(subjects=("dimension store_id",))).channel == "stores"

    def test_subscribers_of_the_tables_that_follow_hear_of_it_and_their_owners_do_not(self) -> None:
        found = project([], subscribers="@shop").of(incident(followers=(REVENUE,)))

        assert found.subscribers == ("@shop", "@cfo")
        assert found.owners == ("core@shop.example",)

    def test_where_no_project_is_known_the_incidents_own_owners_and_tags_remain(self) -> None:
        found = AlertMetas().of(incident())

        assert found == AlertMeta(owners=("core@shop.example",), tags=("core",))

    def test_tables_are_found_in_any_case(self) -> None:
        assert project([], channel="orders").of(incident(root=ORDERS.lower())).channel == "orders"
