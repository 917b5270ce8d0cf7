"""The forms of Airflow in a real browser: what a person sees starred, fills in and presses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.get_provider_info import STORE_CONNECTION_FIELDS, extra_fields
from airflow_provider_elementary.warehouses.kind import WarehouseKind
from airflow_provider_elementary.warehouses.registry import CONNECTABLE
from tests.browser.conftest import Site, keep_screenshot, wait_for
from tests.support.dag_runs import DAGS, parse_dag

if TYPE_CHECKING:
    pass

DIALOG = "[role=dialog][data-scope=dialog][data-state=open]"
FORMS = sorted(path.stem for path in DAGS.glob("elementary_*.py") if path.stem != "elementary_on_new_invocation")
#: Starred and empty, as only a person can say it.
LEFT_TO_A_PERSON = {"elementary_snapshot_diff": {"First snapshot"}, "elementary_answer": {"Incident"}}
#: The fields of every trigger form.
OF_AIRFLOW = {"Logical Date", "Run ID", "Dag Run Note", "Configuration JSON"}

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


def press(driver: Any, selector: str, text: str) -> None:
    """Press what has a text or a label, once it is there; in one step, since the page may redraw it meanwhile."""
    script = (
        "const found = [...document.querySelectorAll(arguments[0])].find(one => !one.disabled &&"
        " [one.textContent.trim(), one.getAttribute('aria-label')].includes(arguments[1]));"
        "if (found) { found.focus(); found.click(); } return Boolean(found);"
    )
    wait_for(lambda: driver.execute_script(script, selector, text), text)


def choose_type(driver: Any, name: str) -> None:
    """Choose a connection type in the open form, and unfold its fields."""
    driver.find_element("css selector", f"{DIALOG} input[role=combobox]").send_keys(name)
    press(driver, "[role=option]", name)
    press(driver, f"{DIALOG} button", "Extra Fields")


@pytest.fixture
def new_connection(signed_in: Any, look: Look, site: Site) -> Any:
    """The browser, with the form of a new connection open; Airflow takes seconds to load, so it stays loaded."""
    address = f"{site.address}/connections"
    driver = signed_in if signed_in.current_url == address else look(address)
    if driver.find_elements("css selector", DIALOG):
        press(driver, f"{DIALOG} button", "Close")
        wait_for(lambda: not driver.find_elements("css selector", "[role=dialog]"), "the form to close")
    press(driver, "button", "Add Connection")
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
    press(driver, "button", "Trigger")
    titles = {name: params.get_param(name).schema["title"] for name in params}
    wait_for(lambda: set(titles.values()) <= set(shown(driver)), "the form")
    keep_screenshot(driver, f"form-{dag_id}")

    required = {titles[name] for name in params if "null" not in params.get_param(name).schema["type"]}
    filled_in = {titles[name] for name in params if params.get_param(name).has_value}
    found = shown(driver)
    assert {title: found[title] for title in titles.values()} == {title: title in required for title in titles.values()}
    assert required - filled_in == LEFT_TO_A_PERSON.get(dag_id, set())
    assert set(found) - set(titles.values()) == OF_AIRFLOW


def test_the_form_of_a_store_stars_its_address_alone(new_connection: Any) -> None:
    choose_type(new_connection, "Elementary store")
    labels = {field["label"] for field in STORE_CONNECTION_FIELDS.values()}
    wait_for(lambda: labels <= set(shown(new_connection)), "its fields")

    starred = {label for label, is_starred in shown(new_connection).items() if is_starred}
    assert starred == {"Connection ID", "Connection Type", "Store"}
