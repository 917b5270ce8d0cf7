"""Answers a view of a store as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_elementary.page.failures import describe_failure
from airflow_provider_elementary.page.json_values import json_of
from airflow_provider_elementary.page.store_reader import Readers
from airflow_provider_elementary.page.views.base import Request
from airflow_provider_elementary.page.views.registry import View


def answer(readers: Readers, store: str, shown: View, values: Mapping[str, str]) -> tuple[dict[str, Any], int]:
    """Return what a view shows and the status of HTTP; an error is the sentence that the view would show.

    :param store: the connection of the store.
    :param values: as in the address of the view.
    """
    try:
        built = shown.build(Request(readers.of(store), values))
        return {"store": store, "view": shown.path or "overview", **json_of(built)}, 200
    except Exception as error:
        status_code, text = describe_failure(error, f"{shown.title} as JSON")
        return {"error": text}, status_code
