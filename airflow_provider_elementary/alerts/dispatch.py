"""Sends pending alerts over each route and records them in the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.alerts.alert import Alert, alert_of, alert_of_many, digest_of, heartbeat
from airflow_provider_elementary.alerts.dbt_meta import AlertMetas, read_alert_metas
from airflow_provider_elementary.alerts.selection import (
    AlertFilter,
    Notification,
    PendingNotification,
    digest_is_due,
    last_digest,
    pending_notifications,
    still_needed,
    thread_of,
)
from airflow_provider_elementary.exceptions import AlertsNotSentError, SnapshotNotFoundError
from airflow_provider_elementary.incidents.answer_effects import answered
from airflow_provider_elementary.incidents.conditions import PROJECT
from airflow_provider_elementary.incidents.store import answers_of, incidents_after, incidents_of
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.snapshots import Repository, open_snapshot
from airflow_provider_elementary.storage.records.answer_log import lost_answers, read_answers
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import (
    anchor_result,
    find_result,
    latest_result,
    newest_result,
    read_result,
    recorded_result,
    write_result,
)

log = logging.getLogger(__name__)

#: Alerts to send, each with what is recorded of it.
_Alerts = list[tuple[Alert, Sequence[PendingNotification | Notification]]]

#: More pending alerts than this for one route are merged into one.
AT_MOST = 10
_NOTIFICATION_SCHEMA = pa.schema(
    [(name.name, pa.timestamp("us") if name.name == "notified_at" else pa.string()) for name in fields(Notification)]
)
_NO_META = "metrics were read from a warehouse: dbt alert meta (owners, channels, suppression) is not applied"


@dataclass(frozen=True)
class Dispatched:
    """The result of sending alerts.

    :param sent: number of alerts sent over each route.
    :param failed: by route, the type of the notifier's error; the message may hold a secret.
    :param open: how many incidents are open.
    :param anchor: a signed statement about the newest record of what was sent, for the next run.
    :param lost: what was removed of these records since the run before, in a sentence.
    """

    sent: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    open: int = 0
    anchor: str | None = None
    lost: str | None = None

    def require_all_sent(self) -> None:
        """Fail if sending over a route failed.

        :raises AlertsNotSentError: a notifier failed.
        """
        if self.failed:
            routes = ", ".join(f"{route} ({error})" for route, error in self.failed.items())
            raise AlertsNotSentError(
                f"Sending failed for route {routes}. Alerts sent over other routes are recorded and not repeated. "
                "Check the connection of the notifier, then run the task again."
            )


def send_alerts(
    repository: Repository,
    incidents: str | None,
    routes: Mapping[str, AlertFilter],
    send: Callable[[str, Alert], str | None],
    *,
    series: str,
    run_key: str,
    now: datetime,
    suppression_hours: float = 0,
    at_most: int = AT_MOST,
    url_of: Callable[[str], str],
    docs_url: str = "",
    anchor: Any = None,
) -> Dispatched:
    """Send each route its pending alerts.

    Notifications are saved in the store after each alert, so that a crash repeats one alert at most. A route that fails
    is skipped for the rest of the run; the others continue.

    :param incidents: the key of the incidents in the store; None for those that are known now, where the tasks before
        failed.
    :param routes: the filter of each route by its name, which identifies the route across runs.
    :param send: sends an alert over the route of that name, returns the thread of the message where the notifier knows
        it, and raises where it cannot.
    :param series: identifies the notifications across runs, as the ids of a DAG and a task.
    :param run_key: identifies the run.
    :param now: UTC without a zone.
    :param suppression_hours: the interval of tables whose meta sets none.
    :param at_most: more pending alerts than this for one route are merged into one.
    :param url_of: returns the address of an incident by its id; empty where it is not known.
    :param docs_url: where the docs are published; empty for what the package's metadata names.
    :param anchor: that of an earlier run, which was kept outside the store; None for nothing.
    """
    number, lost = recorded_result(repository, "alerts", series, anchor)
    is_computed = incidents is not None
    if incidents is None:
        saved = latest_result(repository, "incidents")
        known = _incidents_now(repository, saved)
        incidents = saved.key if saved is not None else ""
    else:
        known = answered(_incidents(repository, incidents), read_answers(repository))
    answers_lost = _lost_answers(repository, incidents)
    metas = _metas(repository, incidents)
    notified = _load_notifications(repository, series)
    if lost is not None:
        # Recorded at once, also where nothing is to be sent: the next run continues from here.
        anchor = _save_notifications(repository, notified, incidents, series, run_key, number)
    sent, failed = dict.fromkeys(routes, 0), {}
    for route, wants in routes.items():
        pending = pending_notifications(
            known, notified, route=route, wants=wants, metas=metas, now=now, suppression_hours=suppression_hours
        )
        if wants.digest:
            alerts = _digest(known, notified, route, wants, metas, now, url_of)
        else:
            alerts = _alerts(pending, at_most, url_of, docs_url)
        if wants.heartbeat and is_computed and not alerts and all(incident.status == "resolved" for incident in known):
            alerts = _heartbeat(incidents, notified, route, now)
        for alert, items in alerts:
            try:
                reply_to = thread_of(notified, route, alert.incidents) if wants.digest is None else None
                thread = send(route, replace(alert, reply_to=reply_to))
            except Exception as error:
                failed[route] = type(error).__name__
                log.warning("alert not sent over %s: %s (%s)", route, alert.title, type(error).__name__)
                break
            log.info("alert sent over %s: %s", route, alert.title)
            sent[route] += 1
            notified += [item if isinstance(item, Notification) else item.sent(route, now, thread) for item in items]
            notified = still_needed(notified, known, now)
            anchor = _save_notifications(repository, notified, incidents, series, run_key, number)
    losses = " ".join(each for each in (lost, answers_lost) if each is not None) or None
    return Dispatched(sent, failed, sum(incident.status == "open" for incident in known), anchor, losses)


def _lost_answers(repository: Repository, incidents: str) -> str | None:
    """Return what was removed of the answers since the incidents were updated with them, in a sentence."""
    result = find_result(repository, incidents) if incidents else None
    return lost_answers(repository, [answers_of(result)]) if result is not None else None


def _heartbeat(incidents: str, notified: Sequence[Notification], route: str, now: datetime) -> _Alerts:
    """Return the heartbeat of a run; its incidents identify the run, so that a retry sends none."""
    if any((each.incident_id, each.route) == (incidents, route) for each in notified):
        return []
    return [(heartbeat(), [Notification(incidents, PROJECT, route, "heartbeat", now)])]


def _digest(
    known: Sequence[Incident],
    notified: Sequence[Notification],
    route: str,
    wants: AlertFilter,
    metas: AlertMetas,
    now: datetime,
    url_of: Callable[[str], str],
) -> _Alerts:
    """Return the digest of a route, if it is due."""
    if wants.digest is None or not digest_is_due(notified, route, wants.digest, now):
        return []
    wanted = [incident for incident in known if wants.passes(incident, metas.of(incident))]
    alert = digest_of(wants.digest, wanted, last_digest(notified, route), url_of)
    return [(alert, [Notification("", PROJECT, route, "digest", now)])]


def _alerts(
    pending: Sequence[PendingNotification], at_most: int, url_of: Callable[[str], str], docs_url: str
) -> _Alerts:
    alerts = [
        alert_of(item.event, item.incident, item.meta, url=url_of(item.incident.incident_id), docs_url=docs_url)
        for item in pending
    ]
    if len(alerts) > at_most:
        return [(alert_of_many(alerts), pending)]
    return [(alert, [item]) for alert, item in zip(alerts, pending, strict=True)]


def _incidents(repository: Repository, key: str) -> list[Incident]:
    with read_result(repository, key) as rows:
        return incidents_of(rows.read_all())


def _incidents_now(repository: Repository, saved: Result | None) -> list[Incident]:
    """Return the incidents as of now: those that were saved last, with the conditions of the store since."""
    try:
        return incidents_after(repository, saved, read_answers(repository))
    except SnapshotNotFoundError:
        # Nothing was ever taken, and no failed sync is recorded.
        return []


def _metas(repository: Repository, incidents: str) -> AlertMetas:
    """Read the alert meta from the snapshot that the incidents were found in."""
    if not incidents:
        return AlertMetas()
    result = find_result(repository, incidents)
    if result is None or not (snapshot_id := result.origin.get("snapshot_id")):
        log.warning(_NO_META)
        return AlertMetas()
    try:
        return read_alert_metas(open_snapshot(repository, snapshot_id))
    except SnapshotNotFoundError:
        log.warning(
            "snapshot %s was removed: dbt alert meta (owners, channels, suppression) is not applied", snapshot_id
        )
        return AlertMetas()


def _load_notifications(repository: Repository, series: str) -> list[Notification]:
    if (newest := newest_result(repository, "alerts", series)) is None:
        return []
    with read_result(repository, newest.key) as rows:
        return [Notification(**row) for row in rows.read_all().to_pylist()]


def _save_notifications(
    repository: Repository, notified: Sequence[Notification], incidents: str, series: str, run_key: str, known: int
) -> str:
    """Save what was sent, and return an anchor of it."""
    rows = pa.Table.from_pylist([asdict(entry) for entry in notified], schema=_NOTIFICATION_SCHEMA)
    origin = {"incidents": incidents} if incidents else {}
    result = write_result(
        repository,
        "alerts",
        rows.to_reader(),
        run_key=run_key,
        origin=origin,
        parameters={},
        series=series,
        known=known,
    )
    return anchor_result(repository, result)
