"""Which incidents are news to a route."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_elementary.alerts.alert import EVENTS
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta, AlertMetas
from airflow_provider_elementary.alerts.selection import AlertFilter, Told, news_of, still_needed
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.tracking import Incident
from tests.support.incidents import NOON, incident, resolved
from tests.support.shop import ORDERS, REVENUE


def told(event: str = "opened", *, hours_ago: float = 1, **facts: Any) -> Told:
    known = {"incident_id": "of-orders", "table": ORDERS, "route": "slack"}
    return Told(**{**known, **facts, "event": event, "told_at": NOON - timedelta(hours=hours_ago)})


def news(known: Incident, *past: Told, hours: float = 0, metas: AlertMetas | None = None, **wants: Any) -> list[str]:
    found = news_of(
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
    def test_an_open_incident_that_nobody_told_of_is_news(self) -> None:
        assert news(incident()) == ["opened"]
        assert news(incident(transition="continues")) == ["opened"]

    def test_one_that_was_told_of_is_none(self) -> None:
        assert news(incident(transition="continues"), told()) == []

    def test_what_another_route_was_told_does_not_count(self) -> None:
        assert news(incident(), told(route="mail")) == ["opened"]

    def test_its_end_is_told_once(self) -> None:
        assert news(resolved(), told()) == ["resolved"]
        assert news(resolved(transition="past"), told()) == ["resolved"]
        assert news(resolved(transition="past"), told(), told("resolved")) == []

    def test_one_that_came_and_went_between_two_runs_is_told_as_resolved(self) -> None:
        assert news(resolved()) == ["resolved"]

    def test_one_that_was_over_before_the_route_was_there_is_not_told(self) -> None:
        assert news(resolved(transition="past")) == []

    def test_a_route_that_wants_no_ends_gets_none(self) -> None:
        assert news(resolved(), told(), events=["opened"]) == []


class TestSuppression:
    def test_another_incident_of_the_table_waits_until_the_interval_is_over(self) -> None:
        again = incident(incident_id="again")

        assert news(again, told(hours_ago=5), hours=6) == []
        assert news(again, told(hours_ago=7), hours=6) == ["opened"]

    def test_an_alert_about_another_table_does_not_hold_it_back(self) -> None:
        assert news(incident(), told(incident_id="other", table=REVENUE), hours=6) == ["opened"]

    def test_the_end_of_what_was_told_is_never_held_back(self) -> None:
        assert news(resolved(), told(), hours=6) == ["resolved"]

    def test_the_interval_of_the_meta_comes_before_the_tasks(self) -> None:
        metas = AlertMetas({ORDERS: AlertMeta(suppression_hours=0)})

        assert news(incident(incident_id="again"), told(), hours=6, metas=metas) == ["opened"]

    def test_who_wants_reminders_is_reminded_each_time_the_interval_is_over(self) -> None:
        still = incident(transition="continues")

        assert news(still, told(hours_ago=5), hours=6, events=EVENTS) == []
        assert news(still, told(hours_ago=7), hours=6, events=EVENTS) == ["continues"]
        assert news(still, told(hours_ago=13), told("continues", hours_ago=5), hours=6, events=EVENTS) == []

    def test_without_an_interval_nobody_is_reminded(self) -> None:
        assert news(incident(transition="continues"), told(hours_ago=99), events=EVENTS) == []


class TestFilters:
    @pytest.mark.parametrize(
        "wants",
        [
            {"severities": ["warn"]},
            {"tags": ["#CORE"]},
            {"owners": ["Core@shop.example", "@nobody"]},
            {"channels": ["#data"]},
            {"tables": ["orders"]},
            {"tables": ["shop.core.*"]},
            {"tables": ["revenue"]},
            {"tags": ["core"], "severities": ["warn", "error"]},
        ],
        ids=str,
    )
    def test_what_fits_passes(self, wants: dict[str, Any]) -> None:
        metas = AlertMetas({ORDERS: AlertMeta(channel="data")})

        assert news(incident(followers=(REVENUE,)), metas=metas, **wants) == ["opened"]

    @pytest.mark.parametrize(
        "wants",
        [
            {"severities": ["error"]},
            {"tags": ["finance"]},
            {"owners": ["@nobody"]},
            {"channels": ["data"]},
            {"tables": ["customers", "shop.raw.*"]},
            {"tags": ["core"], "severities": ["error"]},
        ],
        ids=str,
    )
    def test_what_does_not_is_not_told(self, wants: dict[str, Any]) -> None:
        assert news(incident(), **wants) == []

    def test_an_incident_that_gets_worse_is_news_to_who_wants_errors_only(self) -> None:
        assert news(incident(severity="error"), told(route="mail"), severities=["error"]) == ["opened"]

    @pytest.mark.parametrize("wrong", [{"events": ["closed"]}, {"severities": ["critical"]}], ids=str)
    def test_a_filter_that_nothing_could_pass_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="Expected a route's events and severities of"):
            AlertFilter(**wrong)


def test_the_memory_keeps_what_is_known_or_recent() -> None:
    old, gone = told(hours_ago=24 * 60), told(incident_id="gone", hours_ago=24 * 60)
    recent = told(incident_id="gone", hours_ago=24)

    assert still_needed([old, gone, recent], [incident()], NOON) == [old, recent]
