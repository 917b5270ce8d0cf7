"""Links tasks to the Elementary page and the S3 console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


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
        return view_address("backtests", str(operator.store_conn_id)) if summary else ""


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


def view_address(view: str, store: str) -> str:
    """Return the address of a view outside Airflow's frame: inside it, only the first view has an address.

    :param view: the view's path.
    :param store: the connection of the store to show.
    """
    return f"{_own_address()}/elementary/{view}?{urlencode({'store': store})}"


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
