"""Selection of the alerts of a route."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_elementary.alerts.alert import EVENTS
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta, AlertMetas
from airflow_provider_elementary.alerts.selection import (
    AlertFilter,
    Notification,
    digest_is_due,
    pending_notifications,
    still_needed,
)
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.storage.records.answers import Answer, AnsweredCondition
from tests.support.incidents import NOON, incident, resolved
from tests.support.shop import ORDERS, REVENUE


def sent(event: str = "opened", *, hours_ago: float = 1, **facts: Any) -> Notification:
    known = {"incident_id": "of-orders", "table": ORDERS, "route": "slack"}
    return Notification(**{**known, **facts, "event": event, "notified_at": NOON - timedelta(hours=hours_ago)})


def pending(
    known: Incident, *past: Notification, hours: float = 0, metas: AlertMetas | None = None, **wants: Any
) -> list[str]:
    found = pending_notifications(
        [known],
        past,
        route="slack",
        wants=AlertFilter(**wants),
        metas=metas or AlertMetas(),
        now=NOON,
        suppression_hours=hours,
    )
    return [item.event for item in found]


class TestOnceAndNotEachRun:
    def test_an_open_incident_without_alert_is_pending(self) -> None:
        assert pending(incident()) == ["opened"]
        assert pending(incident(transition="continues")) == ["opened"]

    def test_an_incident_with_an_alert_is_not_pending(self) -> None:
        assert pending(incident(transition="continues"), sent()) == []

    def test_alerts_over_another_route_do_not_count(self) -> None:
        assert pending(incident(), sent(route="mail")) == ["opened"]

    def test_its_resolution_is_sent_once(self) -> None:
        assert pending(resolved(), sent()) == ["resolved"]
        assert pending(resolved(transition="past"), sent()) == ["resolved"]
        assert pending(resolved(transition="past"), sent(), sent("resolved")) == []

    def test_an_incident_resolved_between_two_runs_is_sent_as_resolved(self) -> None:
        assert pending(resolved()) == ["resolved"]

    def test_an_incident_resolved_before_the_route_existed_is_not_sent(self) -> None:
        assert pending(resolved(transition="past")) == []

    def test_a_route_that_wants_no_ends_gets_none(self) -> None:
        assert pending(resolved(), sent(), events=["opened"]) == []


class TestSuppression:
    def test_another_incident_of_the_table_waits_until_the_interval_is_over(self) -> None:
        again = incident(incident_id="again")

        assert pending(again, sent(hours_ago=5), hours=6) == []
        assert pending(again, sent(hours_ago=7), hours=6) == ["opened"]

    def test_an_alert_about_another_table_does_not_hold_it_back(self) -> None:
        assert pending(incident(), sent(incident_id="other", table=REVENUE), hours=6) == ["opened"]

    def test_the_resolution_after_an_alert_is_never_suppressed(self) -> None:
        assert pending(resolved(), sent(), hours=6) == ["resolved"]

    def test_the_interval_of_the_meta_comes_before_the_tasks(self) -> None:
        metas = AlertMetas({ORDERS: AlertMeta(suppression_hours=0)})

        assert pending(incident(incident_id="again"), sent(), hours=6, metas=metas) == ["opened"]

    def test_who_wants_reminders_is_reminded_each_time_the_interval_is_over(self) -> None:
        still = incident(transition="continues")

        assert pending(still, sent(hours_ago=5), hours=6, events=EVENTS) == []
        assert pending(still, sent(hours_ago=7), hours=6, events=EVENTS) == ["continues"]
        assert pending(still, sent(hours_ago=13), sent("continues", hours_ago=5), hours=6, events=EVENTS) == []

    def test_without_an_interval_nobody_is_reminded(self) -> None:
        assert pending(incident(transition="continues"), sent(hours_ago=99), events=EVENTS) == []


class TestFilters:
    @pytest.mark.parametrize(
        "wants",
        [
            {"severities": ["normal"]},
            {"tags": ["#CORE"]},
            {"owners": ["Core@shop.example", "@nobody"]},
            {"channels": ["#data"]},
            {"tables": ["orders"]},
            {"tables": ["shop.core.*"]},
            {"tables": ["revenue"]},
            {"tags": ["core"], "severities": ["normal", "high"]},
            {"resource_types": ["anomaly"]},
            {"statuses": ["drop"]},
            {"downstream": ["exposure *"]},
            {"tags": ["!finance"], "owners": ["!@nobody"], "tables": ["!customers"], "severities": ["!low"]},
            {"resource_types": ["!test", "!model"], "statuses": ["!fail"], "downstream": ["!exposure board"]},
            {"tables": ["shop.core.*", "!revenue*x"]},
        ],
        ids=str,
    )
    def test_what_fits_passes(self, wants: dict[str, Any]) -> None:
        metas = AlertMetas({ORDERS: AlertMeta(channel="data")})

        known = incident(followers=(REVENUE,), downstream=(REVENUE, "exposure weekly"))
        assert pending(known, metas=metas, **wants) == ["opened"]

    @pytest.mark.parametrize(
        "wants",
        [
            {"severities": ["high"]},
            {"tags": ["finance"]},
            {"owners": ["@nobody"]},
            {"channels": ["data"]},
            {"tables": ["customers", "shop.raw.*"]},
            {"tags": ["core"], "severities": ["high"]},
            {"resource_types": ["test", "model"]},
            {"statuses": ["fail", "error"]},
            {"downstream": ["exposure *"]},
            {"tags": ["!core"]},
            {"owners": ["!Core@shop.example"]},
            {"severities": ["!normal"]},
            {"resource_types": ["!anomaly"]},
            {"statuses": ["!drop"]},
            {"tables": ["shop.core.*", "!orders"]},
        ],
        ids=str,
    )
    def test_an_incident_that_does_not_match_is_not_sent(self, wants: dict[str, Any]) -> None:
        assert pending(incident(), **wants) == []

    def test_an_incident_that_becomes_worse_is_sent_to_a_route_of_bad_ones(self) -> None:
        assert pending(incident(severity="high"), sent(route="mail"), severities=["high"]) == ["opened"]

    @pytest.mark.parametrize(
        ("wrong", "noun"),
        [
            ({"events": ["closed"]}, "event or severity"),
            ({"events": ["!opened"]}, "event or severity"),
            ({"severities": ["worst"]}, "event or severity"),
            ({"resource_types": ["seed"]}, "resource type"),
            ({"digest": "hourly"}, "digest"),
        ],
        ids=str,
    )
    def test_a_filter_that_nothing_could_pass_is_refused(self, wrong: dict[str, Any], noun: str) -> None:
        with pytest.raises(ConfigurationError, match=f"Unknown {noun} of an alert route"):
            AlertFilter(**wrong)


def said(kind: Any, about: Incident, **facts: Any) -> Incident:
    conditions = tuple(
        AnsweredCondition(
            *(each.condition_id, each.kind, each.subject, each.table, each.column),
            each.started_at.isoformat(),
            each.last_seen.isoformat(),
        )
        for each in about.conditions
    )
    known: dict[str, Any] = {"answered_by": None, "answered_at": NOON.isoformat(), "conditions": conditions}
    return replace(about, answers=(Answer("one", about.incident_id, kind, **{**known, **facts}),))


class TestAnswers:
    def test_a_muted_incident_is_not_sent_until_the_time_is_over(self) -> None:
        assert pending(said("mute", incident(), until=(NOON + timedelta(hours=1)).isoformat())) == []
        assert pending(said("mute", incident(), until=(NOON - timedelta(hours=1)).isoformat())) == ["opened"]

    def test_an_expected_incident_is_not_sent(self) -> None:
        assert pending(said("expected", incident(), reason="planned")) == []

    def test_one_that_somebody_looks_after_is_not_repeated(self) -> None:
        still = incident(transition="continues")

        assert pending(said("acknowledge", still), sent(hours_ago=7), hours=6, events=EVENTS) == []
        assert pending(said("acknowledge", incident())) == ["opened"]

    def test_an_assignment_is_no_alert(self) -> None:
        assigned = said("assign", incident(transition="continues"), assignee="bob")

        assert pending(assigned, sent(), events=EVENTS) == []
        assert pending(assigned, sent(hours_ago=7), hours=6, events=EVENTS) == []

    def test_the_end_of_a_muted_incident_is_sent_where_its_begin_was(self) -> None:
        muted = said("mute", resolved(), until=(NOON + timedelta(days=1)).isoformat())

        assert pending(muted) == []
        assert pending(muted, sent()) == ["resolved"]

    def test_an_incident_that_another_was_merged_into_is_not_sent_again(self) -> None:
        into = incident(incident_id="into", merged=("of-orders",))

        assert pending(into, sent()) == []
        assert pending(resolved(incident_id="into", merged=("of-orders",)), sent()) == ["resolved"]


class TestDigests:
    @pytest.mark.parametrize(("digest", "hours"), [("daily", 24), ("weekly", 168)])
    def test_a_digest_is_due_when_its_interval_is_over(self, digest: str, hours: int) -> None:
        assert digest_is_due([], "slack", digest, NOON)
        assert not digest_is_due([sent("digest", hours_ago=hours - 2)], "slack", digest, NOON)
        assert digest_is_due([sent("digest", hours_ago=hours)], "slack", digest, NOON)
        assert digest_is_due([sent("digest", route="mail"), sent("opened")], "slack", digest, NOON)


def test_known_or_recent_notifications_are_kept() -> None:
    old, gone = sent(hours_ago=24 * 60), sent(incident_id="gone", hours_ago=24 * 60)
    recent = sent(incident_id="gone", hours_ago=24)

    assert still_needed([old, gone, recent], [incident()], NOON) == [old, recent]
