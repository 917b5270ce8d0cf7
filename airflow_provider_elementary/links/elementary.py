"""Links tasks to the Elementary page and the S3 console."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

#: From this version on, an address below the frame of Airflow's UI opens that view in the frame.
_FRAMED_FROM = (3, 3, 2)


class ElementaryPageLink(BaseOperatorLink):
    """Opens the Elementary page of Airflow's UI."""

    name = "Elementary page"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the page's address."""
        return page_address() or "/plugin/elementary"


class ElementaryBacktestLink(BaseOperatorLink):
    """Opens the Backtests view of the Elementary page, for the store of the task."""

    name = "Backtest"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the view's address, or an empty text where the task wrote no backtest."""
        summary = getattr(operator, "summary", None)
        return view_address("backtests", operator.store_conn_id) if summary else ""


class ElementaryIncidentLink(BaseOperatorLink):
    """Opens the incident that a task opened, continued or resolved; the list where there are several."""

    name = "Incident"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the view's address, or an empty text where the task changed no incident."""
        changes = (getattr(operator, "summary", None) or {}).get("changes", ())
        if len(changes) == 1:
            return incident_address(changes[0]["incident_id"], operator.store_conn_id)
        return view_address("incidents", operator.store_conn_id) if changes else ""


class ElementaryManifestLink(BaseOperatorLink):
    """Opens the snapshot's manifest in the S3 console; there is no link to a local store."""

    name = "Snapshot manifest"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the manifest's address, or an empty text where the task wrote no snapshot to S3."""
        # Airflow calls this in the worker after the task, failed or not. A failed task has no XCom, and reading it
        # would write an error to the task's log.
        summary = getattr(operator, "summary", None)
        return manifest_address(summary) if summary else ""


def page_address() -> str:
    """Return the address of the Elementary page, or an empty text where Airflow has no base_url."""
    base = _own_address()
    return f"{base}/plugin/elementary" if base else ""


def view_address(view: str, store: str | None, **values: str) -> str:
    """Return the address of a view: in Airflow's frame where that is possible, else outside it.

    :param view: the view's path.
    :param store: the connection of the store to show; None for the first one of the page.
    :param values: further values of the address.
    """
    chosen = {"store": store} if store else {}
    version = tuple(int(part) for part in re.findall(r"\d+", airflow_version)[:3])
    frame = "/plugin/elementary" if version >= _FRAMED_FROM else ""
    return f"{_own_address()}{frame}/elementary/{view}?{urlencode({**values, **chosen})}"


def incident_address(incident_id: str, store: str | None) -> str:
    """Return the address of one incident."""
    return view_address("incident", store, id=incident_id)


def manifest_address(summary: dict[str, Any]) -> str:
    """Return the address of the manifest in the S3 console.

    :param summary: what the snapshot operator returns.
    :return: empty for a store that is not on S3.
    """
    from airflow_provider_elementary.storage.layout import manifest_key

    store = urlsplit(str(summary.get("store")))
    if store.scheme != "s3" or "sequence" not in summary:
        return ""
    prefix = f"{store.path.strip('/')}/".lstrip("/")
    key = prefix + manifest_key(int(summary["sequence"]))
    return f"https://s3.console.aws.amazon.com/s3/object/{quote(store.netloc)}?{urlencode({'prefix': key})}"


def _own_address() -> str:
    return (conf.get("api", "base_url", fallback=None) or "").rstrip("/")
