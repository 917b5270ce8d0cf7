"""The connection form of Airflow 3.1, which asks the hook for its fields."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_elementary.get_provider_info import CONNECTION_FIELDS, STORE_CONNECTION_FIELDS
from airflow_provider_elementary.hooks import warehouse_types
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.warehouses.registry import CONNECTABLE


class Field:
    """A field as Airflow 3.1's own stand-in for one of WTForms."""

    def __init__(self, label: str, description: str, validators: Any = (), widget: Any = None) -> None:
        self.label, self.description = label, description
        self.values = next((one for one in validators if isinstance(one, list)), None)


@pytest.fixture
def widgets(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    kinds = {f"{kind}Field": type(kind, (Field,), {}) for kind in ("String", "Password", "Boolean")}
    validators = {"Optional": object, "any_of": list}
    looks = {"BS3TextFieldWidget": object, "BS3PasswordFieldWidget": object}
    for name, content in {
        "wtforms": kinds,
        "wtforms.validators": validators,
        "flask_appbuilder": {},
        "flask_appbuilder.fieldwidgets": looks,
    }.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return ElementaryHook.get_connection_form_widgets()


@pytest.mark.usefixtures("widgets")
def test_the_form_of_one_warehouse_has_its_fields_alone() -> None:
    fields: dict[str, Any] = warehouse_types.__dict__["ElementaryDuckdbHook"].get_connection_form_widgets()

    assert list(fields) == ["elementary_schema", "allowed_addresses", "accept_unknown", "accept_failed"]


def test_the_form_of_airflow_3_1_has_the_fields_of_the_metadata(widgets: dict[str, Any]) -> None:
    assert {name: (field.label, field.description) for name, field in widgets.items()} == {
        name: (field["label"], field["description"]) for name, field in CONNECTION_FIELDS.items()
    }


def test_the_form_of_airflow_3_1_offers_the_same_values(widgets: dict[str, Any]) -> None:
    assert {name: field.values for name, field in widgets.items()} == {
        name: field["schema"].get("enum") for name, field in CONNECTION_FIELDS.items()
    }


def test_the_form_of_airflow_3_1_hides_the_private_key(widgets: dict[str, Any]) -> None:
    assert [name for name, field in widgets.items() if type(field).__name__ == "Password"] == [
        "private_key_content",
        "keyfile_dict",
    ]


def test_the_form_of_airflow_3_1_has_a_tick_box_for_each_flag(widgets: dict[str, Any]) -> None:
    assert [name for name, field in widgets.items() if type(field).__name__ == "Boolean"] == ["iam", "secure"]


@pytest.mark.parametrize("name", [kind.hook_class for kind in CONNECTABLE])
def test_each_hook_class_defines_its_form_itself(name: str) -> None:
    # Airflow 3.1 ignores what a hook class inherits.
    methods = {"get_connection_form_widgets", "get_ui_field_behaviour"}

    assert methods <= set(vars(warehouse_types.__dict__[name]))
    assert methods <= set(vars(ElementaryStoreHook))


@pytest.mark.usefixtures("widgets")
def test_the_form_of_a_store_has_its_fields() -> None:
    assert set(ElementaryStoreHook.get_connection_form_widgets()) == set(STORE_CONNECTION_FIELDS)
