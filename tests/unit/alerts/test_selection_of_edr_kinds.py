"""Each kind of alert of edr is an incident here, and an alert of its resource type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.alerts.dbt_meta import AlertMetas
from airflow_provider_elementary.alerts.selection import AlertFilter, pending_notifications
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.project.lineage import read_lineage
from tests.support.dbt_project import MONDAY, project, result, run

DOCS = Path(__file__).parents[3] / "docs" / "migrate-from-edr.md"
SLA = ("data_freshness_sla", "execution_sla")
ANOMALY_TESTS = (
    *("volume_anomalies", "freshness_anomalies", "event_freshness_anomalies", "table_anomalies"),
    *("dimension_anomalies", "column_anomalies", "all_columns_anomalies"),
)
SCHEMA_TESTS = ("schema_changes", "schema_changes_from_baseline", "json_schema")
SCHEMA_SUB_TYPES = ("column_added", "column_removed", "type_changed", "table_added", "table_removed")
OTHERS = (
    *("volume_threshold", "metric_stability", "ai_data_validation", "unstructured_data_validation"),
    *("exposure_schema_validity", "not_null_with_context"),
)


@dataclass(frozen=True)
class Kind:
    """One kind of alert of edr.

    :param rows: what dbt's hooks wrote for it.
    :param severity: of the alert.
    """

    resource_type: str
    rows: Mapping[str, Any]
    severity: str = "high"


def a_test(status: str = "fail", **facts: Any) -> Mapping[str, Any]:
    return {"elementary_test_results": [result(0, status, **facts)]}


def a_run(status: str, node: str = "model.shop.orders") -> Mapping[str, Any]:
    return {"dbt_run_results": [run(0, status=status, unique_id=node, resource_type=node.partition(".")[0])]}


def freshness(status: str) -> Mapping[str, Any]:
    row = {
        "source_freshness_execution_id": "one",
        "unique_id": "source.shop.raw.orders",
        "status": status,
        "created_at": MONDAY,
        "generated_at": f"{MONDAY:%Y-%m-%d %H:%M:%S}",
    }
    return {"dbt_source_freshness_results": [row]}


KINDS: Mapping[str, Kind] = {
    "test: fail": Kind("test", a_test()),
    "test: warn": Kind("test", a_test("warn"), "normal"),
    "test: error": Kind("test", a_test("error")),
    "test: singular, without a model": Kind(
        "test", a_test(test_sub_type="singular", table_name=None, schema_name=None, database_name=None)
    ),
    "test: unit test": Kind("test", a_test(test="unit_test.shop.orders.adds_up", test_sub_type="unit")),
    **{f"test: {name}": Kind("test", a_test(test_short_name=name)) for name in (*SLA, *OTHERS)},
    **{
        f"test: {name}": Kind("test", a_test(test_short_name=name, test_type="anomaly_detection"))
        for name in ANOMALY_TESTS
    },
    **{f"test: {name}": Kind("test", a_test(test_short_name=name, test_type="schema_change")) for name in SCHEMA_TESTS},
    **{
        f"test: schema change, {name}": Kind("test", a_test(test_type="schema_change", test_sub_type=name))
        for name in SCHEMA_SUB_TYPES
    },
    **{
        f"model: {status}": Kind("model", a_run(status), "critical")
        for status in ("error", "fail", "runtime error", "partial success")
    },
    "model: snapshot run": Kind("model", a_run("error", "snapshot.shop.orders_history"), "critical"),
    "model: seed run": Kind("model", a_run("error", "seed.shop.countries"), "critical"),
    "source_freshness: error": Kind("source_freshness", freshness("error")),
    "source_freshness: runtime error": Kind("source_freshness", freshness("runtime error")),
    "source_freshness: warn": Kind("source_freshness", freshness("warn"), "normal"),
}


def incidents_of(rows: Mapping[str, Any]) -> list[Incident]:
    """Return the incidents of a project with these rows."""
    source = project(**rows)
    return track_incidents(dbt_conditions(source).conditions, read_lineage(source))


def alerts(incidents: list[Incident], **wants: Any) -> list[tuple[str, str]]:
    """Return event and severity of the alerts about incidents."""
    found = pending_notifications(
        incidents, (), route="slack", wants=AlertFilter(**wants), metas=AlertMetas(), now=MONDAY
    )
    return [(each.event, each.incident.severity) for each in found]


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_alert_of_edr_is_one_alert_of_its_resource_type(name: str) -> None:
    kind, found = KINDS[name], incidents_of(KINDS[name].rows)

    assert alerts(found) == [("opened", kind.severity)]
    assert alerts(found, resource_types=[kind.resource_type]) == [("opened", kind.severity)]
    assert alerts(found, resource_types=[f"!{kind.resource_type}"]) == []


@pytest.mark.parametrize("rows", [a_test("skipped"), a_run("skipped")], ids=["test", "model"])
def test_what_was_skipped_is_no_alert_as_by_the_default_of_edr(rows: Mapping[str, Any]) -> None:
    assert incidents_of(rows) == []


def test_the_docs_list_every_kind_that_is_tested() -> None:
    table = DOCS.read_text().partition("<!-- kinds -->")[2].partition("<!-- end of kinds -->")[0]
    listed = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]

    assert [name for name in listed if name not in ("kind of edr", "---")] == list(KINDS)
