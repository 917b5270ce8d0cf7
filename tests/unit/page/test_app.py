"""The application of the page below a prefix of Airflow."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_provider_elementary.page.app import create_app, refuse_everybody


@pytest.mark.parametrize("prefix", ["/elementary", "/api/airflow/elementary"])
@pytest.mark.parametrize(("path", "kind"), [("tables", "text/html"), ("api/tables", "application/json")])
def test_a_refusal_is_json_for_a_program_only_wherever_airflow_is(prefix: str, path: str, kind: str) -> None:
    server = FastAPI()
    server.mount(prefix, create_app(may_see_page=refuse_everybody, may_see_data=refuse_everybody))

    answer = TestClient(server).get(f"{prefix}/{path}")

    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith(kind)
