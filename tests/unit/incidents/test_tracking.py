"""Incidents: grouped by lineage, carried from run to run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa

from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
from airflow_provider_elementary.incidents.store import incidents_of, incidents_table
from airflow_provider_elementary.incidents.tracking import Incident, count_open
from airflow_provider_elementary.incidents.tracking import track_incidents as track
from airflow_provider_elementary.project.lineage import Lineage
from tests.support.shop import (
    CUSTOMERS,
    ORDERS,
    RAW,
    REVENUE,
    SUNDAY,
    fine,
    lineage,
    tables_of,
    verdict,
    verdicts,
)

SHOP = lineage()


def track_incidents(rows: pa.Table, shop: Lineage, before: list[Incident] | None = None) -> list[Incident]:
    """Update incidents with the anomalies of a run."""
    known = [condition for incident in before or () for condition in incident.conditions]
    since = max((incident.resolved_at or incident.last_seen for incident in before or ()), default=None)
    return track(anomaly_conditions(rows, shop, known), shop, before, since=since)


def only(incidents: list[Incident]) -> Incident:
    [incident] = incidents
    return incident


class TestGrouping:
    def test_tables_downstream_follow_the_one_furthest_upstream(self) -> None:
        incidents = track_incidents(verdicts(verdict(REVENUE, 0), verdict(ORDERS, 0), verdict(RAW, 0)), SHOP)

        assert tables_of(incidents) == [(RAW, (ORDERS, REVENUE))]

    def test_a_table_between_that_is_not_anomalous_does_not_part_them(self) -> None:
        incidents = track_incidents(verdicts(verdict(RAW, 0), fine(ORDERS, 0), verdict(REVENUE, 0)), SHOP)

        assert tables_of(incidents) == [(RAW, (REVENUE,))]

    def test_a_table_that_is_built_the_day_after_follows(self) -> None:
        incidents = track_incidents(verdicts(verdict(RAW, 0), verdict(ORDERS, 1)), SHOP)

        assert tables_of(incidents) == [(RAW, (ORDERS,))]

    def test_what_was_over_before_is_no_cause(self) -> None:
        incidents = track_incidents(verdicts(verdict(RAW, 0), fine(RAW, 1), verdict(ORDERS, 2)), SHOP)

        assert tables_of(incidents) == [(ORDERS, ()), (RAW, ())]

    def test_a_metric_that_is_wrong_for_days_is_the_cause_of_what_begins_then(self) -> None:
        rows = verdicts(*(verdict(RAW, day) for day in range(5)), verdict(ORDERS, 4))

        assert tables_of(track_incidents(rows, SHOP)) == [(RAW, (ORDERS,))]

    def test_a_slow_model_does_not_follow_a_table_with_fewer_rows(self) -> None:
        rows = verdicts(verdict(RAW, 0), verdict(ORDERS, 0, metric_name="execution_time"))

        assert len(track_incidents(rows, SHOP)) == 2

    def test_two_columns_of_a_table_are_two_incidents(self) -> None:
        names = [{"metric_name": "null_count", "column_name": name} for name in ("email", "phone")]
        rows = verdicts(*(verdict(ORDERS, 0, **name) for name in names))

        subjects = {incident.subjects for incident in track_incidents(rows, SHOP)}
        assert subjects == {("email.null_count",), ("phone.null_count",)}

    def test_tables_that_are_not_made_from_each_other_are_two_incidents(self) -> None:
        incidents = track_incidents(verdicts(verdict(ORDERS, 0), verdict(CUSTOMERS, 0)), SHOP)

        assert tables_of(incidents) == [(ORDERS, ()), (CUSTOMERS, ())]

    def test_without_lineage_every_table_is_its_own(self) -> None:
        incidents = track_incidents(verdicts(verdict(RAW, 0), verdict(ORDERS, 0)), Lineage())

        assert len(incidents) == 2

    def test_after_a_good_bucket_a_new_incident_names_the_one_before(self) -> None:
        second, first = track_incidents(verdicts(verdict(RAW, 0), fine(RAW, 1), verdict(RAW, 2)), SHOP)

        assert (first.status, second.status) == ("resolved", "open")
        assert second.follows == first.incident_id

    def test_an_incident_has_owners_and_downstream(self) -> None:
        incident = only(track_incidents(verdicts(verdict(ORDERS, 0), verdict(REVENUE, 0)), SHOP))

        assert incident.owners == ("core@shop.example",)
        assert incident.downstream == (REVENUE, "exposure board")
        assert (incident.severity, len(incident.conditions)) == ("high", 2)

    def test_a_value_of_a_dimension_is_never_shown(self) -> None:
        row = verdict(ORDERS, 0, metric_name="dimension", dimension="email", dimension_value="a@example.com",
                      reason="orders where email = a@example.com: …")  # fmt: skip

        incident = only(track_incidents(verdicts(row), SHOP))

        assert incident.title == "orders: drop of a value of email on Sun 1 Nov 2026"
        assert "a@example.com" not in str(incident)


class TestFromRunToRun:
    def test_an_incident_opens_continues_and_is_resolved(self) -> None:
        first = track_incidents(verdicts(fine(RAW, -1), verdict(RAW, 0)), SHOP)
        second = track_incidents(verdicts(verdict(RAW, 0), verdict(RAW, 1)), SHOP, first)
        third = track_incidents(verdicts(verdict(RAW, 1), fine(RAW, 2)), SHOP, second)
        fourth = track_incidents(verdicts(fine(RAW, 2), fine(RAW, 3)), SHOP, third)
        fifth = track_incidents(verdicts(fine(RAW, 5), fine(RAW, 6)), SHOP, fourth)
        late = track_incidents(verdicts(fine(CUSTOMERS, 99), verdict(CUSTOMERS, 100)), SHOP, fifth)

        runs = [first, second, third, fourth]
        assert [only(run).transition for run in runs] == ["opened", "continues", "resolved", "past"]
        assert [only(run).status for run in runs] == ["open", "open", "resolved", "resolved"]
        assert len({only(run).incident_id for run in runs}) == 1
        assert only(third).resolved_at == SUNDAY + timedelta(days=3)
        assert fifth == fourth
        assert tables_of(late) == [(CUSTOMERS, ())]

    def test_the_id_is_the_same_wherever_it_is_computed(self) -> None:
        rows = verdicts(verdict(RAW, 0))

        assert only(track_incidents(rows, SHOP)).incident_id == only(track_incidents(rows, SHOP)).incident_id

    def test_the_same_verdicts_twice_change_nothing(self) -> None:
        rows = verdicts(verdict(RAW, 0), verdict(ORDERS, 0), fine(CUSTOMERS, 0))
        once = track_incidents(rows, SHOP)
        again = track_incidents(rows, SHOP, once)

        assert only(again).transition == "continues"
        assert track_incidents(rows, SHOP, again) == again

    def test_an_incident_stays_open_while_its_table_has_no_later_score(self) -> None:
        first = track_incidents(verdicts(verdict(RAW, 0)), SHOP)
        second = track_incidents(verdicts(fine(CUSTOMERS, 1)), SHOP, first)

        assert (only(second).status, only(second).transition) == ("open", "continues")

    def test_another_metric_of_the_table_does_not_resolve_it(self) -> None:
        rows = verdicts(verdict(RAW, 0), fine(RAW, 1, metric_name="freshness"))

        assert only(track_incidents(rows, SHOP)).status == "open"

    def test_a_metric_without_scores_for_two_weeks_is_no_longer_measured(self) -> None:
        first = track_incidents(verdicts(verdict(RAW, 0)), SHOP)
        later = track_incidents(verdicts(fine(CUSTOMERS, 20)), SHOP, first)

        assert only(later).status == "resolved"

    def test_a_root_that_is_seen_later_takes_over_and_the_id_stays(self) -> None:
        first = track_incidents(verdicts(verdict(ORDERS, 0)), SHOP)
        second = track_incidents(verdicts(verdict(ORDERS, 0), verdict(RAW, 0)), SHOP, first)

        assert tables_of(second) == [(RAW, (ORDERS,))]
        assert only(second).incident_id == only(first).incident_id

    def test_two_known_incidents_stay_two_where_a_common_root_is_seen_later(self) -> None:
        first = track_incidents(verdicts(verdict(ORDERS, 0), verdict(REVENUE, 0)), Lineage())
        second = track_incidents(verdicts(verdict(RAW, 0), verdict(ORDERS, 0), verdict(REVENUE, 0)), SHOP, first)

        assert {incident.incident_id for incident in second} == {incident.incident_id for incident in first}
        assert sorted(len(incident.conditions) for incident in second) == [1, 2]

    def test_incidents_survive_the_store_as_rows(self) -> None:
        incidents = track_incidents(verdicts(verdict(RAW, 0), verdict(ORDERS, 0), verdict(CUSTOMERS, 0)), SHOP)

        assert incidents_of(incidents_table(incidents)) == incidents

    def test_no_verdicts_are_no_incidents(self) -> None:
        assert track_incidents(verdicts(), SHOP) == []


def test_open_incidents_are_counted_for_root_and_affected_tables() -> None:
    [opened] = track_incidents(verdicts(verdict(RAW, 0), verdict(ORDERS, 0)), SHOP)

    assert count_open([opened, replace(opened, status="resolved")]) == {RAW: 1, ORDERS: 1}


def test_an_open_incident_is_not_counted_for_a_table_that_is_over_it() -> None:
    [opened] = track_incidents(verdicts(verdict(RAW, 0), verdict(ORDERS, 0), fine(ORDERS, 1)), SHOP)

    assert count_open([opened]) == {RAW: 1}
