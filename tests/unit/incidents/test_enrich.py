"""What goes beside a verdict: owners, tags, lineage, severity, cause; and the lineage that it is read from."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.circuit_breaker import AnomaliesFoundError, require_none, stopping_tables
from airflow_provider_elementary.anomalies.summary import summarise_verdicts, tables_by_score
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.project.lineage import read_lineage
from tests.support.little_project import OWNER_EMAIL, small_world
from tests.support.shop import CUSTOMERS, ORDERS, RAW, REVENUE, fine, lineage, verdict, verdicts
from tests.support.table_source import TableSource


def enriched(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = enrich(verdicts(*rows), lineage()).to_pylist()
    return found


def test_an_anomaly_has_owners_and_lineage_of_its_table() -> None:
    [row] = enriched(verdict(ORDERS, 0))

    assert json.loads(row["owners"]) == ["core@shop.example"]
    assert json.loads(row["tags"]) == ["core"]
    assert json.loads(row["upstream"]) == ["SHOP.STG.ORDERS", "SHOP.RAW.ORDERS"]
    assert json.loads(row["downstream"]) == ["SHOP.CORE.REVENUE", "exposure board"]


def test_the_cause_is_the_table_furthest_upstream_that_was_anomalous() -> None:
    rows = enriched(verdict(RAW, 0), verdict(ORDERS, 0), verdict(REVENUE, 1))

    assert [row["cause"] for row in rows] == [None, *["SHOP.RAW.ORDERS upstream: SHOP.RAW.ORDERS: too few"] * 2]


def test_severity_is_that_of_the_dbt_test_that_watches_the_metric() -> None:
    rows = enriched(verdict(ORDERS, 0), verdict(ORDERS, 0, metric_name="execution_time"), verdict(REVENUE, 0))

    assert [row["severity"] for row in rows] == ["error", "warn", "warn"]


def test_what_is_as_expected_needs_nothing_beside_it() -> None:
    [row] = enriched(fine(ORDERS, 0))

    assert (row["owners"], row["severity"], row["cause"]) == (None, None, None)


def test_a_table_that_dbt_does_not_know_has_no_lineage() -> None:
    [row] = enriched(verdict("SHOP.OTHER.TABLE", 0))

    assert (row["owners"], row["upstream"], row["severity"]) == (None, None, "warn")


class TestLineageOfASource:
    def test_models_sources_and_their_owners_are_read(self) -> None:
        shop = read_lineage(TableSource(small_world(days=2)))

        node = shop.node("shop.core.orders")
        assert node is not None
        assert (node.owners, shop.upstream("SHOP.CORE.ORDERS")) == ((OWNER_EMAIL,), ["SHOP.RAW.ORDERS"])
        assert shop.downstream("SHOP.RAW.ORDERS") == ["SHOP.CORE.ORDERS", "SHOP.CORE.CUSTOMERS"]

    def test_owners_that_a_policy_masks_are_none(self) -> None:
        world = dict(small_world(days=2))
        models = world["dbt_models"]
        masked = pa.array(["***"] * len(models))
        world["dbt_models"] = models.set_column(models.column_names.index("owner"), "owner", masked)

        node = read_lineage(TableSource(world)).node("SHOP.CORE.ORDERS")

        assert node is not None
        assert node.owners == ()

    def test_a_source_without_metadata_adds_nulls(self) -> None:
        assert read_lineage(TableSource({})).nodes == {}

    @pytest.mark.parametrize("name", ["orders", "MODEL.ORDERS", "shop.core.orders"])
    def test_a_model_is_found_by_each_of_its_names(self, name: str) -> None:
        assert lineage().find(name) in ("SHOP.CORE.ORDERS", "SHOP.RAW.ORDERS")


class TestTheCircuitBreaker:
    FOUND = enrich(verdicts(verdict(ORDERS, 0), verdict(REVENUE, 0), fine(CUSTOMERS, 0)), lineage())
    TABLES = frozenset({ORDERS, REVENUE, CUSTOMERS, "SHOP.OTHER.UNKNOWN_TO_DBT"})

    @pytest.mark.parametrize(
        ("fail_on", "stopping"),
        [
            ("none", []),
            ("any", [ORDERS, REVENUE]),
            ("warn", [ORDERS, REVENUE]),
            ("error", [ORDERS]),
            ("revenue", [REVENUE]),
            ("model.revenue", [REVENUE]),
            ("customers", []),
            (["customers", "revenue"], [REVENUE]),
            ("unknown_to_dbt", []),
        ],
    )
    def test_it_stops_for_the_tables_of_fail_on(self, fail_on: str | list[str], stopping: list[str]) -> None:
        assert stopping_tables(fail_on, self.FOUND, lineage(), self.TABLES) == stopping

    def test_a_name_that_nothing_has_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="'revenu' in fail_on is no model, no source and no table"):
            stopping_tables("revenu", self.FOUND, lineage(), self.TABLES)

    def test_the_error_names_the_tables_and_where_the_verdicts_are(self) -> None:
        with pytest.raises(
            AnomaliesFoundError,
            match=r"Anomalies in SHOP.CORE.ORDERS, for which fail_on stops the pipeline. The verdicts are in here\. L",
        ):
            require_none([ORDERS], "here")


class TestWhatMayLeaveTheStore:
    ROWS = verdicts(
        verdict(ORDERS, 0, metric_name="dimension", dimension="email", dimension_value="a@example.com", score=9.0),
        verdict(ORDERS, 0, metric_name="max", column_name="amount", reason="orders.amount: max 7,500", score=5.0),
        verdict(REVENUE, 0),
    )

    def test_a_summary_holds_neither_values_of_dimensions_nor_single_values(self) -> None:
        text = str(summarise_verdicts(self.ROWS))

        assert "a@example.com" not in text
        assert "7,500" not in text
        assert "orders.amount: drop of largest value on Sun 1 Nov 2026" in text

    def test_each_anomalous_table_is_named_once_the_worst_first(self) -> None:
        tables = tables_by_score(self.ROWS)

        assert list(tables) == [ORDERS, REVENUE]
        assert tables[ORDERS]["anomalous"] == 2
        assert "a@example.com" not in str(tables)
