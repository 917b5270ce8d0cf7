"""The operator that updates incidents from verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.links.elementary import ElementaryPageLink
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    clear_failures,
    log_group,
    run_key,
    task_series,
)

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.store import Followed
    from airflow_provider_elementary.incidents.tracking import Incident

_INCIDENTS_RETURNED = 20
#: Lines of a log before the others are folded.
_UNFOLDED = 3


class ElementaryIncidentOperator(ElementaryStoreOperator):
    """Updates the incidents of the previous run with the verdicts of one task or of all shards.

    :param verdicts: what :class:`~airflow_provider_elementary.operators.anomalies.ElementaryAnomalyOperator` returned,
        or a list of it: its ``output``. (templated)
    """

    template_fields: Sequence[str] = (*ElementaryStoreOperator.template_fields, "verdicts")
    operator_extra_links = (ElementaryPageLink(),)
    ui_color = "#f7dcd7"

    def __init__(self, *, verdicts: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdicts = verdicts

    def execute(self, context: Context) -> dict[str, Any]:
        """Update, store, log, and return the incidents of this run in short."""
        from airflow_provider_elementary.incidents.evaluate import lineage_of, read_verdicts, update_incidents

        with clear_failures():
            given = [self.verdicts] if isinstance(self.verdicts, Mapping) else list(self.verdicts)
            keys, origin = [shard["verdicts"] for shard in given], given[0]["origin"] if given else {}
            followed = update_incidents(
                self.repository,
                read_verdicts(self.repository, keys),
                lineage_of(self.repository, origin),
                series=task_series(context),
                run_key=run_key(context),
                origin=origin,
            )
        log_incidents(self.log, followed)
        return {"store": self.repository.uri, "verdicts": keys, **describe_incidents(followed)}


def describe_incidents(followed: Followed) -> dict[str, Any]:
    """Return incidents in short, for XCom."""
    changes = [_brief(incident) for incident in followed.current[:_INCIDENTS_RETURNED]]
    return {"incidents": followed.key, "open_incidents": followed.open, "changes": changes}


def log_incidents(log: Any, followed: Followed) -> None:
    """Log the incidents that opened as warnings, fold the others, and log the counts."""
    incidents = followed.current
    opened = [incident for incident in incidents if incident.transition == "opened"]
    others = [*opened[_UNFOLDED:], *(incident for incident in incidents if incident.transition != "opened")]
    for incident in opened[:_UNFOLDED]:
        log.warning("incident opened: %s", incident.sentence)
    if others:
        with log_group(log, f"{len(others)} further incidents"):
            for incident in others:
                log.info("incident %s %s: %s", incident.incident_id, incident.transition, incident.sentence)
    counts = Counter(incident.transition for incident in incidents)
    log.info(
        "incidents: %s opened, %s continue, %s resolved; %s open now",
        counts["opened"],
        counts["continues"],
        counts["resolved"],
        followed.open,
    )


def _brief(incident: Incident) -> dict[str, Any]:
    return {
        "incident_id": incident.incident_id,
        "transition": incident.transition,
        "severity": incident.severity,
        "root": incident.root,
        "followers": list(incident.followers),
        "started_at": incident.started_at.isoformat(),
        "sentence": incident.sentence,
    }
