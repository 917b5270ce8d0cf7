"""The lineage of a project that production and CI write into one Elementary schema."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elementary.alerts import read_alert_metas
from airflow_provider_elementary.project.lineage import Lineage, read_lineage
from tests.support.dbt_project import project, result
from tests.support.table_source import TableSource


def model(name: str, database: str, generated_at: str, reads: str = "[]", **facts: Any) -> dict[str, Any]:
    known = {"unique_id": f"model.shop.{name}", "alias": name, "database_name": database, "schema_name": "core"}
    return {**known, "generated_at": generated_at, "depends_on_nodes": reads, **facts}


def source(**tables: Any) -> TableSource:
    reads = '["model.shop.orders"]'
    models = [
        *(model("orders", database, at) for database, at in (("ci", "2"), ("shop", "1"))),
        *(
            model("report", database, at, reads, meta='{"channel": "c"}')
            for database, at in (("ci", "2"), ("shop", "1"))
        ),
    ]
    return project(**{"dbt_models": models, **tables})


@pytest.mark.parametrize("database", ["SHOP", "CI"])
def test_what_is_upstream_and_downstream_is_in_the_same_database(database: str) -> None:
    lineage = read_lineage(source())

    assert lineage.upstream(f"{database}.CORE.REPORT") == [f"{database}.CORE.ORDERS"]
    assert lineage.downstream(f"{database}.CORE.ORDERS") == [f"{database}.CORE.REPORT"]


def test_a_table_that_only_test_results_name_has_its_node_too() -> None:
    models = [model("orders", "ci", "2"), model("report", "ci", "2", '["model.shop.orders"]')]
    results = [
        result(0, "pass", table_name=name, model_unique_id=f"model.shop.{name}") for name in ("orders", "report")
    ]
    lineage = read_lineage(source(dbt_models=models, elementary_test_results=results))

    assert lineage.upstream("SHOP.CORE.REPORT") == ["SHOP.CORE.ORDERS"]
    assert lineage.upstream("CI.CORE.REPORT") == ["CI.CORE.ORDERS"]


@pytest.mark.parametrize("table", ["SHOP.CORE.REPORT", "CI.CORE.REPORT"])
def test_the_alert_meta_of_a_model_is_that_of_all_its_tables(table: str) -> None:
    assert read_alert_metas(source()).tables[table].channel == "c"


def test_artifacts_without_an_id_or_a_name_are_left_out() -> None:
    odd = [model("orders", "shop", "1", unique_id=value) for value in (None, "", " ")]
    odd += [model("orders", "shop", "1", alias=value) for value in (None, "", " ")]
    lineage = read_lineage(source(dbt_models=[*odd, model("report", "shop", "1", "None", owner="null", tags="''")]))

    assert [node.table for node in lineage.nodes.values()] == ["SHOP.CORE.REPORT"]
    assert isinstance(lineage, Lineage)
