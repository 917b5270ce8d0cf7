"""A run narrows the policy of its store and never widens it."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

from airflow_provider_elementary.cli.main import _parser
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.get_provider_info import POLICY_FIELDS as FORM_FIELDS
from airflow_provider_elementary.operators.params import policy_params
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator
from airflow_provider_elementary.snapshots.policy import PARAMETERS, POLICY_NAMES, Policy
from airflow_provider_elementary.snapshots.policy.choices import PolicyChoices, resolve_policy

STORE = {
    "categories": ("metadata", "run_results", "table_metrics"),
    "failed_rows_per_test": 4,
    "failed_rows_days": 10,
    "failed_rows_excluded_tables": ("shop.orders",),
    "dropped_columns": ("dbt_models.description",),
    "masked_columns": ("dbt_models.owner",),
    "hashed_columns": ("dbt_models.alias", "data_monitoring_metrics.metric_properties.where_expression"),
    "full_every_days": 7,
}


def resolved(run: dict[str, Any], store: dict[str, Any] = STORE) -> Any:
    return resolve_policy(PolicyChoices(run), ("the store", PolicyChoices(store)))


def test_a_run_that_asks_for_nothing_gets_what_the_store_says() -> None:
    found = resolved({})

    assert found.policy == Policy(**{name: value for name, value in STORE.items() if name != "full_every_days"})
    assert found.full_every_days == 7
    assert {found.sources[name] for name in STORE} == {"the store"}


def test_where_nobody_says_anything_the_built_in_policy_counts() -> None:
    found = resolved({}, {})

    assert found.policy == Policy()
    assert set(found.sources.values()) == {"built in"}


@pytest.mark.parametrize(
    ("run", "name", "value"),
    [
        ({"categories": ("metadata",)}, "categories", ("metadata",)),
        ({"failed_rows_per_test": 0}, "failed_rows_per_test", 0),
        ({"failed_rows_days": 9}, "failed_rows_days", 9),
        ({"failed_rows_days": 10}, "failed_rows_days", 10),
        ({"full_every_days": 0.5}, "full_every_days", 0.5),
        ({"audit_days": 3}, "audit_days", 3),
        ({"without_raw_values": True}, "without_raw_values", True),
        ({"without_raw_values": False}, "without_raw_values", False),
        ({"failed_rows_excluded_tables": ("a.b",)}, "failed_rows_excluded_tables", ("shop.orders", "a.b")),
        (
            {"dropped_columns": ("dbt_models.tags",)},
            "dropped_columns",
            ("dbt_models.description", "dbt_models.tags"),
        ),
        ({"masked_columns": ("dbt_models.owner",)}, "masked_columns", ("dbt_models.owner",)),
    ],
    ids=str,
)
def test_a_run_may_take_less(run: dict[str, Any], name: str, value: object) -> None:
    assert resolved(run).values[name] == value


@pytest.mark.parametrize(
    ("run", "store"),
    [
        ({"categories": ("metadata", "query_logs")}, STORE),
        ({"categories": ("query_logs",)}, {}),
        ({"failed_rows_per_test": 5}, STORE),
        ({"failed_rows_days": 11}, STORE),
        ({"full_every_days": 7.5}, STORE),
        ({"failed_rows_days": 31}, {}),
        ({"without_raw_values": False}, {"without_raw_values": True}),
        ({"masked_columns": ("dbt_models.description",)}, STORE),
        ({"hashed_columns": ("dbt_models.description",)}, STORE),
        ({"hashed_columns": ("dbt_models.owner",)}, STORE),
    ],
    ids=str,
)
def test_a_run_that_asks_for_more_is_refused(run: dict[str, Any], store: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="of this run would widen the policy"):
        resolved(run, store)


def test_a_stricter_rule_for_a_column_replaces_the_milder_one() -> None:
    found = resolved({"dropped_columns": ("dbt_models.owner",), "masked_columns": ("dbt_models.alias",)}).policy

    assert found.dropped_columns == ("dbt_models.description", "dbt_models.owner")
    assert found.masked_columns == ("dbt_models.alias",)
    assert found.hashed_columns == ("data_monitoring_metrics.metric_properties.where_expression",)


def test_hashing_all_of_a_column_replaces_hashing_one_key_of_it() -> None:
    found = resolved({"hashed_columns": ("data_monitoring_metrics.metric_properties",)}).policy

    assert found.hashed_columns == ("data_monitoring_metrics.metric_properties", "dbt_models.alias")


def test_hashing_one_key_of_a_hashed_column_changes_nothing() -> None:
    store = {"hashed_columns": ("data_monitoring_metrics.metric_properties",)}

    found = resolved({"hashed_columns": ("data_monitoring_metrics.metric_properties.where_expression",)}, store).policy

    assert found.hashed_columns == ("data_monitoring_metrics.metric_properties",)


def test_a_run_that_names_a_column_under_two_rules_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"dbt_models\.tags is in both"):
        resolved({"dropped_columns": ("dbt_models.tags",), "masked_columns": ("dbt_models.tags",)})


def test_a_store_whose_own_policy_does_not_fit_is_refused_whatever_a_run_drops() -> None:
    with pytest.raises(ConfigurationError, match=r"Name table\.column to mask"):
        resolved({"dropped_columns": ("dbt_models.tags",)}, {"masked_columns": ("dbt_models.no_such",)})


def test_the_first_place_that_says_something_counts_field_by_field() -> None:
    connection = PolicyChoices({"failed_rows_days": 3})
    configuration = PolicyChoices({"failed_rows_days": 9, "full_every_days": 1})

    found = resolve_policy(PolicyChoices(), ("connection", connection), ("configuration", configuration))

    assert (found.policy.failed_rows_days, found.full_every_days) == (3, 1)
    assert found.describe().count("failed_rows_days=3") == 1
    assert "connection: failed_rows_days=3" in found.describe()
    assert "configuration: full_every_days=1" in found.describe()


@pytest.mark.parametrize("number", [True, "nan", "inf", -0.1, "x", [], float("nan")])
def test_a_limit_that_is_no_number_is_refused(number: object) -> None:
    with pytest.raises(ConfigurationError, match="full_every_days of here must be a number of 0 or more"):
        PolicyChoices.parse({"full_every_days": number}, "here")


@pytest.mark.parametrize("empty", [None, "", " ", "None", "null"])
def test_an_empty_field_says_nothing(empty: object) -> None:
    assert PolicyChoices.parse(dict.fromkeys(POLICY_NAMES, empty), "here") == PolicyChoices()


def test_an_empty_list_says_nothing() -> None:
    assert PolicyChoices.parse({"categories": [], "masked_columns": ()}, "here") == PolicyChoices()


def test_every_parameter_is_in_forms_commands_configuration_and_the_operator() -> None:
    arguments = inspect.signature(ElementarySnapshotOperator.__init__).parameters
    taken = vars(_parser().parse_args(["snapshot", "take", "--conn-id", "warehouse"]))

    assert set(POLICY_NAMES) == set(FORM_FIELDS) == set(policy_params())
    assert set(POLICY_NAMES) <= set(arguments)
    assert set(POLICY_NAMES) <= set(ElementarySnapshotOperator.template_fields)
    assert set(POLICY_NAMES) <= set(taken)


def test_the_defaults_of_the_parameters_are_those_of_the_policy() -> None:
    defaults = {parameter.name: parameter.default for parameter in PARAMETERS}

    assert {field.name for field in fields(Policy)} - set(POLICY_NAMES) == {"dropped_metrics"}
    assert all(defaults[field.name] == field.default for field in fields(Policy) if field.name in defaults)
