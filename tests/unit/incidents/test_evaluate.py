"""Metrics are scored as one use case, by the operator and the command line."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.evaluate import (
    EvaluationOptions,
    evaluate,
    evaluate_and_store,
    lineage_of,
    open_metrics,
    read_verdicts,
)
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import LocalKeys, Repository, open_store
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.records.answer_log import append_answer
from airflow_provider_elementary.storage.records.answers import Answer, AnsweredCondition
from airflow_provider_elementary.storage.records.result_files import ResultNames, write_rows
from airflow_provider_elementary.storage.records.results import commit_result, find_result, write_result
from tests.support.signing import opened

DAYS = 30
FIRST = datetime(2026, 10, 1)
ORDERS, CUSTOMERS = "SHOP.CORE.ORDERS", "SHOP.CORE.CUSTOMERS"
LINEAGE = Lineage()


def metrics(before: int = 0) -> pa.Table:
    """Return the row counts of two tables, of which ORDERS has too few on the last day.

    :param before: days before :data:`FIRST` that have row counts too.
    """
    rows = [
        {
            "id": f"{table}-{day}",
            "full_table_name": table,
            "metric_name": "row_count",
            "bucket_start": FIRST + timedelta(days=day),
            "bucket_end": FIRST + timedelta(days=day + 1),
            "metric_value": 100.0 if (table, day) == (ORDERS, DAYS - 1) else 1000.0 + day % 3,
            "updated_at": FIRST + timedelta(days=day + 1),
        }
        for table in (ORDERS, CUSTOMERS)
        for day in range(-before, DAYS)
    ]
    return pa.Table.from_pylist(rows, schema=METRICS_SCHEMA)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return opened(open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate()))


@pytest.mark.parametrize(
    ("fail_on", "stopping"),
    [
        ("none", []),
        ("any", [ORDERS]),
        ("error", []),
        ("orders", [ORDERS]),
        ("customers", []),
        (["customers", "orders"], [ORDERS]),
    ],
)
def test_the_tables_that_fail_on_names_stop(fail_on: Any, stopping: list[str]) -> None:
    found = evaluate(metrics().to_reader(), LINEAGE, EvaluationOptions(fail_on=fail_on))

    assert found.stopping == stopping
    assert (found.summary.anomalous, found.summary.tables) == (1, (ORDERS,))
    assert found.key is None


def test_an_unknown_table_in_fail_on_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="ordres"):
        evaluate(metrics().to_reader(), LINEAGE, EvaluationOptions(fail_on="ordres"))


def test_stored_verdicts_record_their_options_and_origin(repository: Repository) -> None:
    options = EvaluationOptions(days=3, parameters={"anomaly_sensitivity": 2})

    found = evaluate_and_store(
        repository,
        metrics().to_reader(),
        LINEAGE,
        options,
        series="dag/task",
        run_key="run",
        origin={"adapter": "duckdb"},
    )

    result = find_result(repository, str(found.key))
    assert result is not None
    assert result.parameters == {
        "method": "elementary", "days": 3, "shard": 0, "shards": 1, "anomaly_sensitivity": 2,
    }  # fmt: skip
    assert result.origin == {"adapter": "duckdb"}
    assert read_verdicts(repository, [str(found.key)]).num_rows == found.verdicts.num_rows


def test_the_robust_method_resumes_from_the_state_of_the_previous_run(repository: Repository) -> None:
    options = EvaluationOptions(method="robust")

    counts = []
    for run_key in ("first", "first", "second"):
        found = evaluate_and_store(
            repository, metrics().to_reader(), LINEAGE, options, series="dag/task", run_key=run_key, origin={}
        )
        counts.append((found.scored.resumed > 0, found.summary.anomalous))

    # A retry of the first run starts from the same previous run, which is none.
    assert [resumed for resumed, _ in counts] == [False, False, True]
    assert len({anomalous for _, anomalous in counts}) == 1


def test_stored_metrics_are_opened_with_their_origin(repository: Repository) -> None:
    stored = write_result(
        repository,
        "metrics",
        metrics().to_reader(),
        run_key="run",
        origin={"adapter": "duckdb"},
        parameters={},
    )

    rows, lineage, origin, _ = open_metrics(repository, stored.key, EvaluationOptions())

    assert rows.whole().read_all().num_rows == 2 * DAYS
    assert origin == {"metrics": stored.key, "adapter": "duckdb"}
    assert lineage == Lineage()


@pytest.mark.parametrize(("method", "reads_all"), [("elementary", False), ("robust", True)])
def test_files_that_no_verdict_depends_on_stay_closed(repository: Repository, method: Any, reads_all: bool) -> None:
    rows, names = metrics(before=270), ResultNames("metrics", "", "run")
    data_keys = {one: repository.keys.new_data_key(one, Purpose.RESULT) for one in Category}
    files = []
    for year, month in [(2026, month) for month in range(1, 11)]:
        last = (datetime(year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        in_month = [row for row in rows.to_pylist() if f"{row['bucket_start']:%Y%m}" == f"{year}{month:02}"]
        batches = pa.Table.from_pylist(in_month, schema=METRICS_SCHEMA).to_batches()
        period = f"{year}{month:02}01-{last:%Y%m%d}"
        files += write_rows(repository, names, batches, METRICS_SCHEMA, data_keys, period=period)
    stored = commit_result(repository, names, files, data_keys, origin={}, parameters={})
    options = EvaluationOptions(method=method)

    opened_rows, lineage, _, configurations = open_metrics(repository, stored.key, options)
    read = opened_rows.whole().read_all()
    found = evaluate(read.to_reader(), lineage, options, configurations=configurations)

    assert (read.num_rows == rows.num_rows) == reads_all
    assert found.verdicts.equals(evaluate(rows.to_reader(), lineage, options).verdicts)
    assert found.summary.anomalous == 1


def test_metrics_of_a_warehouse_have_no_lineage(repository: Repository, caplog: pytest.LogCaptureFixture) -> None:
    assert lineage_of(repository, {"adapter": "duckdb"}) == Lineage()
    assert "no lineage, owners or severities" in caplog.text


@pytest.mark.parametrize(("method", "after"), [("robust", []), ("elementary", [ORDERS])])
def test_the_robust_method_gets_what_people_answered_and_the_packages_rule_does_not(
    method: Any, after: list[str], repository: Repository
) -> None:
    def anomalous(run: str) -> list[str]:
        options = EvaluationOptions(method=method)
        found = evaluate_and_store(
            repository, metrics().to_reader(), LINEAGE, options, series="task", run_key=run, origin={}
        )
        return list(found.summary.tables)

    before = anomalous("one")
    last = (FIRST + timedelta(days=DAYS)).isoformat()
    condition = AnsweredCondition(
        "0" * 16, "anomaly", f"{ORDERS}: row_count", ORDERS, None, (FIRST + timedelta(days=DAYS - 1)).isoformat(), last
    )
    append_answer(
        repository, Answer("one", "0" * 16, "expected", "ada", last, conditions=(condition,), reason="planned")
    )

    assert (before, anomalous("two")) == ([ORDERS], after)
