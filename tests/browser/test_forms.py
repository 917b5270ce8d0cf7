"""The forms of Airflow in a real browser: what a person sees starred, fills in and presses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_elementary.get_provider_info import extra_fields
from airflow_provider_elementary.warehouses.registry import CONNECTABLE, WarehouseKind
from tests.browser.conftest import Site, keep_screenshot, wait_for
from tests.support.dag_runs import DAGS, parse_dag

DIALOG = "[role=dialog][data-scope=dialog][data-state=open]"
FORMS = sorted(path.stem for path in DAGS.glob("elementary_*.py") if path.stem != "elementary_on_new_invocation")
#: What a person has to fill in; the form of a store names it too.
STARRED_OF_DAGS = {"elementary_snapshot_diff": {"First snapshot", "Second snapshot", "Store"}}

Look = Callable[..., Any]


def shown(driver: Any) -> dict[str, bool]:
    """Return the labels of the open dialog's fields, and whether each is starred."""
    found: list[list[Any]] = driver.execute_script(
        "return [...document.querySelectorAll(arguments[0] + ' [data-scope=field][data-part=root]')].map(field => {"
        "const label = field.querySelector('[data-part=label]');"
        "return [label ? label.textContent.replace('*', '').trim() : '',"
        " Boolean(field.querySelector('.chakra-field__requiredIndicator'))]; })",
        DIALOG,
    )
    return {label: starred for label, starred in found if label}


def choose_type(driver: Any, name: str) -> None:
    """Choose a connection type in the open form, and wait for its fields."""
    box = driver.find_element("css selector", f"{DIALOG} input[role=combobox]")
    box.send_keys(name)
    wait_for(
        lambda: [one for one in driver.find_elements("css selector", "[role=option]") if one.text == name],
        f"the connection type {name}",
    )
    [option] = [one for one in driver.find_elements("css selector", "[role=option]") if one.text == name]
    option.click()
    press(driver, "Extra Fields")


def press(driver: Any, text: str) -> None:
    """Press the button of the open dialog with a text."""

    def buttons() -> list[Any]:
        every = driver.find_elements("css selector", f"{DIALOG} button")
        return [button for button in every if button.text.strip().startswith(text) and button.is_enabled()]

    wait_for(buttons, f"the button {text}")
    driver.execute_script("arguments[0].click()", buttons()[0])


@pytest.fixture
def new_connection(look: Look, site: Site) -> Any:
    """The browser, with the form of a new connection open."""
    driver = look(f"{site.address}/connections")

    def add() -> list[Any]:
        return [one for one in driver.find_elements("css selector", "button") if one.text == "Add Connection"]

    wait_for(add, "the button Add Connection")
    add()[0].click()
    wait_for(lambda: driver.find_elements("css selector", f"{DIALOG} input[role=combobox]"), "the form")
    return driver


@pytest.mark.parametrize("kind", CONNECTABLE, ids=lambda kind: kind.key)
def test_the_form_of_a_warehouse_shows_its_fields_and_stars_none(kind: WarehouseKind, new_connection: Any) -> None:
    choose_type(new_connection, kind.hook_name)
    labels = {field["label"] for field in extra_fields(kind.form).values()}
    wait_for(lambda: labels <= set(shown(new_connection)), "its fields")
    keep_screenshot(new_connection, f"form-{kind.connection_type}")

    starred = {label for label, is_starred in shown(new_connection).items() if is_starred}
    assert starred == {"Connection ID", "Connection Type"}


@pytest.mark.parametrize("dag_id", FORMS)
def test_a_trigger_form_stars_no_field_that_may_stay_empty(dag_id: str, look: Look, site: Site) -> None:
    params = parse_dag(dag_id).params
    driver = look(f"{site.address}/dags/{dag_id}")

    def trigger() -> list[Any]:
        return [one for one in driver.find_elements("css selector", "button") if one.text.strip() == "Trigger"]

    wait_for(trigger, "the button Trigger")
    trigger()[0].click()
    wait_for(lambda: len(shown(driver)) > 1, "the form")
    keep_screenshot(driver, f"form-{dag_id}")

    found = shown(driver)
    print(dag_id, found, {name: params.get_param(name).schema.get("title") for name in params})
