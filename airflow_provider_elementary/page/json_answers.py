"""Answers a view of a store as JSON values."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.page.json_values import json_of
from airflow_provider_elementary.page.store_reader import Readers
from airflow_provider_elementary.page.views.base import NotHereError, Request
from airflow_provider_elementary.page.views.registry import View

log = logging.getLogger(__name__)


def answer(readers: Readers, store: str, shown: View, values: Mapping[str, str]) -> tuple[dict[str, Any], int]:
    """Return what a view shows and the status of HTTP; an error is the sentence that the view would show.

    :param store: the connection of the store.
    :param values: as in the address of the view.
    """
    try:
        built = shown.build(Request(readers.of(store), values))
        return {"store": store, "view": shown.path or "overview", **json_of(built)}, 200
    except NotHereError as error:
        return {"error": str(error)}, 404
    except ElementaryError as error:
        return {"error": str(error)}, 503
    except Exception as error:
        log.error("answering %s of the Elementary page failed", shown.title, exc_info=error)
        return {"error": f"The answer failed: {type(error).__name__}. See the log of the API server."}, 500
