"""Known conditions, continued with what dbt's results say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest

from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
from tests.support.dbt_project import MONDAY, project, result

OLD, KEPT = "test.shop.not_null_orders_id", "test.shop.unique_orders_id"


def flapping(*statuses: tuple[int, str], until: int | None = None, is_listed: bool = True) -> DbtConditions:
    """Return the conditions of a test with these results, one a day, in a project whose commands run each day."""
    last = max(day for day, _ in statuses) if until is None else until
    rows = [result(day, status, test=OLD, invocation_id=f"c{day}") for day, status in statuses]
    commands = [
        {"invocation_id": f"c{day}", "command": "build", "project_name": "shop"}
        | {"created_at": MONDAY + timedelta(days=day, hours=3)}
        for day in range(last + 1)
    ]
    rows += [result(day, "pass", test=KEPT, invocation_id=f"c{day}") for day in range(last + 1)]
    listed = [{"unique_id": name, "generated_at": f"{MONDAY:%Y-%m-%d %H:%M:%S}"} for name in [KEPT, *[OLD] * is_listed]]
    source = project(elementary_test_results=rows, dbt_invocations=commands, dbt_tests=listed)
    return dbt_conditions(source, as_of=MONDAY + timedelta(days=last + 1))


def alternating(days: int) -> DbtConditions:
    return flapping(*((day, "fail" if day % 2 else "pass") for day in range(days)))


@pytest.mark.parametrize("hours", [0, 2], ids=["known by their ids", "without their first results"])
def test_known_conditions_of_a_test_that_flaps_are_not_compared_with_all_others(hours: int) -> None:
    found = alternating(240)
    known = [replace(each, started_at=each.started_at - timedelta(hours=hours)) for each in found.conditions]
    looks: list[Condition] = []
    of = Condition.condition_id.fget  # type: ignore[attr-defined]

    with patch.object(Condition, "condition_id", property(lambda each: looks.append(each) or of(each))):
        continued = found.since(known)

    assert [each.started_at for each in continued] == [each.started_at for each in known]
    assert len(known) == 120
    assert len(looks) <= 10 * len(known)


class TestReturn:
    """A test that was removed while it failed, and came back."""

    @pytest.mark.parametrize(("after", "times"), [((5, 6), 2), ((5,), 1), ((), 1)])
    def test_only_results_since_the_removal_count(self, after: Sequence[int], times: int) -> None:
        removed = self.removed()

        _, again = flapping(*self.before, *((day, "fail") for day in after), until=7).since(removed)

        newest = MONDAY + timedelta(days=max(after, default=2), hours=6)
        phrase = f"{times} results in a row" if times > 1 else "1 result"
        assert again.times == times
        assert again.evidence.startswith(f"{phrase} not good, the newest fail at {newest:%Y-%m-%d}")

    def test_nor_do_they_once_the_removal_is_no_longer_known(self) -> None:
        _, again = flapping(*self.before, (5, "fail")).since(self.removed())

        [later] = flapping(*self.before, (5, "fail"), (6, "fail")).since([again])

        assert (later.condition_id, later.times) == (again.condition_id, 2)

    before = ((0, "fail"), (1, "fail"), (2, "fail"))

    def removed(self) -> list[Condition]:
        [removed] = flapping(*self.before, until=4, is_listed=False).conditions
        assert removed.state == "removed"
        return [removed]


class TestFirstResultDeleted:
    @pytest.mark.parametrize("until", [3, 4], ids=["holding", "over"])
    def test_a_condition_that_is_over_is_there_once(self, until: int) -> None:
        statuses = [(0, "fail"), (1, "fail"), (2, "fail"), (3, "pass"), (4, "pass")]
        known = flapping(*statuses[:until]).conditions

        found = flapping(*statuses[1:]).since(known)

        assert [(each.condition_id, each.times) for each in found] == [(known[0].condition_id, 3)]
        assert found[0].ended_at == MONDAY + timedelta(days=3)
        assert flapping(*statuses[2:]).since(found) == found

    def test_what_was_removed_stays_removed(self) -> None:
        removed = flapping((0, "fail"), (1, "fail"), until=3, is_listed=False).conditions

        found = flapping((1, "fail"), until=4, is_listed=False).since(removed)

        assert found == list(removed)
