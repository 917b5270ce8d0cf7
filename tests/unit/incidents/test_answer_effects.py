"""What an answer changes: conditions that it ends, incidents that it joins and parts, feedback for the detector."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_elementary.anomalies.feedback import Feedback
from airflow_provider_elementary.incidents.answer_effects import (
    answered,
    feedback_of_answers,
    moves,
    split_id,
    with_answers,
)
from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.storage.records.answers import Answer, AnsweredCondition
from tests.support.incidents import NOON, anomaly, failing_test, incident
from tests.support.shop import CUSTOMERS, ORDERS, RAW, REVENUE, SUNDAY, lineage

SHOP = lineage()
A_DAY = timedelta(days=1)


def answer(kind: Any, about: Incident | Sequence[Condition], **facts: Any) -> Answer:
    """Return an answer about the conditions of an incident, or about conditions."""
    conditions = about.conditions if isinstance(about, Incident) else tuple(about)
    known: dict[str, Any] = {
        "answer_id": kind,
        "incident_id": about.incident_id if isinstance(about, Incident) else "0" * 16,
        "answered_by": "ada",
        "answered_at": NOON.isoformat(),
        "conditions": tuple(
            AnsweredCondition(
                each.condition_id,
                each.kind,
                each.subject,
                each.table,
                each.column,
                each.started_at.isoformat(),
                each.last_seen.isoformat(),
            )
            for each in conditions
        ),
    }
    return Answer(answer=kind, **{**known, **facts})


def run(
    conditions: Sequence[Condition], answers: Sequence[Answer], before: Sequence[Incident] | None = None
) -> list[Incident]:
    """Track as a run of the task does."""
    known = [each for one in before or () for each in one.conditions]
    current = [*with_answers(known, answers), *with_answers(conditions, answers)]
    return answered(track_incidents(current, SHOP, before, moved=moves(answers)), answers)


def only(incidents: Sequence[Incident]) -> Incident:
    [found] = incidents
    return found


class TestResolve:
    def test_an_anomaly_that_a_person_resolved_is_over_with_its_last_evidence(self) -> None:
        held = anomaly()
        [over] = with_answers([held], [answer("resolve", [held])])

        assert (over.condition_id, over.ended_at, over.state) == (held.condition_id, held.last_seen, "resolved")
        assert over.evidence == "ada answered resolved at 2026-11-03 12:00 UTC"

    def test_later_evidence_is_a_new_incident_that_names_the_resolved_one(self) -> None:
        held = anomaly()
        first = only(run([held], []))
        said = [answer("resolve", first)]
        later = anomaly(last_seen=held.last_seen + A_DAY, times=2)

        new, old = run([later], said, [first])

        assert (old.incident_id, old.status) == (first.incident_id, "resolved")
        assert (new.status, new.follows) == ("open", first.incident_id)
        assert new.started_at == held.last_seen

    def test_the_same_evidence_again_changes_nothing(self) -> None:
        held = anomaly()
        first = only(run([held], []))
        said = [answer("resolve", first)]
        later = anomaly(last_seen=held.last_seen + A_DAY, times=2)

        once = run([later], said, [first])
        twice = run([later], said, once)
        thrice = run([later], said, twice)

        assert [(each.incident_id, each.status, each.conditions) for each in once] == [
            (each.incident_id, each.status, each.conditions) for each in twice
        ]
        assert twice == thrice

    def test_an_end_of_its_own_that_came_earlier_stays(self) -> None:
        over = anomaly(ended_at=SUNDAY + A_DAY)

        assert with_answers([over], [answer("resolve", [over])]) == [over]

    def test_the_new_incident_can_be_resolved_as_well(self) -> None:
        held = anomaly()
        said = [answer("resolve", [held])]
        later = anomaly(last_seen=held.last_seen + A_DAY)
        rest = with_answers([later], said)[1]
        said.append(answer("resolve", [rest], answer_id="second"))

        assert [each.holds for each in with_answers([later], said)] == [False, False]


class TestExpected:
    def test_an_expected_anomaly_is_over_and_a_later_one_is_new(self) -> None:
        held = anomaly()
        said = [answer("expected", [held], reason="planned")]

        assert [each.holds for each in with_answers([held], said)] == [False]
        later = anomaly(last_seen=held.last_seen + A_DAY)
        assert [each.holds for each in with_answers([later], said)] == [False, True]

    def test_until_a_time_later_evidence_is_expected_too(self) -> None:
        held = anomaly()
        said = [answer("expected", [held], reason="planned", until=(SUNDAY + 5 * A_DAY).isoformat())]

        assert [each.holds for each in with_answers([anomaly(last_seen=SUNDAY + 4 * A_DAY)], said)] == [False]
        assert [each.holds for each in with_answers([anomaly(last_seen=SUNDAY + 6 * A_DAY)], said)] == [False, True]

    def test_a_failing_test_stays_open_and_is_shown_as_expected(self) -> None:
        test = failing_test()
        found = only(run([test], [answer("expected", only(run([test], [])), reason="planned")]))

        assert (found.status, found.state(NOON)) == ("open", "expected")

    def test_a_new_condition_beside_an_expected_one_is_not_expected(self) -> None:
        first = only(run([failing_test()], []))
        said = [answer("expected", first, reason="planned")]
        found = only(run([failing_test(), failing_test("not_null_orders_sum")], said, [first]))

        assert found.state(NOON) == "open"


class TestNewNormal:
    def test_a_new_level_is_over_as_long_as_it_lasts(self) -> None:
        held = anomaly()
        said = [answer("new-normal", [held], since=SUNDAY.isoformat())]

        [over] = with_answers([anomaly(last_seen=held.last_seen + 9 * A_DAY, times=10)], said)
        assert not over.holds

    def test_what_begins_after_a_bucket_that_is_as_expected_is_new(self) -> None:
        held = anomaly()
        said = [answer("new-normal", [held], since=SUNDAY.isoformat())]
        again = anomaly(started_at=SUNDAY + 9 * A_DAY, last_seen=SUNDAY + 10 * A_DAY)

        assert with_answers([again], said) == [again]

    def test_a_failing_test_beside_it_still_holds(self) -> None:
        test = failing_test()

        assert with_answers([test], [answer("new-normal", [test], since=SUNDAY.isoformat())]) == [test]


class TestMergeAndSplit:
    def test_two_incidents_become_one_and_stay_one(self) -> None:
        before = run([anomaly(RAW), anomaly(CUSTOMERS)], [])
        assert len(before) == 2
        one, other = before
        said = [answer("merge", one, into=other.incident_id)]

        found = only(run([anomaly(RAW), anomaly(CUSTOMERS)], said, before))

        assert (found.incident_id, found.merged) == (other.incident_id, (one.incident_id,))
        assert {each.table for each in found.conditions} == {RAW, CUSTOMERS}
        assert run([anomaly(RAW), anomaly(CUSTOMERS)], said, [found]) == [found]

    def test_without_saved_incidents_they_are_one_too(self) -> None:
        one, other = run([anomaly(RAW), anomaly(CUSTOMERS)], [])

        found = only(run([anomaly(RAW), anomaly(CUSTOMERS)], [answer("merge", one, into=other.incident_id)]))
        assert found.incident_id == other.incident_id

    def test_a_merged_incident_that_is_merged_again_leads_to_the_last(self) -> None:
        one, two, three = run([anomaly(RAW), anomaly(CUSTOMERS), anomaly(REVENUE, "x.max")], [])
        said = [answer("merge", one, into=two.incident_id)]
        both = next(each for each in run([], said, [one, two, three]) if each.incident_id == two.incident_id)
        said.append(answer("merge", both, into=three.incident_id))

        found = only(run([], said, [one, two, three]))
        assert (found.incident_id, set(found.merged)) == (three.incident_id, {one.incident_id, two.incident_id})

    def test_a_condition_that_is_split_off_is_an_incident_of_its_own(self) -> None:
        first = only(run([anomaly(RAW), anomaly(ORDERS)], []))
        away = next(each for each in first.conditions if each.table == ORDERS)
        said = [answer("split", [away], incident_id=first.incident_id)]

        found = run([anomaly(RAW), anomaly(ORDERS)], said, [first])

        assert {(each.incident_id, each.root) for each in found} == {
            (first.incident_id, RAW),
            (split_id(said[0]), ORDERS),
        }
        assert {each.incident_id for each in run([anomaly(RAW), anomaly(ORDERS)], said, found)} == {
            each.incident_id for each in found
        }

    def test_the_root_can_be_split_off(self) -> None:
        first = only(run([anomaly(RAW), anomaly(ORDERS)], []))
        said = [answer("split", [first.cause], incident_id=first.incident_id)]

        found = {each.incident_id: each.root for each in run([anomaly(RAW), anomaly(ORDERS)], said, [first])}
        assert found == {first.incident_id: ORDERS, split_id(said[0]): RAW}


class TestStates:
    def test_an_incident_says_who_looks_after_it(self) -> None:
        held = incident()
        said = [answer("acknowledge", held, conditions=()), answer("assign", held, conditions=(), assignee="bob")]

        found = only(answered([held], said))

        assert (found.state(NOON), found.assignee) == ("acknowledged", "bob")
        assert found.to_dict() | {"acknowledged": True, "assignee": "bob"} == found.to_dict()
        assert [each["answer"] for each in found.to_dict()["answers"]] == ["acknowledge", "assign"]

    def test_an_incident_is_muted_until_a_time(self) -> None:
        found = only(answered([incident()], [answer("mute", incident(), until=(NOON + A_DAY).isoformat())]))

        assert (found.state(NOON), found.state(NOON + 2 * A_DAY)) == ("muted", "open")

    def test_a_muted_incident_is_still_open(self) -> None:
        assert only(answered([incident()], [answer("mute", incident(), until="2030-01-01T00:00:00")])).status == "open"


class TestFeedback:
    @pytest.mark.parametrize(
        ("metric", "column", "name", "dimension"),
        [
            ("row_count", None, "row_count", None),
            ("email.null_percent", "email", "null_percent", None),
            ("dimension store_id", None, "dimension", "store_id"),
        ],
    )
    def test_an_expected_anomaly_is_feedback_on_its_series(
        self, metric: str, column: str | None, name: str, dimension: str | None
    ) -> None:
        held = anomaly(metric=metric)
        [found] = feedback_of_answers([answer("expected", [held], reason="planned")])

        assert found == Feedback(
            "expected", ORDERS, column, name, dimension, since=held.started_at, until=held.last_seen
        )

    def test_a_new_normal_is_feedback_from_its_date_on(self) -> None:
        [found] = feedback_of_answers([answer("new-normal", [anomaly()], since="2026-10-31T00:00:00")])

        assert (found.kind, found.since, found.until) == ("new normal", datetime(2026, 10, 31), None)

    def test_other_answers_and_failing_tests_say_nothing_to_the_detector(self) -> None:
        said = [answer("resolve", [anomaly()]), answer("expected", [failing_test()], reason="planned")]

        assert feedback_of_answers(said) == []
