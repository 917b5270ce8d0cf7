"""The forms of the example DAGs: every field is typed and explained, and a bad value is refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

ROOT = Path(__file__).parents[3]
#: A DAG that an event starts shows no form.
FORMS = (
    "elementary_access_audit",
    "elementary_backtest",
    "elementary_observability",
    "elementary_snapshot",
    "elementary_snapshot_diff",
    "elementary_snapshot_prune",
    "elementary_snapshot_restore",
    "elementary_snapshot_verify",
)


@cache
def dags() -> dict[str, DAG]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(ROOT / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


def schemas(dag_id: str) -> dict[str, dict[str, Any]]:
    params = dags()[dag_id].params
    found = {name: params.get_param(name) for name in params}
    return {name: {"description": param.description, **param.schema} for name, param in found.items()}


def test_only_the_dag_that_an_event_starts_has_no_form() -> None:
    assert {dag_id for dag_id, dag in dags().items() if not dag.params} == {"elementary_on_new_invocation"}
    assert set(FORMS) == {dag_id for dag_id, dag in dags().items() if dag.params}


@pytest.mark.parametrize("dag_id", FORMS)
def test_every_field_has_a_type_a_title_and_a_help_text(dag_id: str) -> None:
    wanting = [
        name
        for name, schema in schemas(dag_id).items()
        if not (schema.get("type") and schema.get("title") and schema.get("description"))
    ]

    assert wanting == []


@pytest.mark.parametrize("dag_id", FORMS)
def test_the_main_fields_are_in_no_section_since_those_are_folded(dag_id: str) -> None:
    assert 1 <= len([name for name, schema in schemas(dag_id).items() if not schema.get("section")]) <= 6


@pytest.mark.parametrize("dag_id", FORMS)
def test_a_list_is_chosen_from_or_has_typed_entries(dag_id: str) -> None:
    lists = [schema for schema in schemas(dag_id).values() if "array" in schema["type"]]

    assert all(schema["items"].get("enum") or schema["items"].get("type") for schema in lists)
    # Without examples, the form shows no choice but a text to edit as JSON.
    assert all(schema.get("examples") for schema in lists if schema["items"].get("enum"))


@pytest.mark.parametrize("dag_id", [dag_id for dag_id in FORMS if dag_id != "elementary_snapshot_diff"])
def test_the_form_as_it_is_can_be_sent(dag_id: str) -> None:
    dags()[dag_id].params.validate()


@pytest.mark.parametrize(
    ("dag_id", "field", "bad"),
    [
        *((dag_id, "store", "/srv/elementary") for dag_id in FORMS if dag_id != "elementary_access_audit"),
        ("elementary_observability", "elementary_conn_id", ""),
        ("elementary_observability", "categories", ["everything"]),
        ("elementary_observability", "categories", []),
        ("elementary_observability", "method", "magic"),
        ("elementary_observability", "anomaly_sensitivity", 0),
        ("elementary_observability", "days", 0),
        ("elementary_observability", "days", "two"),
        ("elementary_observability", "failed_rows_per_test", -1),
        ("elementary_observability", "alert_emails", ["data team"]),
        ("elementary_observability", "alert_emails", "data-team@example.com"),
        ("elementary_observability", "alert_severities", ["critical"]),
        ("elementary_observability", "alert_suppression_hours", -1),
        ("elementary_snapshot", "masked_columns", ["owner"]),
        ("elementary_snapshot", "without_raw_values", "maybe"),
        ("elementary_snapshot", "full_every_days", -1),
        ("elementary_snapshot", "category_kms_key_ids", {"everything": "alias/elementary"}),
        ("elementary_snapshot_restore", "target_path", "restored.duckdb"),
        ("elementary_snapshot_restore", "categories", ["everything"]),
    ],
)
def test_a_bad_value_is_refused(dag_id: str, field: str, bad: object) -> None:
    from airflow.providers.common.compat.sdk import ParamValidationError

    param = dags()[dag_id].params.get_param(field)

    with pytest.raises(ParamValidationError):
        param.resolve(bad)
