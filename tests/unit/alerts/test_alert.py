"""An alert as text, for Slack, as HTML and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from airflow_provider_elementary.alerts.alert import Alert, Line, alert_of, alert_of_many, digest_of, heartbeat
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta
from airflow_provider_elementary.storage.records.answers import Answer
from tests.support.incidents import incident, resolved
from tests.support.shop import ORDERS, REVENUE, SUNDAY

META = AlertMeta(
    owners=("core@shop.example", "@maya"),
    subscribers=("board@shop.example", "core@shop.example"),
    tags=("core",),
    channel="data",
    description="Orders come every day",
)


def alert(meta: AlertMeta = META, **facts: Any) -> Alert:
    addresses = {"url": "https://af.example/plugin/elementary", "docs_url": "https://docs.example"}
    return alert_of("opened", incident(**facts), meta, **addresses)


def test_text_has_incident_table_metrics_start_and_owners() -> None:
    assert alert(followers=(REVENUE,)).text == (
        "Incident (normal): SHOP.CORE.ORDERS row_count\n"
        "What: orders: row count 10 on Sun 1 Nov 2026; expected 90 to 110 from the last 14 buckets\n"
        "Table: SHOP.CORE.ORDERS\n"
        "Tests and metrics: row_count\n"
        "Evidence: 1 bucket not as expected\n"
        "Since: 2026-11-01 00:00 UTC\n"
        "Other tables of it: SHOP.CORE.REVENUE\n"
        "Description: Orders come every day\n"
        "Owners: core@shop.example, @maya\n"
        "Subscribers: board@shop.example, core@shop.example\n"
        "Tags: core\n"
        "To do: Compare with the days before; answer expected or new-normal if it is right\n"
        "Runbook: https://docs.example/runbook.html#a-metric-is-anomalous\n"
        "Elementary page: https://af.example/plugin/elementary"
    )


def test_resolved_text_has_the_end() -> None:
    sent = alert_of("resolved", resolved(), META).text

    assert sent.startswith("Resolved (normal): SHOP.CORE.ORDERS row_count\n")
    assert "Until: 2026-11-03 00:00 UTC" in sent


def test_it_shows_the_fields_that_the_project_asks_for() -> None:
    sent = alert(replace(META, fields=("table", "owners")))

    assert [line.label for line in sent.lines] == ["Table", "Evidence", "Since", "Owners", "To do", "Runbook"]


def test_it_names_the_assignee_of_the_incident() -> None:
    said = Answer("one", "of-orders", "assign", answered_by="ada", answered_at="2026-11-01T12:00:00", assignee="bob")

    assert "\nAssignee: bob\n" in alert(answers=(said,)).text


def test_five_further_conditions_are_listed_and_the_rest_is_counted() -> None:
    sent = alert(titles=tuple(f"sentence {number}" for number in range(7)))

    assert [line.value for line in sent.lines if line.label == "Also"] == [
        *(f"sentence {number}" for number in range(5)),
        "2 more",
    ]


def test_its_e_mail_addresses_are_those_of_owners_and_subscribers() -> None:
    assert alert().emails == ("core@shop.example", "board@shop.example")
    assert alert(AlertMeta(owners=("a@b.example,c@d.example", "Maya <m@b.example>"))).emails == ()


def test_markup_in_a_name_is_only_text() -> None:
    sent = alert(replace(META, description="<script>&</script> <!channel>"))

    assert "*Description:* &lt;script&gt;&amp;&lt;/script&gt; &lt;!channel&gt;" in sent.slack
    assert "<td>&lt;script&gt;&amp;&lt;/script&gt; &lt;!channel&gt;</td>" in sent.html


def test_a_line_break_in_a_name_starts_no_new_line() -> None:
    sent = alert(root="SHOP.CORE.OR\r\nBcc: x@y.example\nDERS")

    assert sent.title == "Incident (normal): SHOP.CORE.OR Bcc: x@y.example DERS row_count"
    assert "\n" not in sent.title


def test_for_slack_it_fits_into_one_block() -> None:
    assert len(alert(replace(META, description="long " * 2000)).slack) <= 3000


def test_as_json_it_is_complete() -> None:
    sent = json.loads(alert().json)

    assert sent["event"] == "opened"
    assert sent["key"] == "elementary-of-orders"
    assert sent["incidents"][0] | {"table": ORDERS, "severity": "normal"} == sent["incidents"][0]
    assert set(sent) == {
        *("key", "event", "title", "text", "severity", "owners", "subscribers", "tags", "channel", "url", "incidents")
    }


def test_opening_and_end_of_an_incident_have_the_same_key() -> None:
    assert alert_of("resolved", resolved(), META).key == alert().key


class TestMany:
    def test_many_are_merged_with_the_worst_first(self) -> None:
        several = [alert(incident_id=str(number), root=f"SHOP.CORE.T{number}") for number in range(3)]
        worst = alert(incident_id="worst", root="SHOP.CORE.WORST", severity="high")

        sent = alert_of_many([*several, worst])

        assert (sent.title, sent.severity, sent.table) == ("4 incidents at once", "high", "SHOP.CORE.WORST")
        assert [line.value for line in sent.lines] == [
            *(f"SHOP.CORE.{name} row_count" for name in ("WORST", "T0", "T1", "T2")),
        ]
        assert sent.owners == ("core@shop.example", "@maya")

    def test_a_channel_is_named_only_where_they_agree(self) -> None:
        assert alert_of_many([alert(), alert()]).channel == "data"
        assert alert_of_many([alert(), alert(replace(META, channel="other"))]).channel is None

    def test_those_that_do_not_fit_are_counted(self) -> None:
        sent = alert_of_many([alert(incident_id=str(number)) for number in range(25)])

        assert len(sent.lines) == 21
        assert (sent.lines[-1].label, sent.lines[-1].value) == ("And", "5 more")


def test_slack_blocks_have_title_details_and_link_and_mention_nobody() -> None:
    sent = alert(replace(META, description="<!channel> & co"))

    header, details, link = sent.blocks
    assert header["text"] == {"type": "plain_text", "text": sent.title}
    assert "*Since:* 2026-11-01 00:00 UTC" in details["text"]["text"]
    assert "&lt;!channel&gt; &amp; co" in details["text"]["text"]
    assert link["text"]["text"] == f"<{sent.url}|Open the incident>"
    assert json.loads(json.dumps(sent.blocks)) == sent.blocks


def test_slack_blocks_keep_within_the_limits_of_slack() -> None:
    header, details, *_ = replace(alert(), title="t" * 400, lines=(Line(None, "What", "w" * 9_000),)).blocks

    assert len(header["text"]["text"]) == 150
    assert len(details["text"]["text"]) < 3_000


def test_every_alert_of_an_incident_is_in_one_thread_and_has_one_key() -> None:
    sent = [alert(), alert_of("continues", incident(), META), alert_of("resolved", resolved(), META)]

    assert {(each.key, each.thread) for each in sent} == {
        ("elementary-of-orders", "<elementary-of-orders@airflow-provider-elementary>")
    }


def test_a_resolved_incident_leaves_nothing_to_do() -> None:
    assert not {"To do", "Runbook"} & {line.label for line in alert_of("resolved", resolved(), META).lines}


def test_a_digest_counts_and_lists_the_worst_first() -> None:
    mild, bad = incident(), incident(incident_id="bad", severity="critical", title="bad one")
    over = resolved(incident_id="over", title="over now")

    sent = digest_of("daily", [mild, bad, over], SUNDAY, lambda incident_id: f"https://af.example/{incident_id}")

    assert sent.title == "Daily digest: 2 open, 0 of them new; 1 resolved"
    assert [line.value for line in sent.lines] == [bad.title, mild.title, over.title]
    assert (sent.severity, sent.url, sent.event) == ("critical", "https://af.example/bad", "digest")
    assert (sent.key, json.loads(sent.json)["event"]) == ("elementary-bad", "digest")


def test_a_digest_of_nothing_and_a_heartbeat_are_alerts_too() -> None:
    for sent in (digest_of("weekly", [], None, str), heartbeat()):
        assert sent.key == f"elementary-{sent.event}"
        assert (sent.table, sent.severity, sent.emails) == ("the dbt project", "low", ())
        assert all((sent.text, sent.html, sent.slack, sent.blocks, sent.json))
