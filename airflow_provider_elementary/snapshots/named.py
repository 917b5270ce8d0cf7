"""How people name snapshots, in forms and on the command line."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_snapshot(text: str) -> str | datetime:
    """Return what a person wrote as :func:`~airflow_provider_elementary.snapshots.open_snapshot` takes it.

    :param text: ``latest``, a snapshot's id, or a time in ISO 8601; a time without a zone is UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
