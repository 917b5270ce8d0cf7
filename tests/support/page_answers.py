"""What the Elementary page answers, read as a browser or a person would: its routes, its words, its elements."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fastapi.testclient import TestClient

from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.storage.layout import manifest_key
from tests.support.page import token
from tests.support.stores import Rest
from tests.support.tampering import edit_signed

ORDERS = "SHOP.CORE.ORDERS"
DATA_ROUTES = (
    *("/elementary/", "/elementary/tables", f"/elementary/table?name={ORDERS}"),
    *("/elementary/incidents", "/elementary/backtests", "/elementary/tests", "/elementary/runs"),
    *("/elementary/freshness", "/elementary/coverage", "/elementary/lineage"),
)
MANIFEST_ROUTES = ("/elementary/snapshots", "/elementary/snapshot?number=1", "/elementary/access", "/elementary/audit")
DATA_API = tuple(route.replace("/elementary/", "/elementary/api/") for route in DATA_ROUTES[1:])
OF_RUN = "/elementary/of-run?dag_id=sync&run_id=manual&task_id=take&map_index={MAP_INDEX}"
FILES = tuple(f"/elementary/{name}" for name in ("style.css", "icon.svg", "icon-dark.svg"))
ROUTES = (*DATA_ROUTES, *MANIFEST_ROUTES, OF_RUN, *FILES)
VIEWS = (*DATA_ROUTES, *MANIFEST_ROUTES)


def signed_in(api: Any, role: str) -> TestClient:
    client = TestClient(api)
    # As the browser does it: the frame of the page sends the cookie of Airflow's login.
    client.cookies.set("_token", token(api, role))
    return client


def edit_manifest(store: str, directory: Path, edit: Callable[[dict[str, Any]], None]) -> str:
    """Copy a local store, and change its newest manifest as a writer with a bug would."""
    folder = directory / "copy"
    shutil.copytree(unquote(urlsplit(store).path), folder)
    copy = open_store(folder.as_uri())
    edit_signed(Rest(copy, LocalKeys({}), folder), manifest_key(2), edit)
    return copy.uri


def words(html: str) -> str:
    """Return what a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


class Elements(HTMLParser):
    """Every element that a browser would see, with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}

    @property
    def attributes(self) -> set[str]:
        return {name for _, attributes in self.found for name in attributes}

    @property
    def ids(self) -> set[str | None]:
        return {attributes.get("id") for _, attributes in self.found}

    @property
    def links(self) -> list[str]:
        named = [attributes.get("href") for tag, attributes in self.found if tag == "a"]
        return [address for address in named if address]

    @property
    def addresses(self) -> list[str]:
        named = [attributes.get(name) for _, attributes in self.found for name in ("href", "src", "action")]
        return [address for address in named if address]
