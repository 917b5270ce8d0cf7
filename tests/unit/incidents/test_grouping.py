"""Conditions of one cause."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

from airflow_provider_elementary.incidents.conditions import PROJECT, Origin
from airflow_provider_elementary.incidents.grouping import group_conditions
from tests.support.incidents import anomaly, failing_test
from tests.support.shop import CUSTOMERS, ORDERS, RAW, REVENUE, SUNDAY, lineage

SHOP = lineage()
DAY = timedelta(days=1)


def test_the_order_of_the_conditions_changes_nothing() -> None:
    conditions = [anomaly(RAW), anomaly(ORDERS), failing_test(family="volume"), anomaly(CUSTOMERS)]

    groups = {tuple(group_conditions(order, SHOP)) for order in permutations(conditions)}

    [[first, second]] = groups
    assert {tuple(member.table for member in group) for group in (first, second)} == {
        (RAW, ORDERS, ORDERS),
        (CUSTOMERS,),
    }


def test_what_counts_failed_rows_follows_the_test_and_not_the_other_way() -> None:
    counted = anomaly(ORDERS, "failed_rows", started_at=SUNDAY)
    test = failing_test(started_at=SUNDAY + timedelta(hours=6))

    assert group_conditions([counted, test], SHOP) == [(test, counted)]


def test_a_test_that_has_failed_for_weeks_takes_no_new_conditions_in() -> None:
    old = failing_test(family="values", started_at=SUNDAY - 20 * DAY)
    new = failing_test("relationships_orders", family="values")

    assert group_conditions([old, new], SHOP) == [(old,), (new,)]


def test_a_test_that_fails_again_while_its_group_holds_joins_it() -> None:
    first = failing_test(started_at=SUNDAY, ended_at=SUNDAY + DAY)
    other = failing_test("unique_orders_id", family="nulls")
    again = failing_test(started_at=SUNDAY + 5 * DAY)

    assert group_conditions([first, other, again], SHOP) == [(first, other, again)]


def test_silence_of_dbt_is_the_cause_of_late_and_missing_rows_everywhere() -> None:
    silence = failing_test(kind="invocation", subject="silence", table=PROJECT, family="run", ended_at=SUNDAY + 2 * DAY)
    late = [anomaly(table, metric) for table, metric in ((RAW, "freshness"), (CUSTOMERS, "row_count"))]
    values = anomaly(REVENUE, "amount.average")

    groups = group_conditions([*late, values, silence], SHOP)

    assert sorted(map(len, groups)) == [1, 3]
    assert groups[[len(group) for group in groups].index(3)][0] == silence


def test_what_was_found_before_anything_was_due_does_not_come_from_silence() -> None:
    due = SUNDAY + 1.25 * DAY
    silence = failing_test(kind="invocation", subject="silence", table=PROJECT, family="run", started_at=due)
    of_last_run = failing_test(family="volume", started_at=SUNDAY + 0.3 * DAY)
    of_day_before = anomaly(CUSTOMERS, started_at=SUNDAY, last_seen=SUNDAY + DAY)

    assert sorted(map(len, group_conditions([silence, of_last_run, of_day_before], SHOP))) == [1, 1, 1]


def test_a_test_of_ones_own_has_no_part_in_what_is_wrong_downstream() -> None:
    own = failing_test("assert_all_is_well", RAW, family="other")

    assert len(group_conditions([own, anomaly(ORDERS)], SHOP)) == 2


def test_a_failed_run_is_the_root_of_its_own_table_and_no_unusual_metric_is() -> None:
    unusual = anomaly(ORDERS, "amount.zero_percent")
    failed = failing_test("orders", kind="run", subject="model.shop.orders", family="run", started_at=SUNDAY + DAY)
    counted = anomaly(ORDERS, "failed_runs", started_at=SUNDAY + DAY)

    assert group_conditions([unusual, failed, counted], SHOP) == [(unusual,), (failed, counted)]


def test_a_failed_run_follows_a_schema_change_upstream() -> None:
    changed = failing_test("schema_changes", RAW, family="schema")
    failed = failing_test("orders", kind="run", subject="model.shop.orders", family="run", started_at=SUNDAY + DAY)

    assert group_conditions([changed, failed], SHOP) == [(changed, failed)]


def test_what_begins_when_a_condition_ends_does_not_join_it() -> None:
    over = failing_test(ended_at=SUNDAY + DAY, last_seen=SUNDAY + DAY)
    again = failing_test(started_at=SUNDAY + DAY)

    assert group_conditions([over, again], SHOP) == [(over,), (again,)]


def test_of_tests_that_fail_together_the_one_with_a_known_origin_names_the_root() -> None:
    own = failing_test("accepted_range_orders_amount", family="values", column="amount")
    known = failing_test("relationships_orders", family="values", column="amount", origin=Origin(RAW, ("amount",)))

    [group] = group_conditions([own, known], SHOP)

    assert (group, group[0].root) == ((known, own), RAW)
