"""The operators that update incidents from verdicts, and answer one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.links.elementary import ElementaryIncidentLink, ElementaryPageLink, incident_address
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    clear_failures,
    log_group,
    one_task,
    require_no_loss,
    returned_before,
    run_key,
    task_series,
)
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.incidents.answer import AnsweredIncident
    from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
    from airflow_provider_elementary.incidents.store import TrackedIncidents
    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.project.lineage import Lineage
    from airflow_provider_elementary.storage.records.result_document import Result

#: The arguments of an answer.
ANSWER_FIELDS = ("incident_id", "answer", "reason", "until", "since", "assignee", "note", "into", "conditions")
_INCIDENTS_RETURNED = 20
#: Lines of a log before the others are folded.
_UNFOLDED = 3


class ElementaryIncidentOperator(ElementaryStoreOperator):
    """Updates the incidents of the previous run with the verdicts of one task or of all shards.

    :param verdicts: what :class:`~airflow_provider_elementary.operators.anomalies.ElementaryAnomalyOperator` returned,
        or a list of it: its ``output``. (templated)
    """

    template_fields: Sequence[str] = (*ElementaryStoreOperator.template_fields, "verdicts")
    operator_extra_links = (ElementaryPageLink(), ElementaryIncidentLink())
    ui_color = "#f7dcd7"

    def __init__(self, *, verdicts: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdicts = verdicts
        self.summary: dict[str, Any] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Update, store, log, and return the incidents of this run in short."""
        from airflow_provider_elementary.incidents.evaluate import dbt_conditions_of, lineage_of, read_verdicts
        from airflow_provider_elementary.storage.records.results import find_result

        with clear_failures(), one_task(self, context):
            given = [self.verdicts] if isinstance(self.verdicts, Mapping) else list(self.verdicts)
            keys, origin = [shard["verdicts"] for shard in given], given[0]["origin"] if given else {}
            verdicts, lineage = read_verdicts(self.repository, keys), lineage_of(self.repository, origin)
            of_dbt = dbt_conditions_of(self.repository, origin, series=task_series(context), run_key=run_key(context))
            found = [find_result(self.repository, key) for key in keys]
            # Of some of the shards alone, the page would show too little.
            results = [result for result in found if result is not None] if None not in found else []
            incidents, lost = track_and_store_incidents(self, context, verdicts, results, lineage, of_dbt, origin)
            self.summary = {"store": self.repository.uri, "verdicts": keys, **incidents}
            require_no_loss(context, lost, self.summary)
        return self.summary


class ElementaryIncidentAnswerOperator(ElementaryStoreOperator):
    """Records what a person says about an incident: alerts, page, command line and detector read it.

    Who answered is the user who triggered the DAG run. Every argument may be an empty text or None where the answer
    does not need it; one that it cannot take is refused.

    :param incident_id: of the incident. (templated)
    :param answer: ``acknowledge``, ``assign``, ``mute``, ``expected``, ``new-normal``, ``note``, ``resolve``, ``merge``
        or ``split``. (templated)
    :param reason: why it was expected: ``insignificant``, ``planned``, ``business-change`` or ``data-fix``. (templated)
    :param until: until when it is muted or expected, UTC, ISO 8601. (templated)
    :param since: when the new normal began, UTC, ISO 8601. (templated)
    :param assignee: who looks after it. (templated)
    :param note: a remark, with any answer. (templated)
    :param into: the incident to merge it into, by its id. (templated)
    :param conditions: ids of the conditions to split off. (templated)
    """

    template_fields: Sequence[str] = (*ElementaryStoreOperator.template_fields, *ANSWER_FIELDS)
    operator_extra_links = (ElementaryPageLink(), ElementaryIncidentLink())
    ui_color = "#f7dcd7"

    def __init__(
        self,
        *,
        incident_id: str,
        answer: str,
        reason: str | None = None,
        until: str | None = None,
        since: str | None = None,
        assignee: str | None = None,
        note: str | None = None,
        into: str | None = None,
        conditions: Sequence[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.incident_id = incident_id
        self.answer = answer
        self.reason = reason
        self.until = until
        self.since = since
        self.assignee = assignee
        self.note = note
        self.into = into
        self.conditions = conditions
        dag = self.get_dag()
        # Later, a run adds what is in its conf to the fields of the form.
        self._form = frozenset(dag.params) if dag else None
        #: What :meth:`execute` returned, for the task's links.
        self.summary: dict[str, Any] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Record the answer, log it, and return it in short."""
        with clear_failures():
            self._refuse_unknown(context["dag_run"].conf)
            answered = self._answer(context)
            answer, title = answered.answer, answered.incident.title
            self.log.info("%s answered %s: %s", answer.answered_by or "a person", answer.answer, title)
            # The link "Incident" leads to it.
            changes = [{"incident_id": answer.incident_id, "title": title}]
            self.summary = {
                "store": self.repository.uri,
                "changes": changes,
                **answer.to_dict(),
                "answers_anchor": answered.anchor,
            }
            require_no_loss(context, answered.lost, self.summary)
        return self.summary

    def _answer(self, context: Context) -> AnsweredIncident:
        from airflow_provider_elementary.incidents.answer import answer_incident
        from airflow_provider_elementary.storage.records.answers import AnswerRequest

        now = utc_now()
        return answer_incident(
            self.repository,
            AnswerRequest.parse({name: getattr(self, name) for name in ANSWER_FIELDS}, now),
            answered_by=getattr(context["dag_run"], "triggering_user_name", None),
            run_key=run_key(context),
            now=now,
            anchor=returned_before(context).get("answers_anchor"),
        )

    def _refuse_unknown(self, conf: Mapping[str, Any] | None) -> None:
        """Refuse fields that the form of the DAG does not have: Airflow's API accepts any."""
        if self._form is not None and (unknown := sorted(str(name) for name in set(conf or ()) - self._form)):
            raise ConfigurationError(
                f"The run has the unknown field {', '.join(unknown)[:200]!r}. The fields are "
                f"{', '.join(sorted(self._form))}."
            )


def track_and_store_incidents(
    operator: ElementaryStoreOperator,
    context: Context,
    verdicts: pa.Table,
    results: Sequence[Result],
    lineage: Lineage,
    of_dbt: DbtConditions | None,
    origin: Mapping[str, Any],
) -> tuple[dict[str, Any], str | None]:
    """Update the incidents of a task's previous run, log what changed, and return them in short, for XCom.

    What the page shows first is then stored too.

    :param results: those that hold the verdicts.
    :return: also what was removed of them since that run, in a sentence.
    """
    from airflow_provider_elementary.incidents.store import update_incidents
    from airflow_provider_elementary.incidents.store_summary import write_summary

    before = returned_before(context)
    tracked = update_incidents(
        operator.repository,
        verdicts,
        lineage,
        of_dbt,
        series=task_series(context),
        run_key=run_key(context),
        origin=origin,
        anchor=before.get("incidents_anchor"),
        answers_anchor=before.get("answers_anchor"),
    )
    write_summary(operator.repository, tracked, verdicts, results, run_key=run_key(context), origin=origin)
    _log(operator.log, tracked, operator.store_conn_id)
    changes = [_brief(incident) for incident in tracked.current[:_INCIDENTS_RETURNED]]
    returned = {
        "incidents": tracked.key,
        "incidents_anchor": tracked.anchor,
        "answers_anchor": tracked.answers_anchor,
        "open_incidents": tracked.open,
        "changes": changes,
    }
    return returned, tracked.lost


def _log(log: Any, tracked: TrackedIncidents, store: str | None) -> None:
    """Log the incidents that opened as warnings, fold the others, and log the counts."""
    incidents = tracked.current
    opened = [incident for incident in incidents if incident.transition == "opened"]
    others = [*opened[_UNFOLDED:], *(incident for incident in incidents if incident.transition != "opened")]
    for incident in opened[:_UNFOLDED]:
        address = incident_address(incident.incident_id, store)
        log.warning("incident opened (%s): %s; see %s", incident.severity, incident.title, address)
    if others:
        with log_group(log, f"{len(others)} further incidents"):
            for incident in others:
                log.info("incident %s %s: %s", incident.incident_id, incident.transition, incident.title)
    counts = Counter(incident.transition for incident in incidents)
    log.info(
        "incidents: %s opened, %s continue, %s resolved; %s open now",
        counts["opened"],
        counts["continues"],
        counts["resolved"],
        tracked.open,
    )


def _brief(incident: Incident) -> dict[str, Any]:
    return {
        "incident_id": incident.incident_id,
        "transition": incident.transition,
        "severity": incident.severity,
        "root": incident.root,
        "followers": list(incident.followers),
        "started_at": incident.started_at.isoformat(),
        "title": incident.title,
        "conditions": len(incident.conditions),
    }
