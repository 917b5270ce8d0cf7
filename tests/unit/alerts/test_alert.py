"""An alert as text, for Slack, as HTML and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from airflow_provider_elementary.alerts.alert import Alert, alert_of, alert_of_many
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta
from tests.support.incidents import incident, resolved
from tests.support.shop import ORDERS, REVENUE

META = AlertMeta(
    owners=("core@shop.example", "@maya"),
    subscribers=("board@shop.example", "core@shop.example"),
    tags=("core",),
    channel="data",
    description="Orders come every day",
)


def alert(meta: AlertMeta = META, sentences: tuple[str, ...] = (), **facts: Any) -> Alert:
    return alert_of("opened", incident(**facts), meta, sentences=sentences, url="https://af.example/plugin/elementary")


def test_as_text_it_tells_what_where_since_when_and_whose() -> None:
    assert alert(followers=(REVENUE,)).text == (
        "Incident (warn): SHOP.CORE.ORDERS row_count\n"
        "What: orders: row_count 10 on Sun 1 Nov 2026; expected 90 to 110 from the last 14 buckets\n"
        "Table: SHOP.CORE.ORDERS\n"
        "Metrics: row_count\n"
        "Since: 2026-11-01 00:00 UTC\n"
        "Tables that follow: SHOP.CORE.REVENUE\n"
        "Description: Orders come every day\n"
        "Owners: core@shop.example, @maya\n"
        "Subscribers: board@shop.example, core@shop.example\n"
        "Tags: core\n"
        "Elementary page: https://af.example/plugin/elementary"
    )


def test_a_resolved_one_tells_until_when() -> None:
    told = alert_of("resolved", resolved(), META).text

    assert told.startswith("Resolved (warn): SHOP.CORE.ORDERS row_count\n")
    assert "Until: 2026-11-03 00:00 UTC" in told


def test_it_shows_the_fields_that_the_project_asks_for() -> None:
    told = alert(replace(META, fields=("table", "owners")))

    assert [line.label for line in told.lines] == ["Table", "Since", "Owners"]


def test_a_few_further_anomalies_are_told_and_the_rest_is_counted() -> None:
    told = alert(sentences=tuple(f"sentence {number}" for number in range(7)))

    assert [line.value for line in told.lines if line.label == "Also"] == [
        *(f"sentence {number}" for number in range(5)),
        "2 more anomalous buckets",
    ]


def test_its_e_mail_addresses_are_those_of_owners_and_subscribers() -> None:
    assert alert().emails == ("core@shop.example", "board@shop.example")
    assert alert(AlertMeta(owners=("a@b.example,c@d.example", "Maya <m@b.example>"))).emails == ()


def test_markup_in_a_name_is_only_text() -> None:
    told = alert(replace(META, description="<script>&</script> <!channel>"))

    assert "*Description:* &lt;script&gt;&amp;&lt;/script&gt; &lt;!channel&gt;" in told.slack
    assert "<td>&lt;script&gt;&amp;&lt;/script&gt; &lt;!channel&gt;</td>" in told.html


def test_a_line_break_in_a_name_starts_no_new_line() -> None:
    told = alert(root="SHOP.CORE.OR\r\nBcc: x@y.example\nDERS")

    assert told.title == "Incident (warn): SHOP.CORE.OR Bcc: x@y.example DERS row_count"
    assert "\n" not in told.title


def test_for_slack_it_fits_into_one_block() -> None:
    assert len(alert(replace(META, description="long " * 2000)).slack) <= 3000


def test_as_json_it_is_complete() -> None:
    told = json.loads(alert().json)

    assert told["event"] == "opened"
    assert told["key"] == "elementary-of-orders"
    assert told["incidents"][0] | {"table": ORDERS, "severity": "warn"} == told["incidents"][0]
    assert set(told) == {
        *("key", "event", "title", "text", "severity", "owners", "subscribers", "tags", "channel", "url", "incidents")
    }


def test_opening_and_end_of_an_incident_have_the_same_key() -> None:
    assert alert_of("resolved", resolved(), META).key == alert().key


class TestMany:
    def test_they_are_told_in_one_go_the_worst_first(self) -> None:
        several = [alert(incident_id=str(number), root=f"SHOP.CORE.T{number}") for number in range(3)]
        worst = alert(incident_id="worst", root="SHOP.CORE.WORST", severity="error")

        told = alert_of_many([*several, worst])

        assert (told.title, told.severity, told.table) == ("4 incidents at once", "error", "SHOP.CORE.WORST")
        assert [line.value for line in told.lines] == [
            *(f"SHOP.CORE.{name} row_count" for name in ("WORST", "T0", "T1", "T2")),
        ]
        assert told.owners == ("core@shop.example", "@maya")

    def test_a_channel_is_named_only_where_they_agree(self) -> None:
        assert alert_of_many([alert(), alert()]).channel == "data"
        assert alert_of_many([alert(), alert(replace(META, channel="other"))]).channel is None

    def test_those_that_do_not_fit_are_counted(self) -> None:
        told = alert_of_many([alert(incident_id=str(number)) for number in range(25)])

        assert len(told.lines) == 21
        assert (told.lines[-1].label, told.lines[-1].value) == ("And", "5 more")
