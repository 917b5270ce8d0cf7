"""The forms of the example DAGs: every field is typed and explained, and a bad value is refused."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.get_provider_info import POLICY_FIELDS

if TYPE_CHECKING:
    from airflow.sdk import DAG

ROOT = Path(__file__).parents[3]
#: A DAG that an event starts shows no form.
FORMS = (
    "elementary_access_audit",
    "elementary_answer",
    "elementary_backtest",
    "elementary_observability",
    "elementary_query_history",
    "elementary_restore_drill",
    "elementary_snapshot",
    "elementary_snapshot_diff",
    "elementary_snapshot_in_parts",
    "elementary_snapshot_prune",
    "elementary_snapshot_restore",
    "elementary_snapshot_verify",
)

#: A run needs a person's answer: there is no schedule.
WITHOUT_DEFAULT = {("elementary_answer", "incident_id"), ("elementary_snapshot_diff", "before")}

FIELD = re.compile(r"params\.(\w+)")


@cache
def dags() -> dict[str, DAG]:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ModuleNotFoundError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag

    bag = DagBag(str(ROOT / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


def schemas(dag_id: str) -> dict[str, dict[str, Any]]:
    params = dags()[dag_id].params
    found = {name: params.get_param(name) for name in params}
    return {name: {"description": param.description, **param.schema} for name, param in found.items()}


def is_shown(dag_id: str, name: str) -> bool:
    return (dag_id, name) not in WITHOUT_DEFAULT


def arguments(task: Any) -> dict[str, Any]:
    """Return the arguments that the form decides."""
    mapped = getattr(task, "partial_kwargs", {})
    found = {name: mapped.get(name) if mapped else getattr(task, name) for name in task.template_fields}
    return {name: value for name, value in found.items() if FIELD.search(str(value))}


def rendered(task: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Return these arguments as a run with these values sees them."""
    if hasattr(task, "partial_kwargs"):
        # Its instances render what the form decides like any other task.
        return arguments(task)
    return {name: task.render_template(value, {"params": params}) for name, value in arguments(task).items()}


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


@pytest.mark.parametrize("dag_id", FORMS)
def test_every_default_fits_its_schema(dag_id: str) -> None:
    # Airflow takes a default None with type "string" when it parses the file, and refuses it at the trigger.
    params = dags()[dag_id].params

    for name in params:
        if is_shown(dag_id, name):
            params.get_param(name).resolve()


@pytest.mark.parametrize("dag_id", FORMS)
def test_no_field_that_may_stay_empty_is_starred(dag_id: str) -> None:
    # The form stars every field whose type does not include null.
    starred = {name: schema for name, schema in schemas(dag_id).items() if "null" not in schema["type"]}

    for schema in starred.values():
        assert schema["type"] not in ("array", "object")
        assert schema["type"] != "string" or schema.get("enum") or schema.get("minLength")


@pytest.mark.parametrize("dag_id", FORMS)
def test_a_form_names_a_store_by_its_connection_alone(dag_id: str) -> None:
    repeated = {
        "store",
        "uri",
        "aws_conn_id",
        "kms_key_id",
        "category_kms_key_ids",
        "keys_conn_id",
        "signing_kms_key_id",
    }

    assert "store_conn_id" in schemas(dag_id)
    assert not repeated & set(schemas(dag_id))


@pytest.mark.parametrize("dag_id", FORMS)
def test_every_field_of_the_policy_is_empty_which_means_as_the_store_says(dag_id: str) -> None:
    params = dags()[dag_id].params
    policy = set(POLICY_FIELDS) & set(params) if dag_id != "elementary_snapshot_restore" else set()

    assert {name: params[name] for name in policy} == dict.fromkeys(policy)
    assert all("null" in params.get_param(name).schema["type"] for name in policy)


@pytest.mark.parametrize("dag_id", FORMS)
def test_a_scheduled_run_uses_what_the_form_shows(dag_id: str) -> None:
    dag = dags()[dag_id]
    scheduled = {name: dag.params.get_param(name).value for name in dag.params}
    # A form is sent as JSON.
    submitted = json.loads(json.dumps({name: value for name, value in scheduled.items() if is_shown(dag_id, name)}))

    for task in dag.tasks:
        assert rendered(task, scheduled) == rendered(task, {**scheduled, **submitted})


@pytest.mark.parametrize("dag_id", FORMS)
def test_every_field_of_a_form_reaches_a_task(dag_id: str) -> None:
    dag = dags()[dag_id]
    written = (ROOT / "dags" / f"{dag_id}.py").read_text()
    used = {name for task in dag.tasks for value in arguments(task).values() for name in FIELD.findall(str(value))}

    assert set(dag.params) == used | set(FIELD.findall(written))


@pytest.mark.parametrize("dag_id", FORMS)
def test_no_field_has_a_pattern_since_a_form_refuses_it_without_a_reason(dag_id: str) -> None:
    written = json.dumps([{**schema, "description": ""} for schema in schemas(dag_id).values()])

    assert '"pattern"' not in written
    assert '"format"' not in written


@pytest.mark.parametrize("bad", ["data team", "", "a@example.com, b@example.com", "a@example.com\nBcc: b@example.com"])
def test_a_recipient_that_is_no_address_fails_the_task_with_a_sentence(bad: str) -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException

    alerts = dags()["elementary_observability"].get_task("alerts")
    asked: Any = {"params": {"alert_emails": ["a@example.com", bad]}}

    with pytest.raises(AirflowFailException) as failure:
        alerts.execute(asked)

    assert str(failure.value) == (
        f"The alert route mail cannot send mail to {bad!r}: that is no mail address. "
        "Give one address per line, as in data-team@example.com."
    )


def test_the_form_of_the_sync_asks_at_most_six_things() -> None:
    assert len(schemas("elementary_observability")) <= 6


def test_the_form_of_the_snapshot_offers_every_field_of_the_policy() -> None:
    assert set(POLICY_FIELDS) <= set(schemas("elementary_snapshot"))


@pytest.mark.parametrize(
    ("dag_id", "field", "bad"),
    [
        *((dag_id, "store_conn_id", bad) for dag_id in FORMS for bad in ("", None)),
        ("elementary_observability", "elementary_conn_id", ""),
        ("elementary_observability", "categories", ["everything"]),
        ("elementary_observability", "method", "magic"),
        ("elementary_observability", "days", 0),
        ("elementary_observability", "days", "two"),
        ("elementary_observability", "alert_emails", "data-team@example.com"),
        ("elementary_answer", "incident_id", ""),
        ("elementary_answer", "answer", "maybe"),
        ("elementary_answer", "reason", "because"),
        ("elementary_answer", "conditions", "0123456789abcdef"),
        ("elementary_snapshot", "failed_rows_per_test", -1),
        ("elementary_snapshot", "without_raw_values", "maybe"),
        ("elementary_snapshot", "full_every_days", -1),
        ("elementary_snapshot_restore", "categories", ["everything"]),
    ],
)
def test_a_bad_value_is_refused(dag_id: str, field: str, bad: object) -> None:
    from airflow.providers.common.compat.sdk import ParamValidationError

    param = dags()[dag_id].params.get_param(field)

    with pytest.raises(ParamValidationError):
        param.resolve(bad)
