"""The metrics as a table of facts, and their page in the docs."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.metrics import compute_metrics, scored_metrics
from airflow_provider_elementary.metrics.definitions import Definition
from airflow_provider_elementary.metrics.registry import DEFINITIONS
from tests.support.dbt_project import project, run
from tests.support.metrics_page import PATH, with_tables


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.names[0])
def test_a_definition_reads_columns_that_the_catalog_knows(definition: Definition) -> None:
    uses = (definition.needs, definition.useful, definition.places)
    read = {(table, name) for use in uses for table in use for name in use[table]}

    assert not {(table, name) for table, name in read if TABLES[table].column(name) is None}


def test_the_tables_of_the_docs_are_generated() -> None:
    page = PATH.read_text(encoding="utf-8")

    assert page == with_tables(page), "Run python -m tests.support.metrics_page."


def test_metrics_whose_tables_are_not_held_are_left_out_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    source = project(dbt_run_results=[run(0, execution_time=1.0)]).without("dbt_run_results", "rows_affected")

    with caplog.at_level(logging.WARNING), compute_metrics(source) as metrics:
        names = set(metrics.read_all()["metric_name"].to_pylist())

    assert names >= {"execution_time", "success_rate", "failed_runs"}
    assert "rows_affected" not in names
    assert "rows_affected: left out, as the source does not hold rows_affected of dbt_run_results" in caplog.text


def test_rates_of_passed_runs_are_not_scored_again() -> None:
    with compute_metrics(project(dbt_run_results=[run(0, execution_time=1.0)])) as metrics:
        computed = metrics.read_all()
    scored = scored_metrics(computed)

    rates = {"success_rate"}
    assert rates <= set(computed["metric_name"].to_pylist())
    assert set(scored["metric_name"].to_pylist()).isdisjoint(rates)
