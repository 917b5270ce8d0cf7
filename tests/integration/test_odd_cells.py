"""Whatever single cells hold, no task fails and no view of the page does: each seed changes cells of every table."""

from __future__ import annotations

import html
import json
import os
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.anomalies.elementary.configured_tests import TESTS
from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.incidents.evaluate import (
    EvaluationOptions,
    configurations_of,
    dbt_conditions_of,
    evaluate_and_store,
    lineage_of,
    read_verdicts,
)
from airflow_provider_elementary.incidents.store import update_incidents
from airflow_provider_elementary.metrics.by_day import update_metrics
from airflow_provider_elementary.page.app import create_app
from airflow_provider_elementary.page.views.registry import VIEWS
from airflow_provider_elementary.snapshots import Policy, open_snapshot, write_snapshot
from airflow_provider_elementary.storage.records.results import read_result
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.connections import local_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world

if TYPE_CHECKING:
    from airflow_provider_elementary.anomalies.detect import Method
    from airflow_provider_elementary.snapshots import Repository

#: ``make acceptance`` tries many more.
SEEDS = int(os.environ.get("ELEMENTARY_ODD_CELLS", "1"))
EVERYTHING = Policy(categories=tuple(Category), failed_rows_days=100_000)
METHODS: tuple[Method, ...] = ("elementary", "robust")
LINKS = 30
NUMBERS = ("NULL", "0", "-1", "1e308", "-1e308", "'NaN'::DOUBLE", "'inf'::DOUBLE", "1e-320")
#: By the type of a column, what its cells may hold besides what was meant.
VALUES = {
    "VARCHAR": (
        *("NULL", "''", "' '", "'NaN'", "'1e400'", "'-1'", "'true'", "'infinity'", "repeat('é', 3000)", "'🙂'"),
        *("'{'", "'[]'", "'null'", "'[null]'", "'\"x\"'", "'[[1]]'", """'[{"a": 1}]'""", """'["a", 1, null]'"""),
        *("'{\"a\": null}'", "'a' || chr(0) || 'b'", "chr(8238) || 'x'", "chr(10) || chr(9)", "'<b>'"),
        *("'%s %(x)s {0}'", "'FAIL  '", "'Error'", "'no-op'", "'partial success'"),
        *("'row_count'", "'dimension'", "'model.x'"),
        *("'SHOP.CORE.ORDERS'", "'shop.core'", "'.'", "'...'", "'\"'", "'a.b.c.d.e'"),
        *("'2026-13-45'", "'2026-10-30'", "'2026-10-30T25:00:00Z'", "'2026-10-30 05:00:00+0530'", "'0001-01-01'"),
    ),
    "BIGINT": ("NULL", "0", "-1", "9223372036854775807", "-9223372036854775808"),
    "BOOLEAN": ("NULL", "true", "false"),
    "TIMESTAMP": tuple(
        "NULL" if moment is None else f"TIMESTAMP '{moment}'"
        for moment in (
            *(None, "infinity", "-infinity", "0001-01-01", "1969-12-31 23:59:59", "9999-12-31 23:59:59"),
            *("2099-01-01", "290000-01-01", "2026-10-30 05:06:07.000001"),
        )
    ),
}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_odd_cells_stop_no_task_and_no_view(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    choice = random.Random(seed)  # noqa: S311 - no secret
    warehouse = write_duckdb(small_world(days=5), tmp_path / "warehouse.duckdb")
    # The page keeps a connection for a minute: one of another seed must not be taken for it.
    name = f"odd_cells_{seed}"
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(local_store(tmp_path / "store")))
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", name)
    repository = ElementaryStoreHook(name).repository

    for run in ("first", "unchanged", "third"):
        if run != "unchanged":
            _change_cells(warehouse, choice)
        _sync(warehouse, repository, run)

    client = TestClient(create_app(may_see_page=lambda: None, may_see_data=lambda: None))
    pages = [client.get(f"/{view.path}") for view in VIEWS]
    answers = [client.get(f"/api/{view.path or 'overview'}") for view in VIEWS]
    links = sorted({link for page in pages for link in _links(page.text)})
    followed = [client.get(link) for link in choice.sample(links, min(LINKS, len(links)))]
    assert [str(answer.url) for answer in (*pages, *answers, *followed) if answer.status_code >= 500] == []


def _change_cells(warehouse: Path, choice: random.Random) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("USE elementary")
        connection.sql("SELECT setseed(0.5)").fetchall()
        for statement in islice(_changes(connection, choice), choice.randint(5, 60)):
            # A column of a narrow type does not hold each number.
            with suppress(duckdb.ConversionException):
                connection.execute(statement)


def _changes(connection: duckdb.DuckDBPyConnection, choice: random.Random) -> Iterator[str]:
    declared = "SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY ALL"
    columns = [(table, *rest) for table, *rest in connection.sql(declared).fetchall() if table in TABLES]
    while True:
        table, column, kind = choice.choice(columns)
        value, share = choice.choice(VALUES.get(kind, NUMBERS)), choice.choice((0.02, 0.3, 1))
        yield f"UPDATE {table} SET {column} = {value} WHERE random() < {share}"


def _sync(warehouse: Path, repository: Repository, run: str) -> None:
    with WarehouseSource(DuckDBWarehouse(warehouse, "elementary")) as source:
        write_snapshot(source, repository, policy=EVERYTHING, run_key=run)
    snapshot = open_snapshot(repository)
    origin = {"snapshot_id": snapshot.manifest.snapshot_id}
    metrics = update_metrics(repository, snapshot, run_key=run, origin=origin, tests=TESTS)
    configurations = configurations_of(repository, {"metrics": metrics.key, **origin})
    lineage = lineage_of(repository, origin)
    for method in METHODS:
        options, key = EvaluationOptions(method=method), f"{run}-{method}"
        with read_result(repository, metrics.key) as rows:
            found = evaluate_and_store(
                repository,
                rows,
                lineage,
                options,
                series=method,
                run_key=key,
                origin=origin,
                configurations=configurations,
            )
        verdicts = read_verdicts(repository, [found.key or ""])
        of_dbt = dbt_conditions_of(repository, origin, series="all", run_key=key)
        update_incidents(repository, verdicts, lineage, of_dbt, series="all", run_key=key, origin=origin)


def _links(page: str) -> Iterator[str]:
    for link in re.findall(r'href="([^"#]+)"', page):
        if not link.startswith(("http", "mailto")):
            yield "/" + html.unescape(link).lstrip("./")
