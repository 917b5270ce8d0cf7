"""How people name snapshots, in forms and on the command line."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_elementary.times import in_utc


def parse_snapshot(text: str) -> str | datetime:
    """Return what a person wrote as :func:`~airflow_provider_elementary.snapshots.open_snapshot` takes it.

    :param text: ``latest``, a snapshot's id, or a time in ISO 8601; a time without a zone is UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return in_utc(moment)
