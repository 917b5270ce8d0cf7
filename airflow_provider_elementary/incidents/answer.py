"""Answers an incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.answer_effects import merged_into
from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.store import answers_of, incidents_after
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.project.reading import read_rows
from airflow_provider_elementary.snapshots import Repository
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.records.answer_log import (
    anchor_answers,
    append_answer,
    known_answers,
    lost_answers,
    recorded_answers,
)
from airflow_provider_elementary.storage.records.answers import Answer, AnsweredCondition, AnswerRequest
from airflow_provider_elementary.storage.records.results import latest_result

#: Where dbt lists what it tests and builds.
_PROJECT = ("dbt_tests", "dbt_models", "dbt_snapshots", "dbt_seeds", "dbt_sources")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class AnsweredIncident:
    """An incident after an answer.

    :param answer: the answer as it is recorded.
    :param incident: with the answer as far as it is recorded there.
    :param anchor: a signed statement about the answers, for the next answer.
    :param lost: what was removed of the answers before, in a sentence.
    """

    answer: Answer
    incident: Incident
    anchor: str | None
    lost: str | None


def answer_incident(
    repository: Repository,
    request: AnswerRequest,
    *,
    answered_by: str | None,
    run_key: str,
    now: datetime,
    anchor: Any = None,
) -> AnsweredIncident:
    """Record what a person says about an incident; a second time for the same run changes nothing.

    :param answered_by: the user of Airflow or of the operating system; None where it is not known.
    :param run_key: identifies the run or the command.
    :param now: UTC without a zone.
    :param anchor: that of an earlier answer, which was kept outside the store; None for nothing.
    :raises ConfigurationError: there is no such incident, or the answer does not fit it.
    :raises SnapshotConflictError: other writers were faster, several times; a retry may help.
    """
    answer_id = sha256(run_key.encode())[:32]
    given = known_answers(repository)
    known = given.answers
    saved = latest_result(repository, "incidents")
    incidents = incidents_after(repository, saved, known)
    recorded = [recorded_answers(repository, anchor), answers_of(saved) if saved else None]
    lost = lost_answers(repository, recorded)
    home = merged_into(known).get(request.incident_id, request.incident_id)
    if (same := next((each for each in known if each.answer_id == answer_id), None)) is not None:
        found = next((each for each in incidents if each.incident_id in (same.incident_id, same.into)), None)
        if found is not None:
            return AnsweredIncident(same, found, anchor_answers(repository, given.place), lost)
    incident = _find(incidents, home, repository)
    answer = Answer(
        answer_id=answer_id,
        incident_id=incident.incident_id,
        answer=request.answer,
        answered_by=answered_by[:_LONGEST_NAME] if answered_by else None,
        answered_at=now.isoformat(timespec="seconds"),
        conditions=tuple(_as_answered(each) for each in _meant(repository, incident, request)),
        reason=request.reason,
        until=request.until.isoformat() if request.until else None,
        since=request.since.isoformat() if request.since else None,
        assignee=request.assignee,
        note=request.note,
        into=_target(incidents, incident, request, repository, known),
    )
    number = max((place.number for place in recorded if place is not None), default=0)
    kept, place = append_answer(repository, answer, known=number)
    answered = replace(incident, answers=(*incident.answers, answer))
    return AnsweredIncident(kept, answered, anchor_answers(repository, place), lost)


def _find(incidents: list[Incident], incident_id: str, repository: Repository) -> Incident:
    found = next((each for each in incidents if each.incident_id == incident_id), None)
    if found is None:
        raise ConfigurationError(
            f"Incident {incident_id!r} is not known in {repository.uri}. `airflow-elementary incidents` lists those "
            "that exist."
        )
    return found


def _meant(repository: Repository, incident: Incident, request: AnswerRequest) -> list[Condition]:
    """Return the conditions that an answer is about.

    :raises ConfigurationError: the answer does not fit the incident.
    """
    if request.answer == "note":
        return []
    if incident.status == "resolved":
        raise ConfigurationError(
            f"Incident {incident.incident_id} is resolved, so it takes a note only. What begins later is a new "
            "incident: answer that one."
        )
    if request.answer == "resolve":
        _require_over(repository, incident)
    if request.answer == "new-normal" and not any(each.kind == "anomaly" for each in incident.holding):
        raise ConfigurationError(
            f"No metric of incident {incident.incident_id} is anomalous, so there is no new normal. What a dbt test "
            "accepts is defined in the dbt project: answer expected, or mute it."
        )
    if request.answer == "split":
        return _split(incident, request)
    return list(incident.conditions if request.answer == "merge" else incident.holding)


def _require_over(repository: Repository, incident: Incident) -> None:
    """Refuse to resolve what dbt's next result decides."""
    of_dbt = [each for each in incident.holding if each.kind in ("test", "run", "source_freshness")]
    if not of_dbt:
        return
    source = repository.source()
    missing: list[str] = []
    there = {
        unique_id
        for table in _PROJECT
        for unique_id in read_rows(source, table, ("unique_id",), missing=missing)["unique_id"].to_pylist()
    }
    # Without a list of the project, nothing says that a test was removed from it.
    if holding := next((each for each in of_dbt if each.subject in there or missing or not there), None):
        raise ConfigurationError(
            f"Incident {incident.incident_id} is not over: {holding.title}, and its next good result resolves it. Run "
            "it again; until then acknowledge, mute, or answer expected."
        )


def _split(incident: Incident, request: AnswerRequest) -> list[Condition]:
    by_id = {each.condition_id: each for each in incident.conditions}
    if unknown := [each for each in request.conditions if each not in by_id]:
        raise ConfigurationError(
            f"Incident {incident.incident_id} has no condition {', '.join(unknown[:5])}. `airflow-elementary incidents "
            "--json` lists them."
        )
    if len(request.conditions) == len(by_id):
        raise ConfigurationError(
            f"These are all conditions of incident {incident.incident_id}, so nothing is left to split from. Name some."
        )
    return [by_id[each] for each in request.conditions]


def _target(
    incidents: list[Incident],
    incident: Incident,
    request: AnswerRequest,
    repository: Repository,
    known: Sequence[Answer],
) -> str | None:
    if request.into is None:
        return None
    into = _find(incidents, merged_into(known).get(request.into, request.into), repository)
    if into.incident_id == incident.incident_id:
        raise ConfigurationError(f"Incident {into.incident_id} cannot be merged into itself. Name another one.")
    if into.status == "resolved":
        raise ConfigurationError(
            f"Incident {into.incident_id} is resolved, and a resolved one is not opened again. Merge it into this one "
            "if both are open."
        )
    return into.incident_id


def _as_answered(condition: Condition) -> AnsweredCondition:
    return AnsweredCondition(
        condition_id=condition.condition_id,
        kind=condition.kind,
        subject=condition.subject,
        table=condition.table,
        column=condition.column,
        started_at=condition.started_at.isoformat(),
        last_seen=condition.last_seen.isoformat(),
    )
