"""The page's script: served where the build made it, and named by no view where it did not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient

from airflow_provider_elementary.page import bundle
from airflow_provider_elementary.page.app import create_app


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(bundle, "BUILT", tmp_path)
    monkeypatch.delenv("AIRFLOW__ELEMENTARY__STORES", raising=False)
    bundle.version.cache_clear()
    yield tmp_path
    bundle.version.cache_clear()


def page() -> TestClient:
    return TestClient(create_app(may_see_page=lambda: None, may_see_data=lambda: None))


def test_a_view_names_the_script_by_what_it_was_built_from(built: Path) -> None:
    (built / "built-from.txt").write_text("0123456789abcdef")
    (built / "page.js").write_text("export {};")

    client = page()
    answer = client.get("/page.js?v=0123456789ab")

    assert '<script src="page.js?v=0123456789ab" type="module">' in client.get("/").text
    assert (answer.status_code, answer.text) == (200, "export {};")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_without_a_build_no_view_names_a_script(built: Path) -> None:
    client = page()

    assert "<script" not in client.get("/").text
    assert client.get("/page.js").status_code == 404


def test_the_script_is_served_to_those_who_may_see_the_page(built: Path) -> None:
    (built / "built-from.txt").write_text("0123456789abcdef")
    (built / "page.js").write_text("export {};")

    def refuse() -> None:
        raise HTTPException(403)

    app = create_app(may_see_page=refuse, may_see_data=lambda: None)

    assert TestClient(app).get("/page.js").status_code == 403
