"""Describes why a view has no answer."""

from __future__ import annotations

import logging

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.page.store_status import SEE_LOG
from airflow_provider_elementary.page.views.base import NotHereError

log = logging.getLogger(__name__)

#: The status of HTTP where the store cannot be read.
UNREADABLE = 503


def describe_failure(error: Exception, title: str) -> tuple[int, str]:
    """Return the status of HTTP and the sentence for an error; one that nobody foresaw is logged.

    :param title: of what was asked for, for the log.
    """
    if isinstance(error, NotHereError):
        return 404, str(error)
    if isinstance(error, ElementaryError):
        return UNREADABLE, str(error)
    log.error("answering %s of the Elementary page failed", title, exc_info=error)
    return 500, f"The answer failed: {type(error).__name__}. {SEE_LOG}"
