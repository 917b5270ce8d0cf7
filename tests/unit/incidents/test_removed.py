"""Conditions of tests and nodes that left the dbt project, by what the artifacts list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
from airflow_provider_elementary.incidents.tracking import track_incidents
from airflow_provider_elementary.project.lineage import Lineage
from tests.support.dbt_project import MONDAY, project, result, run

OLD, KEPT = "test.shop.not_null_orders_id", "test.shop.unique_orders_id"
_STAMP = f"{MONDAY:%Y-%m-%d %H:%M:%S}"


def command(day: int, hour: int = 3, **facts: Any) -> dict[str, Any]:
    at = MONDAY + timedelta(days=day, hours=hour)
    return {"invocation_id": f"c{day}", "command": "build", "project_name": "shop", "created_at": at, **facts}


def listed(*ids: str, generated_at: str | None = _STAMP) -> list[dict[str, Any]]:
    return [{"unique_id": name, "generated_at": generated_at} for name in ids]


def read(days: int, tests: Sequence[dict[str, Any]], statuses: str = "fail", **changes: Any) -> DbtConditions:
    """Return the conditions of a test that failed on the first day, in a project that lists these tests then on."""
    rows = [result(0, statuses, test=OLD, invocation_id="c0")]
    rows += [result(day, "pass", test=KEPT, invocation_id=f"c{day}") for day in range(days)]
    given = {"dbt_tests": tests, "elementary_test_results": rows, "dbt_invocations": [command(n) for n in range(days)]}
    return dbt_conditions(project(**{**given, **changes}), as_of=MONDAY + timedelta(days=days))


def only(found: DbtConditions) -> Condition:
    [condition] = found.conditions
    return condition


class TestTests:
    def test_a_failing_test_that_is_no_longer_listed_ends_and_says_so(self) -> None:
        condition = only(read(2, listed(KEPT)))

        assert (condition.holds, condition.is_closed, condition.state) == (False, True, "removed")
        assert condition.ended_at == MONDAY + timedelta(days=2)
        assert condition.evidence.startswith(
            "the test is no longer in the dbt project: it was removed, renamed or disabled. dbt_tests does not list it "
            "since the command of 2026-11-03 09:00 UTC; before, 1 result not good"
        )

    def test_one_that_is_listed_holds_however_long_it_has_not_run(self) -> None:
        assert only(read(20, listed(OLD, KEPT))).holds

    @pytest.mark.parametrize(
        ("days", "tests", "changes"),
        [
            (1, listed(KEPT), {}),
            (2, [], {}),
            (2, listed(KEPT, generated_at=None), {}),
            (2, listed(KEPT, generated_at="2026-10-01 06:00:00"), {}),
            (2, listed(KEPT), {"dbt_invocations": [command(0), command(1, project_name="other")]}),
            (2, listed(KEPT), {"dbt_invocations": [command(0), command(1, target_schema="ci")]}),
            (2, listed("test.other.unique_id"), {}),
            (2, listed(KEPT), {"dbt_invocations": [command(0, project_name=""), command(1, project_name="")]}),
            (2, listed(KEPT), {"dbt_invocations": [command(0), command(1, command="docs generate")]}),
        ],
        ids=[
            "no later",
            "no list",
            "undated list",
            "older list",
            "other project",
            "other target",
            "other package",
            "no name",
            "no build",
        ],
    )
    def test_without_evidence_it_holds(self, days: int, tests: list[dict[str, Any]], changes: Any) -> None:
        assert only(read(days, tests, **changes)).holds

    def test_it_stays_ended_at_the_moment_at_which_it_was_seen_first(self) -> None:
        first = read(2, listed(KEPT)).conditions

        [later] = read(9, listed(KEPT)).since(first)
        [meanwhile] = read(9, listed(KEPT), dbt_invocations=[command(0), command(8, target_schema="ci")]).since(first)

        assert later == meanwhile == first[0]

    def test_a_failing_test_that_is_listed_again_is_a_new_condition_until_it_passes(self) -> None:
        first = read(2, listed(KEPT)).conditions

        removed, again = read(4, listed(OLD, KEPT)).since(first)
        later = read(6, listed(OLD, KEPT)).since([removed, again])
        [*_, over] = self.after(7, ("fail", 0), ("pass", 6)).since(later)

        assert (removed.state, again.state, again.holds) == ("removed", "fail", True)
        assert again.started_at == again.last_seen == MONDAY + timedelta(days=4)
        assert list(later) == [removed, again]
        assert (over.condition_id, over.ended_at) == (again.condition_id, MONDAY + timedelta(days=6))

    def test_a_failing_test_that_is_listed_again_is_a_new_incident_with_an_alert(self) -> None:
        first = track_incidents(read(2, listed(KEPT)).conditions, Lineage())

        [new, old] = track_incidents(
            read(4, listed(OLD, KEPT)).since([each for known in first for each in known.conditions]), Lineage(), first
        )

        assert (new.transition, new.follows) == ("opened", old.incident_id)

    def test_what_came_back_begins_with_its_first_result_since(self) -> None:
        first = read(2, listed(KEPT)).conditions

        removed, again = self.failing(0, 3, 4, 5).since(first)
        _, later = self.failing(0, 3, 4, 5, 6).since([removed, again])

        assert again.started_at == MONDAY + timedelta(days=3)
        assert (later.condition_id, later.last_seen) == (again.condition_id, MONDAY + timedelta(days=6))

    def test_a_test_that_comes_back_and_fails_is_a_new_condition(self) -> None:
        first = read(2, listed(KEPT)).conditions

        removed, again = self.failing(0, 3).since(first)
        later = self.failing(0, 3, 4).since([again, removed])

        assert [removed] == list(first)
        assert (again.holds, again.started_at) == (True, MONDAY + timedelta(days=3))
        assert [each.condition_id for each in later] == [removed.condition_id, again.condition_id]
        assert later[1].last_seen == MONDAY + timedelta(days=4)

    def test_a_test_that_comes_back_and_fails_is_a_new_incident(self) -> None:
        first = track_incidents(read(2, listed(KEPT)).conditions, Lineage())

        [new, old] = track_incidents(
            self.failing(0, 1).since([each for known in first for each in known.conditions]), Lineage(), first
        )

        assert (new.transition, new.follows) == ("opened", old.incident_id)
        assert old.conditions == first[0].conditions

    @pytest.mark.parametrize("status", ["pass", "fail"])
    def test_what_is_listed_again_begins_by_the_clock_of_the_session(self, status: str) -> None:
        """The session is five hours behind UTC, and so are its results."""
        west = [command(day) for day in range(5)]
        west = [{**row, "generated_at": (row["created_at"] + timedelta(hours=5)).isoformat()} for row in west]
        first = read(2, listed(KEPT), dbt_invocations=west[:2]).conditions
        known = read(4, listed(OLD, KEPT), dbt_invocations=west[:4]).since(first)
        rows = [result(0, "fail", test=OLD), result(4, status, test=OLD, hour=-2)]

        _, again = read(5, listed(OLD, KEPT), dbt_invocations=west, elementary_test_results=rows).since(known)

        assert again.condition_id == known[1].condition_id
        assert again.started_at == MONDAY + timedelta(days=4, hours=-5)
        assert again.holds == (status == "fail")

    def test_what_came_back_is_one_condition_when_its_removal_is_no_longer_known(self) -> None:
        removed = read(2, listed(KEPT)).conditions
        _, again = self.failing(0, 3, 4).since(removed)

        later = self.failing(0, 3, 4, 5).since([again])
        over = self.after(8, ("fail", 0), ("fail", 3), ("pass", 7)).since(later)
        afterwards = self.after(9, ("fail", 0), ("fail", 3), ("pass", 7), ("pass", 8)).since(over)

        assert [(each.condition_id, each.holds) for each in later] == [(again.condition_id, True)]
        assert [(each.condition_id, each.holds) for each in over] == [(again.condition_id, False)]
        assert afterwards == over

    @pytest.mark.parametrize("dropped", [0, 1])
    def test_what_came_back_twice_begins_with_its_first_result_since(self, dropped: int) -> None:
        first = read(2, listed(KEPT)).conditions
        both = self.failing(0, 3).since(first)
        rows = [result(day, "fail", test=OLD, invocation_id=f"c{day}") for day in (0, 3)]
        rows += [result(4, "pass", test=KEPT, invocation_id="c4")]
        gone = read(6, listed(KEPT), elementary_test_results=rows).since(both)[dropped:]

        *known, failing = self.failing(0, 3, 7, 8).since(gone)
        *_, over = self.after(9, *(("fail", day) for day in (0, 3, 7)), ("pass", 8)).since(gone)

        assert known == gone
        assert [each.state for each in known] == ["removed"] * len(known)
        assert failing.started_at == over.started_at == MONDAY + timedelta(days=7)
        assert (failing.ended_at, over.ended_at) == (None, MONDAY + timedelta(days=8))

    def failing(self, *days: int) -> DbtConditions:
        return self.after(max(days) + 1, *(("fail", day) for day in days))

    def after(self, days: int, *results: tuple[str, int]) -> DbtConditions:
        rows = [result(day, status, test=OLD, invocation_id=f"c{day}") for status, day in results]
        return read(days, listed(OLD, KEPT), elementary_test_results=rows)


def test_a_renamed_model_ends_the_conditions_of_its_old_name() -> None:
    models = [{"unique_id": "model.shop.sales", "alias": "sales", "generated_at": _STAMP}]
    runs = [
        {**run(0, status="error"), "invocation_id": "c0", "resource_type": "model"},
        {**run(1, model="sales"), "invocation_id": "c1", "resource_type": "model"},
    ]

    condition = only(read(2, listed(OLD), "pass", dbt_models=models, dbt_run_results=runs))

    assert (condition.kind, condition.state) == ("run", "removed")
    assert "the model is no longer in the dbt project" in condition.evidence


def test_a_source_that_left_the_project_is_no_longer_late() -> None:
    checks = [{"unique_id": "source.shop.raw", "status": "error", "created_at": MONDAY, "invocation_id": "c0"}]
    sources = [{"unique_id": "source.shop.web", "identifier": "events", "generated_at": _STAMP}]

    found = read(2, listed(OLD), "pass", dbt_sources=sources, dbt_source_freshness_results=checks)

    assert (only(found).kind, only(found).state) == ("source_freshness", "removed")


def test_a_source_that_left_the_project_is_not_expected_to_be_checked() -> None:
    checks = [
        {"unique_id": "source.shop.raw", "status": "pass", "created_at": MONDAY + timedelta(days=day)}
        for day in range(20)
    ]
    sources = [{"unique_id": "source.shop.web", "identifier": "events", "generated_at": _STAMP}]

    found = read(25, listed(OLD), "pass", dbt_sources=sources, dbt_source_freshness_results=checks)
    unlisted = read(25, listed(OLD), "pass", dbt_source_freshness_results=checks)

    assert [each.state for each in found.conditions] == []
    assert [each.state for each in unlisted.conditions] == ["not checked"]


class TestDeletedHistory:
    """Elementary was refreshed in full, or a job deletes old rows: the first evidence is gone."""

    def test_a_test_that_passes_afterwards_ends_what_was_known(self) -> None:
        known = read(1, listed(OLD)).conditions
        rows = [result(3, "pass", test=OLD)]

        [ended] = read(4, listed(OLD), elementary_test_results=rows).since(known)

        assert (ended.condition_id, ended.ended_at) == (known[0].condition_id, MONDAY + timedelta(days=3))

    def test_a_test_that_still_fails_is_the_same_condition(self) -> None:
        rows = [result(day, "fail", test=OLD) for day in range(4)]
        known = read(4, listed(OLD), elementary_test_results=rows).conditions

        [same] = read(5, listed(OLD), elementary_test_results=[*rows[2:], result(4, "fail", test=OLD)]).since(known)

        assert (same.condition_id, same.last_seen) == (known[0].condition_id, MONDAY + timedelta(days=4))

    def test_where_nothing_is_known_of_it_any_more_it_stays(self) -> None:
        known = read(1, listed(OLD)).conditions

        assert read(4, listed(OLD), elementary_test_results=[]).since(known) == list(known)

    def test_a_silence_ends_with_the_next_command(self) -> None:
        silent = [command(day) for day in range(30)]
        known = read(33, listed(OLD), elementary_test_results=[], dbt_invocations=silent).conditions
        assert [each.subject for each in known] == ["silence"]

        [ended] = read(34, listed(OLD), elementary_test_results=[], dbt_invocations=[command(33)]).since(known)

        assert ended.ended_at == MONDAY + timedelta(days=33, hours=3)

    def test_a_silence_ends_with_results_of_a_command_that_left_no_row(self) -> None:
        silent = [command(day) for day in range(30)]
        known = read(32, listed(OLD), elementary_test_results=[], dbt_invocations=silent).conditions
        rows = [result(33, "pass", test=OLD, invocation_id="unmarked")]

        [ended] = read(34, listed(OLD), elementary_test_results=rows, dbt_invocations=silent[-1:]).since(known)

        assert ended.ended_at == MONDAY + timedelta(days=33)

    def test_a_silence_of_which_nothing_more_comes_ends_after_four_weeks(self) -> None:
        silent = [command(day) for day in range(30)]
        known = read(33, listed(OLD), elementary_test_results=[], dbt_invocations=silent).conditions

        [still] = read(60, [], elementary_test_results=[], dbt_invocations=[]).since(known)
        [ended] = read(62, [], elementary_test_results=[], dbt_invocations=[]).since(known)

        assert still.holds
        assert (ended.ended_at, ended.state) == (known[0].last_seen + timedelta(days=28), "no longer expected")
