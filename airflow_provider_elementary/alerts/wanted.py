"""Declares which alerts a route wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class WantedAlerts:
    """Conditions of a route: an empty one matches every alert, and all of them have to match.

    A name with ``!`` before it excludes what it matches, in every field but ``events``.

    :param events: of ``opened``, ``continues`` and ``resolved``. ``continues`` repeats an alert about an open
        incident after each suppression interval, and never where there is no interval.
    :param severities: of ``critical``, ``high``, ``normal`` and ``low``.
    :param tags: a tag of the table or the test, in any case, with or without ``#``.
    :param owners: an owner of theirs, in any case, with or without ``@`` before it.
    :param channels: the channel that the dbt project names.
    :param tables: a table of the incident, in any case: as metrics name it or by its last part, with ``*`` for any
        text: ``orders``, ``shop.marts.*``.
    :param resource_types: of ``test``, ``model`` (runs of models, snapshots and seeds), ``source_freshness``,
        ``anomaly``, ``invocation``, ``sync``, ``markers`` and ``access``, as of one of the conditions.
    :param statuses: the status of one of the conditions, as dbt writes it: ``fail``, ``error``, ``warn``.
    :param downstream: a table or an exposure downstream, named as ``tables`` are: ``exposure *``.
    :param digest: ``daily`` or ``weekly``: one summary in this interval, and no alert for each incident.
    :param heartbeat: send an alert of event ``heartbeat`` in each run that finds no open incident.
    """

    events: Sequence[str] = ("opened", "resolved")
    severities: Sequence[str] = ()
    tags: Sequence[str] = ()
    owners: Sequence[str] = ()
    channels: Sequence[str] = ()
    tables: Sequence[str] = ()
    resource_types: Sequence[str] = ()
    statuses: Sequence[str] = ()
    downstream: Sequence[str] = ()
    digest: str | None = None
    heartbeat: Any = False
