"""Applies what people answered to conditions, incidents and detection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_elementary.incidents.conditions import Condition, metric_of
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.storage.records.answers import Answer, AnsweredCondition
from airflow_provider_elementary.times import minute_in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.anomalies.feedback import Feedback

#: These answers end a condition. The last two are for metrics only: a dbt test ends with its next result.
_ENDING = ("resolve", "expected", "new-normal")


def with_answers(conditions: Iterable[Condition], answers: Sequence[Answer]) -> list[Condition]:
    """Return the conditions, each once; those that people answered to be over have ended.

    Newer evidence than the answer begins a new condition. Where a new level was accepted, it does not: all buckets
    belong to the old condition until one is as expected.
    """
    ends = _endings(answers)
    found: dict[str, Condition] = {}
    for condition in conditions:
        for each in _ended(condition, ends):
            known = found.get(each.condition_id)
            if known is None or known.last_seen <= each.last_seen:
                found[each.condition_id] = each
    return list(found.values())


def moves(answers: Iterable[Answer]) -> dict[str, str]:
    """Return the incident that each merged or split condition belongs to, by the condition's id."""
    found: dict[str, str] = {}
    for each in answers:
        if each.answer == "merge" and each.into:
            found.update(dict.fromkeys((condition.condition_id for condition in each.conditions), each.into))
        elif each.answer == "split" and each.conditions:
            found.update(dict.fromkeys((condition.condition_id for condition in each.conditions), split_id(each)))
    return found


def split_id(answer: Answer) -> str:
    """Return the id of the incident that an answer splits off."""
    first = min(condition.condition_id for condition in answer.conditions)
    return hashlib.sha256(f"incident|split|{first}".encode()).hexdigest()[:16]


def merged_into(answers: Iterable[Answer]) -> dict[str, str]:
    """Return the incident that each merged one is part of now, by its id."""
    found: dict[str, str] = {}
    for each in answers:
        if each.answer == "merge" and each.into:
            found = {merged: each.into if into == each.incident_id else into for merged, into in found.items()}
            found[each.incident_id] = each.into
            found.pop(each.into, None)
    return found


def feedback_of_answers(answers: Iterable[Answer]) -> list[Feedback]:
    """Return what the answers say about series, for the detector."""
    from airflow_provider_elementary.anomalies.feedback import Feedback

    found = []
    for each in answers:
        if each.answer not in ("expected", "new-normal"):
            continue
        for condition in each.conditions:
            if condition.kind != "anomaly":
                continue
            table, metric, dimension = metric_of(condition.subject, condition.column)
            found.append(
                Feedback(
                    "expected" if each.answer == "expected" else "new normal",
                    full_table_name=table,
                    column_name=condition.column,
                    metric_name=metric,
                    dimension=dimension,
                    since=datetime.fromisoformat(each.since or condition.started_at),
                    until=None if each.answer == "new-normal" else _covered(each, condition),
                )
            )
    return found


def answered(incidents: Iterable[Incident], answers: Sequence[Answer]) -> list[Incident]:
    """Return incidents with the answers to them and to those that were merged into them."""
    homes = merged_into(answers)
    by_incident: dict[str, list[Answer]] = {}
    for each in answers:
        by_incident.setdefault(homes.get(each.incident_id, each.incident_id), []).append(each)
    merged: dict[str, list[str]] = {}
    for one, into in homes.items():
        merged.setdefault(into, []).append(one)
    return [
        replace(
            incident,
            answers=tuple(by_incident.get(incident.incident_id, ())),
            merged=tuple(merged.get(incident.incident_id, ())),
        )
        for incident in incidents
    ]


def _endings(answers: Iterable[Answer]) -> Mapping[str, list[tuple[Answer, AnsweredCondition]]]:
    found: dict[str, list[tuple[Answer, AnsweredCondition]]] = {}
    for each in answers:
        for condition in each.conditions if each.answer in _ENDING else ():
            if each.answer == "resolve" or condition.kind == "anomaly":
                found.setdefault(condition.condition_id, []).append((each, condition))
    return found


def _ended(condition: Condition, ends: Mapping[str, Sequence[tuple[Answer, AnsweredCondition]]]) -> Iterator[Condition]:
    for answer, known in ends.get(condition.condition_id, ()):
        seen, covered = datetime.fromisoformat(known.last_seen), _covered(answer, known)
        if condition.ended_at is not None and condition.ended_at <= covered:
            break
        state = {"resolve": "resolved", "expected": "expected"}.get(answer.answer, "new normal")
        at = minute_in_utc(datetime.fromisoformat(answer.answered_at))
        said = f"{answer.answered_by or 'a person'} answered {state} at {at}"
        yield replace(condition, last_seen=min(condition.last_seen, seen), ended_at=seen, state=state, evidence=said)
        if condition.last_seen > covered and answer.answer != "new-normal":
            # Later evidence began when the known one ended, as far as can be seen.
            yield from _ended(replace(condition, started_at=covered), ends)
        return
    yield condition


def _covered(answer: Answer, condition: AnsweredCondition) -> datetime:
    """Return up to when an answer is about the evidence of a condition."""
    seen = datetime.fromisoformat(condition.last_seen)
    return max(seen, _until(answer)) if answer.until else seen


def _until(answer: Answer) -> datetime:
    return datetime.fromisoformat(answer.until) if answer.until else datetime.max
