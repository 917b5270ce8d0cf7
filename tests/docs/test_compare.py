"""Each feature in the comparisons is held by tests of its behaviour.

Of the tables of features of edr and Elementary Cloud, the second cell of each row is written here too, beside the tests
of what it says: a changed cell fails. Of the other tables of both pages, only the first cells are held.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pytest

from airflow_provider_elementary import __version__
from airflow_provider_elementary.alerts.alert import Alert
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta
from airflow_provider_elementary.metrics.registry import METRICS
from airflow_provider_elementary.notifications.route import AlertRoute
from airflow_provider_elementary.operators.alerts import ElementaryAlertOperator
from airflow_provider_elementary.page.views.incidents import Incidents
from tests.docs.blocks import ROOT

_ALERTS, _INCIDENTS, _METRICS = "tests/unit/alerts", "tests/unit/incidents", "tests/unit/metrics"
_SELECTION, _TRACKING = f"{_ALERTS}/test_selection.py", f"{_INCIDENTS}/test_tracking.py"
_EFFECTS, _CONDITIONS = f"{_INCIDENTS}/test_answer_effects.py", f"{_INCIDENTS}/test_dbt_conditions.py"
_ANSWERS, _SYSTEM = "tests/integration/test_answers.py", "tests/system/test_alerts.py"
_DIGESTS = f"{_ALERTS}/test_dispatch.py::test_digests_heartbeat_and_merged_alerts_go_out_when_they_are_due"
#: What the alerts of edr read of a meta.
_EDR_META = (
    *("owner", "subscribers", "channel", "description", "alert_fields", "alert_suppression_interval"),
    *("slack_group_alerts_by", "tags", "alerts_config"),
)
#: All that there is, where a row says that something is not.
ALL_OF: Mapping[str, tuple[set[str], set[str]]] = {
    "fields of an alert": (
        {field.name for field in fields(Alert)},
        {"event", "title", "lines", "incidents", "severity", "url", "reply_to"}
        | {"owners", "subscribers", "tags", "channel"},
    ),
    "fields of a route": (
        {field.name for field in fields(AlertRoute)},
        {"events", "severities", "tags", "owners", "channels", "tables", "resource_types", "statuses", "downstream"}
        | {"digest", "heartbeat", "notifier", "enabled", "recipients"},
    ),
    "settings of a meta": (
        {field.name for field in fields(AlertMeta)},
        {"owners", "subscribers", "tags", "channel", "description", "suppression_hours", "fields"},
    ),
    "fields of the list of incidents": (
        {field.name for field in fields(Incidents)},
        {"store_status", "entries", "begins", "ends", "open_count", "failing_tests", "failing_test_count"}
        | {"search", "status", "pagination"},
    ),
    "metrics of how long something took": (
        {name for name in METRICS if "time_to" in name},
        {"test_time_to_recover", "run_time_to_recover"},
    ),
}


@dataclass(frozen=True)
class Row:
    """What a row says, and what holds it.

    :param here: its second cell.
    :param tests: ids of tests that exercise it; without a parameter, at least one of its cases is run.
    :param all_of: the keys of ``ALL_OF`` that hold what it says is not there.
    """

    here: str
    tests: tuple[str, ...]
    all_of: tuple[str, ...] = ()


def not_sent(**wants: list[str]) -> str:
    """Return the id of the test that an incident is not sent to a route that wants this."""
    return f"{_SELECTION}::TestFilters::test_an_incident_that_does_not_match_is_not_sent[{wants}]"


EDR_OPTIONS: Mapping[str, Row] = {
    "`--suppression-interval`, `alert_suppression_interval`": Row(
        "`suppression_hours`, and the same key in the meta",
        (
            f"{_SELECTION}::TestSuppression::test_another_incident_of_the_table_waits_until_the_interval_is_over",
            f"{_SELECTION}::TestSuppression::test_the_interval_of_the_meta_comes_before_the_tasks",
        ),
    ),
    "`--group-by alert`, `table`; `slack_group_alerts_by`": Row(
        "one alert for each incident: what has one cause",
        (
            f"{_TRACKING}::TestGrouping::test_tables_downstream_follow_the_one_furthest_upstream",
            f"{_INCIDENTS}/test_grouping.py::test_a_test_that_fails_again_while_its_group_holds_joins_it",
            f"{_ALERTS}/test_dispatch.py::test_each_incident_has_an_alert_up_to_the_threshold",
        ),
        ("settings of a meta",),
    ),
    "`--group-alerts-threshold`": Row(
        "`at_most`", (f"{_ALERTS}/test_dispatch.py::test_each_incident_has_an_alert_up_to_the_threshold", _DIGESTS)
    ),
    "`--filters` for tags, owners, models, statuses, resource types; include or exclude": Row(
        "`tags`, `owners`, `tables`, `statuses`, `resource_types` of `AlertRoute`; `!` before a name excludes, "
        "`*` in a table is any text",
        (
            not_sent(tags=["finance"]),
            not_sent(owners=["@nobody"]),
            not_sent(tables=["customers", "shop.raw.*"]),
            not_sent(statuses=["fail", "error"]),
            not_sent(resource_types=["test", "model"]),
            not_sent(tags=["!core"]),
            f"{_SELECTION}::TestFilters::test_what_fits_passes",
        ),
    ),
    "an alert for skipped tests and models, if asked for": Row(
        "`alert_on_skipped: true` in the meta of the model or the test: severity low, until the next result. "
        "Else what was skipped says nothing, and an earlier failure still holds",
        (
            f"{_INCIDENTS}/test_meta_severity.py::test_a_skipped_result_is_a_condition_where_the_project_asks_for_it",
            f"{_INCIDENTS}/test_meta_severity.py::test_what_failed_and_was_then_skipped_still_fails",
            f"{_ALERTS}/test_selection_of_edr_kinds.py::test_what_was_skipped_is_no_alert_as_by_the_default_of_edr",
        ),
    ),
    'the message "ran successfully", if asked for': Row("`heartbeat=True` of `AlertRoute`", (_DIGESTS,)),
    "`owner`, `subscribers`, `channel`, `description`, `tags`, `alert_fields` in the meta, or in `alerts_config`": Row(
        "[the same keys](how-to/alert.md#what-the-dbt-project-says)",
        (
            f"{_ALERTS}/test_dbt_meta.py::test_the_keys_that_elementary_documents_are_read",
            f"{_ALERTS}/test_dbt_meta.py::test_the_older_alerts_config_counts_and_the_newer_keys_win",
            f"{_ALERTS}/test_alert.py::test_text_has_incident_table_metrics_start_and_owners",
            f"{_ALERTS}/test_alert.py::test_it_shows_the_fields_that_the_project_asks_for",
        ),
    ),
    "sample rows, compiled query, test parameters in the message": Row(
        "none: an alert holds no raw value",
        (f"{_SYSTEM}::test_an_incident_is_sent_once_over_each_route_and_not_in_every_run",),
        ("fields of an alert",),
    ),
    "links to the job": Row(
        "the link of the incident",
        (f"{_ALERTS}/test_alert.py::test_text_has_incident_table_metrics_start_and_owners",),
    ),
    "Slack by token or webhook, Teams": Row(
        "[any notifier](how-to/alert.md#which-notifier); by token as one thread for each incident",
        (
            "tests/docs/test_alerts.py::test_alert_slack",
            "tests/docs/test_alerts.py::test_alert_teams",
            "tests/docs/test_alerts.py::test_alert_webhook",
            "tests/integration/test_slack_threads.py::test_repeats_and_the_end_reply_to_the_first_message",
        ),
    ),
}
CLOUD: Mapping[str, Row] = {
    "open, acknowledged, resolved by hand or when tests, monitors and models pass again; "
    "a resolved one is not reopened": Row(
        "[the same](incidents.md), and muted or expected; what left the project is closed, and not called resolved; "
        "where the value that ended it is corrected, it is open again. "
        "A failing dbt test cannot be resolved by hand",
        (
            f"{_TRACKING}::TestFromRunToRun::test_an_incident_opens_continues_and_is_resolved",
            f"{_EFFECTS}::TestStates::test_an_incident_says_who_looks_after_it",
            f"{_EFFECTS}::TestResolve::test_an_anomaly_that_a_person_resolved_is_over_with_its_last_evidence",
            f"{_CONDITIONS}::TestTests::test_it_ends_with_the_first_good_result_and_not_before",
            f"{_EFFECTS}::TestResolve::test_later_evidence_is_a_new_incident_that_names_the_resolved_one",
            f"{_EFFECTS}::TestStates::test_an_incident_is_muted_until_a_time",
            f"{_EFFECTS}::TestExpected::test_an_expected_anomaly_is_over_and_a_later_one_is_new",
            "tests/integration/test_incident_histories.py"
            "::test_a_test_that_is_removed_or_disabled_is_closed_and_not_resolved",
            f"{_ANSWERS}::test_a_failing_test_that_dbt_still_has_cannot_be_resolved_by_hand",
        ),
    ),
    "severity low, normal, high, critical: model error, test failure, warning": Row(
        "the same four steps; `severity` in the meta decides",
        (
            f"{_INCIDENTS}/test_meta_severity.py::test_a_test_has_the_severity_of_its_own_meta_then_that_of_its_model",
            f"{_INCIDENTS}/test_meta_severity.py::test_only_the_four_steps_are_a_severity",
            f"{_CONDITIONS}::TestRunsAndFreshness::test_a_run_that_failed_is_critical_until_one_succeeds",
        ),
    ),
    "an assignee, who is notified": Row(
        "the assignee is shown and named in later alerts; nobody is notified of the assignment",
        (
            "tests/integration/plugin_page/test_one_incident.py"
            "::test_an_incident_shows_its_answers_and_the_command_for_the_next",
            f"{_ALERTS}/test_alert.py::test_it_names_the_assignee_of_the_incident",
            f"{_SELECTION}::TestAnswers::test_an_assignment_is_no_alert",
        ),
        ("fields of a route",),
    ),
    "incidents are merged by hand, split, and freshness failures of one source within a day are merged": Row(
        "merged by hand and split; grouped by table, family, time and lineage",
        (
            f"{_ANSWERS}::test_merged_incidents_are_one_and_are_answered_by_either_id",
            f"{_EFFECTS}::TestMergeAndSplit::test_a_condition_that_is_split_off_is_an_incident_of_its_own",
            f"{_TRACKING}::TestGrouping::test_two_columns_of_a_table_are_two_incidents",
            f"{_TRACKING}::TestGrouping::test_a_slow_model_does_not_follow_a_table_with_fewer_rows",
            f"{_TRACKING}::TestGrouping::test_what_was_over_before_is_no_cause",
            f"{_TRACKING}::TestGrouping::test_tables_that_are_not_made_from_each_other_are_two_incidents",
        ),
    ),
    "filters: all, unresolved, open and unassigned": Row(
        "by table and status; none by assignee",
        (
            "tests/integration/plugin_page/test_one_incident.py"
            "::test_the_list_is_filtered_by_table_and_status_and_not_by_assignee",
        ),
        ("fields of the list of incidents",),
    ),
    "mean time to resolve": Row(
        "of tests and runs, by table ([`test_time_to_recover`, `run_time_to_recover`](metrics.md)); none of incidents",
        (
            f"{_METRICS}/test_test_result_metrics.py::test_a_test_recovers_when_it_passes_again",
            f"{_METRICS}/test_run_metrics.py::test_a_failure_lasts_from_the_first_failed_run_to_the_next_success",
        ),
        ("metrics of how long something took",),
    ),
    "alert rules in an order, of which the first that matches is used": Row(
        "each route has its own filters, and each that matches gets the alert",
        (
            f"{_SELECTION}::TestOnceAndNotEachRun::test_alerts_over_another_route_do_not_count",
            f"{_SYSTEM}::test_an_incident_is_sent_once_over_each_route_and_not_in_every_run",
            f"{_SYSTEM}::test_routes_are_filtered_and_switched_off_by_the_form",
        ),
    ),
    "filters by asset, test type, downstream criticality, tags, owners, type": Row(
        "by table, downstream tables, tags, owners, channel, resource type, status and severity; none by type of test",
        (
            not_sent(tables=["customers", "shop.raw.*"]),
            not_sent(downstream=["exposure *"]),
            not_sent(tags=["finance"]),
            not_sent(owners=["@nobody"]),
            not_sent(channels=["data"]),
            not_sent(resource_types=["test", "model"]),
            not_sent(statuses=["fail", "error"]),
            not_sent(severities=["high"]),
        ),
        ("fields of a route",),
    ),
    "warnings send nothing by default": Row(
        "they are sent; `severities` of a route leaves them out",
        (
            f"{_ALERTS}/test_selection_of_edr_kinds.py"
            "::test_each_kind_of_alert_of_edr_is_one_alert_of_its_resource_type[test: warn]",
            not_sent(severities=["!normal"]),
        ),
    ),
    "digests, daily or weekly, with filters of their own": Row(
        "[the same](how-to/alert.md) for each route",
        (
            f"{_SELECTION}::TestDigests::test_a_digest_is_due_when_its_interval_is_over[daily-24]",
            f"{_SELECTION}::TestDigests::test_a_digest_is_due_when_its_interval_is_over[weekly-168]",
            f"{_ALERTS}/test_alert.py::test_a_digest_counts_and_lists_the_worst_first",
            _DIGESTS,
        ),
    ),
}
TABLES = {"docs/migrate-from-edr.md": ("option of edr", EDR_OPTIONS), "docs/compare.md": ("Elementary Cloud", CLOUD)}
ROWS = {name: row for _, table in TABLES.values() for name, row in table.items()}
#: The first cells of the tables that nothing here holds further.
FIRST_CELLS: Mapping[tuple[str, str], list[str]] = {
    ("docs/compare.md", "you want"): [
        "a service that somebody else runs, with support",
        "column-level lineage, from sources to BI",
        "monitors of tables that dbt does not test, from query history and the system catalog",
        "detection between dbt runs",
        "a catalog, users with roles of their own, agents that triage or write tests",
        "a report in HTML and alerts in Slack or Teams, from a laptop or CI",
        "checks of tables that dbt does not know, from Airflow",
        "any query's result as a file in S3",
        "tables of any source in another warehouse, with schema changes",
        "an encrypted history of Elementary in your own bucket, in which signatures and an anchor show what was "
        "changed or removed, and which is restored and analysed without the warehouse",
        "a check of the role's rights before each task's first read, which stops the task where the role can do more "
        "or the warehouse does not say",
    ],
    ("docs/compare.md", ""): [
        *("reads", "rights of the role", "rows on the way", "encryption", "a crash in the middle", "history"),
        *("detection", "age"),
    ],
    ("docs/migrate-from-edr.md", "with edr"): [
        "a worker with dbt, a profile, and edr's own dbt project",
        "a profile whose role may be any",
        "`edr monitor` on a schedule",
        "alerts by edr's Slack or Teams options",
        "`edr report`, `edr send-report`",
        "the HTML file on S3",
        "history for as long as the schema holds it",
    ],
}


def rows_of(page: str, heading: str) -> list[tuple[str, str]]:
    """Return the first two cells of each row of the table whose first cell is this heading."""
    text = (ROOT / page).read_text(encoding="utf-8")
    [table] = re.findall(rf"^\| *{re.escape(heading)} *\|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    cells = (line.strip("| ").split(" | ") for line in table.splitlines())
    return [(first, second) for first, second, *_ in cells]


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The ids of the tests in the files that rows name, but for those with a mark that lets them not run or fail."""
    paths = sorted({test.partition("::")[0] for row in ROWS.values() for test in row.tests})
    options = ("--collect-only", "-q", "-p", "no:cacheprovider", "-m", "not skip and not skipif and not xfail")
    command = [sys.executable, "-m", "pytest", *options, *paths]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    ids = {line for line in ended.stdout.splitlines() if "::" in line}
    return ids | {each.partition("[")[0] for each in ids}


@pytest.mark.parametrize("page", TABLES)
def test_each_row_says_what_is_held(page: str) -> None:
    heading, table = TABLES[page]

    assert rows_of(page, heading) == [(name, row.here) for name, row in table.items()]


@pytest.mark.parametrize(("page", "heading"), FIRST_CELLS)
def test_no_row_of_the_other_tables_is_gone(page: str, heading: str) -> None:
    assert [first for first, _ in rows_of(page, heading)] == FIRST_CELLS[page, heading]


@pytest.mark.parametrize("name", ROWS, ids=lambda name: name[:60])
def test_what_a_row_says_has_tests_that_are_run(name: str, collected: set[str]) -> None:
    assert ROWS[name].tests
    assert set(ROWS[name].tests) - collected == set()


@pytest.mark.parametrize("name", ROWS, ids=lambda name: name[:60])
def test_what_a_row_says_is_missing_is_missing(name: str) -> None:
    row = ROWS[name]

    assert row.all_of or not re.search(r"\b(?:no|none|nobody)\b", row.here)
    for key in row.all_of:
        found, expected = ALL_OF[key]
        assert found == expected, key


@pytest.mark.parametrize("key", _EDR_META)
def test_each_key_of_a_meta_that_edr_reads_has_a_row(key: str) -> None:
    assert any(f"`{key}`" in name for name in EDR_OPTIONS)


def test_the_arguments_that_a_row_names_exist() -> None:
    named = " ".join(row.here for row in EDR_OPTIONS.values())
    arguments = {name for name in re.findall(r"`(\w+)`", named) if name.islower()} - {"alert_on_skipped"}
    known: set[Any] = {
        *inspect.signature(AlertRoute).parameters,
        *inspect.signature(ElementaryAlertOperator).parameters,
    }

    assert arguments - known == set()


def test_there_is_no_release_as_long_as_the_page_says_so() -> None:
    text = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")

    assert ("no release was made" in text) is __version__.endswith(".dev0")
