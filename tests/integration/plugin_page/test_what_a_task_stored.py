"""The page shows the same from what a task stored for it as from the store's files, with less."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_elementary.page.json_answers import answer
from airflow_provider_elementary.page.store_reader import Readers
from airflow_provider_elementary.page.views.registry import VIEWS
from airflow_provider_elementary.snapshots import LocalKeys, Repository, open_store
from tests.support.connections import local_store
from tests.support.page import add_incidents, fill_store
from tests.support.signing import opened

TABLE = "SHOP.CORE.ORDERS"
COLUMNS = "state,trend,passing,last_run,duration,rows,freshness"
#: Each view with the values of its address; those that are left out show nothing of a summary.
SHOWN: tuple[tuple[str, dict[str, str]], ...] = (
    *((path, {}) for path in ("", "tests", "runs", "freshness", "coverage", "lineage", "incidents")),
    ("tables", {"columns": COLUMNS}),
    ("table", {"name": TABLE}),
)
#: These need no rows: they are answered without the libraries that read them.
LIGHT = ("/", f"/tables?columns={COLUMNS}", "/runs", "/freshness", "/lineage", "/incidents", "/snapshots", "/access")
_PROGRAM = """
import sys
from fastapi.testclient import TestClient
from airflow_provider_elementary.page.app import create_app
client = TestClient(create_app(may_see_page=lambda: None, may_see_data=lambda: None))
for address in sys.argv[1:]:
    response = client.get(address)
    assert response.status_code == 200 and 'role="alert"' not in response.text, response.text
print("loaded", [name for name in ("pyarrow", "duckdb", "pandas", "numpy", "sqlglot") if name in sys.modules])
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    directory, keys = tmp_path_factory.mktemp("stored"), LocalKeys.generate()
    repository = opened(open_store(fill_store(directory, LocalKeys(keys))), LocalKeys(keys))
    add_incidents(repository)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__ELEMENTARY__STORES", "page_store")
        patch.setenv("AIRFLOW_CONN_PAGE_STORE", json.dumps(local_store(directory / "store", keys)))
        yield repository


def answers() -> dict[str, Any]:
    views, readers = {view.path: view for view in VIEWS}, Readers()
    return {path: answer(readers, "page_store", views[path], values) for path, values in SHOWN}


def loaded_after(*addresses: str) -> str:
    """Return which of the large libraries a process has imported after it was asked for some addresses."""
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *addresses], check=False, capture_output=True, text=True, timeout=300
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout.splitlines()[-1]


def test_the_libraries_that_read_rows_are_not_loaded(airflow_db: None, repository: Repository) -> None:
    assert loaded_after(*LIGHT) == "loaded []"


def test_no_view_imports_pandas(airflow_db: None, repository: Repository) -> None:
    """Arrow imports it for Python's values: a third of a second, and 30 MB of each process of the API server."""
    reader = Readers().of("page_store")
    [run, *_], [incident, *_] = reader.timeline(repository.latest()).commands, reader.incidents() or ()
    names = {"table": TABLE, "run": run.invocation_id, "incident": incident.incident_id}
    heavy = (
        *(f"/{view}?{'name' if view == 'table' else 'id'}={name}" for view, name in names.items()),
        *("/tests", "/coverage", "/backtests", "/compare?before=1&after=2", "/snapshot?number=2", "/audit"),
    )

    assert loaded_after(*LIGHT, *heavy) == "loaded ['pyarrow', 'duckdb', 'numpy']"


def test_every_view_shows_the_same_without_it(airflow_db: None, repository: Repository) -> None:
    stored = answers()
    [summary] = [found.key for found in repository.store.list("results/summaries/")]
    repository.store.delete(summary)

    read = answers()

    for path, _ in SHOWN:
        assert stored[path] == read[path], path


def test_it_is_not_shown_for_another_snapshot_or_newer_incidents(airflow_db: None, repository: Repository) -> None:
    add_incidents(repository, "with a summary")
    newer = add_incidents(repository, "without one", with_summary=False)
    reader = Readers().of("page_store")

    summary = reader.summary(repository.latest())

    assert summary is not None
    assert summary.incidents_key != newer.key
    incidents = reader.incidents()
    assert incidents is not None
    assert incidents is not summary.incidents
    assert {incident.incident_id for incident in incidents} == {one.incident_id for one in newer.incidents}
    assert reader.summary(reader.manifest(1)) is None
