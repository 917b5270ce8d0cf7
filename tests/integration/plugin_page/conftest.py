"""A real API server with the Elementary page, and a store for it to show."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.page import bundle
from airflow_provider_elementary.snapshots import LocalKeys
from tests.support.page import api_server, fill_store
from tests.support.page_answers import signed_in


@pytest.fixture(scope="module")
def api(airflow_db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The server without the script of the build, so that the tests mean the same in every checkout."""
    with pytest.MonkeyPatch.context() as patch, api_server() as app:
        patch.setattr(bundle, "BUILT", tmp_path_factory.mktemp("not-built"))
        bundle.version.cache_clear()
        yield app
    bundle.version.cache_clear()


@pytest.fixture
def anonymous(api: Any) -> TestClient:
    return TestClient(api)


@pytest.fixture
def admin(api: Any) -> TestClient:
    return signed_in(api, "admin")


@pytest.fixture(scope="module")
def master_keys() -> dict[str, str]:
    return LocalKeys.generate()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, master_keys: dict[str, str]) -> str:
    """The URI of a store with two snapshots, metrics and verdicts; only the second snapshot has an access report."""
    return fill_store(tmp_path_factory.mktemp("page"), LocalKeys(master_keys))


@pytest.fixture
def stores(
    monkeypatch: pytest.MonkeyPatch,
    master_keys: dict[str, str],
    airflow_connection: Callable[[str, Mapping[str, object]], str],
) -> Callable[..., list[str]]:
    """Configure the page's stores, with the keys that the store was written with if nothing else is said.

    Returns the ids of their connections, which are new each time: the page caches a connection for a minute.
    """

    def configure(*uris: str, keys: Mapping[str, str] = master_keys, **extra: object) -> list[str]:
        names = [f"page_{uuid.uuid4().hex[:8]}" for _ in uris]
        for name, uri in zip(names, uris, strict=True):
            facts = {"uri": uri, **({"secret_keys": dict(keys)} if keys else {}), **extra}
            airflow_connection(name, {"conn_type": "elementary_store", "extra": facts})
        monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", ", ".join(names))
        return names

    configure()
    return configure
