"""Both buttons that test a connection: Airflow's, which refuses an empty port, and the page's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_elementary.page import bundle
from tests.browser.conftest import Site, wait_for

Look = Callable[..., Any]

WITHOUT_PORT, WITH_ZERO = "tested_without_port", "tested_with_zero"
NO_STORE = "/no/such/store"
#: Keeps the status and the text of each answer to a test in the page.
LISTEN = """
window.tests = [];
const send = XMLHttpRequest.prototype.send, open = XMLHttpRequest.prototype.open, get = window.fetch;
XMLHttpRequest.prototype.open = function (method, address, ...rest) {
  this.address = String(address);
  return open.call(this, method, address, ...rest);
};
XMLHttpRequest.prototype.send = function (body) {
  if (this.address.endsWith('/connections/test'))
    this.addEventListener('loadend', () => window.tests.push([this.status, this.responseText]));
  return send.call(this, body);
};
window.fetch = async (request, ...rest) => {
  const answer = await get(request, ...rest);
  if (answer.url.endsWith('/connections/test')) window.tests.push([answer.status, await answer.clone().text()]);
  return answer;
};
"""
PRESS = """
const row = [...document.querySelectorAll('tr')].find(row => row.textContent.includes(arguments[0]));
const button = row && row.querySelector("button[aria-label='Test Connection']");
if (button && !button.disabled) button.click();
return Boolean(button && !button.disabled);
"""


@pytest.fixture(autouse=True)
def connections() -> Iterator[None]:
    """Two connections of a store that does not exist, whose form hides host and port."""
    # The model: that of the SDK is no row of Airflow's database.
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        for name, port in ((WITHOUT_PORT, None), (WITH_ZERO, 0)):
            extra = {"uri": f"file://{NO_STORE}"}
            session.add(Connection(name, conn_type="elementary_store", port=port, extra=extra))
    yield
    with create_session() as session:
        for found in session.query(Connection).filter(Connection.conn_id.in_([WITHOUT_PORT, WITH_ZERO])):
            session.delete(found)


def press_of_airflow(driver: Any, name: str) -> tuple[int, str]:
    """Press Airflow's own button of a connection, and return what its API answered."""
    driver.execute_script("window.tests = []")
    wait_for(lambda: driver.execute_script(PRESS, name), f"Airflow's button of {name}")
    wait_for(lambda: driver.execute_script("return window.tests.length"), "the answer of Airflow", 60)
    status, text = driver.execute_script("return window.tests[0]")
    return status, text


def test_airflows_button_refuses_an_empty_port_and_takes_a_zero(look: Look, site: Site) -> None:
    from airflow import __version__

    if __version__ != "3.3.2":
        pytest.skip("Airflow 3.3.2 alone compares an empty port with 0")
    driver = look(f"{site.address}/connections?limit=100")
    driver.execute_script(LISTEN)

    refused, why = press_of_airflow(driver, WITHOUT_PORT)
    taken, said = press_of_airflow(driver, WITH_ZERO)

    assert (refused, taken) == (400, 200)
    assert "host or port to test differs" in why
    assert NO_STORE in said
    # What it refused is in the console, as every answer of that status is.
    driver.get_log("browser")


@pytest.mark.parametrize("name", [WITHOUT_PORT, WITH_ZERO])
def test_the_pages_button_says_what_the_hook_says(name: str, look: Look) -> None:
    from selenium.webdriver.common.keys import Keys

    if not bundle.version():
        pytest.skip("the page's script is not built (make frontend)")
    driver = look("access")
    wait_for(lambda: driver.find_elements("css selector", f"[aria-label='Test {name}']"), "the connections")
    driver.find_element("css selector", f"[aria-label='Test {name}']").send_keys(Keys.ENTER)
    said = driver.find_element("css selector", f"#connection-tests li:has([aria-label='Test {name}']) .said")
    wait_for(lambda: said.text not in ("", "Testing."), "the sentence of the hook", 60)

    assert NO_STORE in said.text
