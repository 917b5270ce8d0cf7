"""The metrics as a table of facts, and their page in the docs."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.metrics import compute_metrics, scored_metrics
from airflow_provider_elementary.metrics.compute import DEFINITIONS
from airflow_provider_elementary.metrics.definitions import Definition
from tests.support.dbt_project import project, run

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()


def test_each_metric_is_defined_once() -> None:
    assert not [name for name, count in Counter(n for d in DEFINITIONS for n in d.names).items() if count > 1]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.names[0])
def test_a_definition_reads_columns_that_the_catalog_knows(definition: Definition) -> None:
    uses = (definition.needs, definition.useful, definition.places)
    read = {(table, name) for use in uses for table in use for name in use[table]}

    assert not {(table, name) for table, name in read if TABLES[table].column(name) is None}


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.names[0])
def test_the_docs_say_what_each_metric_is(definition: Definition) -> None:
    tables = ", ".join(f"`{table}`" for table in {**definition.needs, **definition.useful})
    for metric in definition.metrics:
        judged = "yes" if metric.judged else "no"
        row = f"| `{metric.name}` | {metric.unit} | {metric.formula} | {definition.grain} | {tables} | {judged} |"

        assert row in PAGE


def test_metrics_whose_tables_are_not_held_are_left_out_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    source = project(dbt_run_results=[run(0, execution_time=1.0)]).without("dbt_run_results", "rows_affected")

    with caplog.at_level(logging.WARNING), compute_metrics(source) as metrics:
        names = set(metrics.read_all()["metric_name"].to_pylist())

    assert names == {"execution_time", "success_rate", "failed_runs"}
    assert "rows_affected: left out, as the source does not hold rows_affected of dbt_run_results" in caplog.text


def test_rates_of_verdicts_are_not_judged_again() -> None:
    with compute_metrics(project(dbt_run_results=[run(0, execution_time=1.0)])) as metrics:
        judged = scored_metrics(metrics.read_all())

    assert set(judged["metric_name"].to_pylist()) == {"execution_time", "failed_runs"}
