"""Each row of the comparisons with edr and Elementary Cloud names what exists here, and what does not."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_elementary import __version__
from tests.docs.blocks import ROOT

_ALERTS, _INCIDENTS = "tests/unit/alerts", "tests/unit/incidents"
_ROUTE = "airflow_provider_elementary.notifications.route:AlertRoute"
_OPERATOR = "airflow_provider_elementary.operators.alerts:ElementaryAlertOperator"
_META = "airflow_provider_elementary.alerts.dbt_meta:AlertMeta"
_ANSWER = "airflow_provider_elementary.operators.incidents:ElementaryIncidentAnswerOperator"
#: What the alerts of edr read of a meta.
_EDR_META = (
    *("owner", "subscribers", "channel", "description", "alert_fields", "alert_suppression_interval"),
    *("slack_group_alerts_by", "tags", "alerts_config"),
)
#: What holds each row, by the text of its first cell: a test as ``path::name``, an argument or an attribute as
#: ``module:name.argument``; with ``no`` before it, what must not be there.
EDR_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "`--suppression-interval`, `alert_suppression_interval`": (
        f"{_OPERATOR}.suppression_hours",
        f"{_META}.suppression_hours",
        f"{_ALERTS}/test_selection.py::test_the_interval_of_the_meta_comes_before_the_tasks",
    ),
    "`--group-by alert`, `table`; `slack_group_alerts_by`": (
        f"{_INCIDENTS}/test_grouping.py::test_a_test_that_fails_again_while_its_group_holds_joins_it",
        f"no {_META}.slack_group_alerts_by",
    ),
    "`--group-alerts-threshold`": (
        f"{_OPERATOR}.at_most",
        f"{_ALERTS}/test_dispatch.py::test_each_incident_has_an_alert_up_to_the_threshold",
    ),
    "`--filters` for tags, owners, models, statuses, resource types; include or exclude": (
        *(f"{_ROUTE}.{name}" for name in ("tags", "owners", "tables", "statuses", "resource_types")),
        f"{_ALERTS}/test_selection.py::test_what_fits_passes",
        f"{_ALERTS}/test_selection.py::test_an_incident_that_does_not_match_is_not_sent",
    ),
    "an alert for skipped tests and models, if asked for": (
        f"{_INCIDENTS}/test_meta_severity.py::test_a_skipped_result_is_a_condition_where_the_project_asks_for_it",
        f"{_INCIDENTS}/test_meta_severity.py::test_what_failed_and_was_then_skipped_still_fails",
        f"{_ALERTS}/test_selection_of_edr_kinds.py::test_what_was_skipped_is_no_alert_as_by_the_default_of_edr",
    ),
    'the message "ran successfully", if asked for': (
        f"{_ROUTE}.heartbeat",
        f"{_ALERTS}/test_dispatch.py::test_digests_heartbeat_and_merged_alerts_go_out_when_they_are_due",
    ),
    "`owner`, `subscribers`, `channel`, `description`, `tags`, `alert_fields` in the meta, or in `alerts_config`": (
        *(f"{_META}.{name}" for name in ("owners", "subscribers", "channel", "description", "tags", "fields")),
        f"{_ALERTS}/test_dbt_meta.py::test_the_keys_that_elementary_documents_are_read",
        f"{_ALERTS}/test_dbt_meta.py::test_the_older_alerts_config_counts_and_the_newer_keys_win",
    ),
    "sample rows, compiled query, test parameters in the message": (
        *(f"no airflow_provider_elementary.alerts.alert:Alert.{name}" for name in ("sample", "query", "parameters")),
    ),
    "links to the job": ("airflow_provider_elementary.alerts.alert:Alert.url",),
    "Slack by token or webhook, Teams": (
        "tests/docs/test_alerts.py::test_alert_slack",
        "tests/docs/test_alerts.py::test_alert_teams",
        "tests/docs/test_alerts.py::test_alert_webhook",
        "tests/integration/test_slack_threads.py::test_repeats_and_the_end_reply_to_the_first_message",
    ),
}
CLOUD: Mapping[str, tuple[str, ...]] = {
    "open, acknowledged, resolved by hand or when tests, monitors and models pass again; "
    "a resolved one is not reopened": (
        f"{_ANSWER}.answer",
        f"{_INCIDENTS}/test_tracking.py::test_an_incident_opens_continues_and_is_resolved",
        f"{_INCIDENTS}/test_answer_effects.py::test_later_evidence_is_a_new_incident_that_names_the_resolved_one",
        f"{_INCIDENTS}/test_answer_effects.py::test_an_incident_is_muted_until_a_time",
        "tests/integration/test_answers.py::test_a_failing_test_that_dbt_still_has_cannot_be_resolved_by_hand",
        "tests/integration/test_incident_histories.py"
        "::test_a_test_that_is_removed_or_disabled_is_closed_and_not_resolved",
    ),
    "severity low, normal, high, critical: model error, test failure, warning": (
        f"{_INCIDENTS}/test_meta_severity.py::test_a_test_has_the_severity_of_its_own_meta_then_that_of_its_model",
        f"{_INCIDENTS}/test_dbt_conditions.py::test_a_run_that_failed_is_critical_until_one_succeeds",
    ),
    "an assignee, who is notified": (f"{_ANSWER}.assignee", f"no {_ROUTE}.assignees"),
    "incidents are merged by hand, split, and freshness failures of one source within a day are merged": (
        f"{_ANSWER}.into",
        f"{_ANSWER}.conditions",
        "tests/integration/test_answers.py::test_merged_incidents_are_one_and_are_answered_by_either_id",
        f"{_INCIDENTS}/test_answer_effects.py::test_a_condition_that_is_split_off_is_an_incident_of_its_own",
    ),
    "filters: all, unresolved, open and unassigned": (
        "airflow_provider_elementary.page.views.incidents:Incidents.search",
        "airflow_provider_elementary.page.views.incidents:Incidents.status",
        "no airflow_provider_elementary.page.views.incidents:Incidents.assignee",
    ),
    "mean time to resolve": (
        "airflow_provider_elementary.metrics.registry:METRICS.test_time_to_recover",
        "airflow_provider_elementary.metrics.registry:METRICS.run_time_to_recover",
        "no airflow_provider_elementary.metrics.registry:METRICS.incident_time_to_resolve",
    ),
    "alert rules in an order, of which the first that matches is used": (
        f"{_OPERATOR}.routes",
        f"{_ALERTS}/test_selection.py::test_alerts_over_another_route_do_not_count",
    ),
    "filters by asset, test type, downstream criticality, tags, owners, type": (
        *(f"{_ROUTE}.{name}" for name in ("tables", "downstream", "tags", "owners", "channels", "resource_types")),
        *(f"{_ROUTE}.{name}" for name in ("statuses", "severities")),
        f"no {_ROUTE}.test_types",
    ),
    "warnings send nothing by default": (
        f"{_ROUTE}.severities",
        f"{_ALERTS}/test_selection_of_edr_kinds.py::test_each_kind_of_alert_of_edr_is_one_alert_of_its_resource_type",
    ),
    "digests, daily or weekly, with filters of their own": (
        f"{_ROUTE}.digest",
        f"{_ALERTS}/test_selection.py::test_a_digest_is_due_when_its_interval_is_over",
        f"{_ALERTS}/test_alert.py::test_a_digest_counts_and_lists_the_worst_first",
    ),
}
TABLES = {"docs/migrate-from-edr.md": ("option of edr", EDR_OPTIONS), "docs/compare.md": ("Elementary Cloud", CLOUD)}
ROWS = [(row, proofs) for _, table in TABLES.values() for row, proofs in table.items()]


def rows_of(page: str, heading: str) -> dict[str, str]:
    """Return the rows of the table whose first cell is this heading, by their own first cell."""
    text = (ROOT / page).read_text(encoding="utf-8")
    [table] = re.findall(rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    cells = (re.split(r" \| ", line.strip("| ")) for line in table.splitlines())
    return {first: second for first, second in cells}


def exists(proof: str) -> bool:
    """Return whether what a proof names is there."""
    if "::" in proof:
        path, name = proof.split("::")
        return re.search(rf"^\s*def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE) is not None
    module, _, names = proof.partition(":")
    name, _, part = names.partition(".")
    found: Any = getattr(import_module(module), name)
    if isinstance(found, Mapping):
        return part in found
    declared = {field.name for field in fields(found)} if is_dataclass(found) else set()
    return part in declared or part in inspect.signature(found).parameters or hasattr(found, part)


@pytest.mark.parametrize("page", TABLES)
def test_every_row_of_the_table_is_held_by_something(page: str) -> None:
    heading, table = TABLES[page]

    assert list(rows_of(page, heading)) == list(table)


@pytest.mark.parametrize(("row", "proofs"), ROWS, ids=[row[:60] for row, _ in ROWS])
def test_what_a_row_says_is_there_or_is_not(row: str, proofs: tuple[str, ...]) -> None:
    assert proofs
    for proof in proofs:
        named = proof.removeprefix("no ")
        assert exists(named) is (named == proof), f"{row}: {proof}"


@pytest.mark.parametrize("key", _EDR_META)
def test_each_key_of_a_meta_that_edr_reads_has_a_row(key: str) -> None:
    rows = rows_of("docs/migrate-from-edr.md", "option of edr")

    assert any(f"`{key}`" in row for row in rows)


def test_the_arguments_that_a_row_names_exist() -> None:
    named = " ".join(rows_of("docs/migrate-from-edr.md", "option of edr").values())
    arguments = {name for name in re.findall(r"`(\w+)`", named) if name.islower()} - {"alert_on_skipped"}

    assert {name for name in arguments if not (exists(f"{_ROUTE}.{name}") or exists(f"{_OPERATOR}.{name}"))} == set()


def test_there_is_no_release_as_long_as_the_page_says_so() -> None:
    text = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")

    assert ("no release was made" in text) is __version__.endswith(".dev0")
