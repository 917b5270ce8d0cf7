"""What people can answer to an incident: which texts are an answer, and which are refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.storage.records.answers import ANSWERS, FIELDS, REASONS, AnswerRequest

NOW = datetime(2026, 11, 4, 12)
ID = "0123456789abcdef"
GIVEN: dict[str, Any] = {
    "reason": "planned",
    "until": "2026-12-01",
    "since": "2026-11-01",
    "assignee": "ada",
    "into": "fedcba9876543210",
    "conditions": [ID],
}


def parse(answer: Any, **facts: Any) -> AnswerRequest:
    return AnswerRequest.parse({"incident_id": ID, "answer": answer, **facts}, NOW)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_takes_its_own_fields_and_a_note(answer: Any) -> None:
    given = {name: GIVEN[name] for name in FIELDS[answer]}

    found = parse(answer, **given, note="as agreed")

    assert (found.answer, found.note) == (answer, "as agreed")


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_field_of_another_answer_is_refused(answer: Any) -> None:
    own = {name: GIVEN[name] for name in FIELDS[answer]}

    for name in GIVEN.keys() - own.keys():
        with pytest.raises(ConfigurationError, match=f"Answer '{answer}' takes no {name}"):
            parse(answer, **own, note="x", **{name: GIVEN[name]})


@pytest.mark.parametrize(
    ("answer", "missing"),
    [(answer, name) for answer in ANSWERS for name in FIELDS[answer] if (answer, name) != ("expected", "until")]
    + [("note", "note")],
)
@pytest.mark.parametrize("empty", [None, "", "  "])
def test_a_field_that_an_answer_needs_is_asked_for(answer: Any, missing: str, empty: Any) -> None:
    given = {name: GIVEN[name] for name in FIELDS[answer]} | {missing: empty}

    with pytest.raises(ConfigurationError, match=f"Answer '{answer}' lacks {missing}"):
        parse(answer, **given)


@pytest.mark.parametrize("reason", REASONS)
def test_each_of_the_reasons_is_accepted_for_an_expected_value(reason: Any) -> None:
    assert parse("expected", reason=reason).reason == reason


def test_a_time_with_a_zone_becomes_utc() -> None:
    assert parse("mute", until="2026-12-01T06:00:00+02:00").until == datetime(2026, 12, 1, 4)
    assert parse("mute", until=datetime(2026, 12, 1, 6, tzinfo=UTC)).until == datetime(2026, 12, 1, 6)


def test_conditions_may_be_a_list_or_a_text_with_commas_and_count_once() -> None:
    assert parse("split", conditions=f"{ID}, {ID}").conditions == (ID,)
    assert parse("split", conditions=[ID, ID]).conditions == (ID,)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"answer": "close"}, "answer is 'close'. Use one of acknowledge, assign"),
        ({"answer": None}, "answer is missing. Use one of"),
        ({"answer": ["mute"]}, "answer is not a text"),
        ({"answer": "acknowledge", "incident_id": "../store.json"}, "incident_id is '../store.json', which is no id"),
        ({"answer": "acknowledge", "incident_id": ID.upper()}, "which is no id"),
        ({"answer": "acknowledge", "incident_id": None}, "which is no id"),
        ({"answer": "acknowledge", "incident_id": 7}, "incident_id is not a text"),
        ({"answer": "acknowledge", "user": "root"}, "An answer has no field 'user'"),
        ({"answer": "merge", "into": "this"}, "into is 'this', which is no id"),
        ({"answer": "split", "conditions": ["x"]}, "conditions is 'x', which is no id"),
        ({"answer": "split", "conditions": [f"{n:016x}" for n in range(1001)]}, "at most 1,000"),
        ({"answer": "mute", "until": "2026-11-04"}, "which is over"),
        ({"answer": "mute", "until": "tomorrow"}, "until is 'tomorrow'. Give a date or a time"),
        ({"answer": "mute", "until": 1767225600}, "Give a date or a time"),
        ({"answer": "mute", "until": "0001-01-01T00:00+14:00"}, "Give a date or a time"),
        ({"answer": "new-normal", "since": "2027-01-01"}, "yet to come"),
        ({"answer": "expected", "reason": "because"}, "reason is 'because'. Use one of insignificant, planned"),
        ({"answer": "note", "note": "x" * 2001}, "note has 2,001 characters, and at most 2,000"),
        ({"answer": "note", "note": "a\x00b"}, "cannot be printed"),
        ({"answer": "note", "note": "a\ud800b"}, "cannot be printed"),
        ({"answer": "note", "note": "\u202eevil"}, "cannot be printed"),
        ({"answer": "note", "note": {"a": 1}}, "note is not a text"),
        ({"answer": "assign", "assignee": "a" * 201}, "assignee has 201 characters"),
        ({"answer": "assign", "assignee": "a\nb"}, "cannot be printed"),
    ],
)
def test_what_is_no_answer_is_refused_with_the_reason(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AnswerRequest.parse({"incident_id": ID, **facts}, NOW)

    assert said in str(caught.value)
    assert len(str(caught.value)) < 400
