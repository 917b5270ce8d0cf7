"""The Elementary page in a real browser: in Airflow's frame and alone, light and dark, small, by keyboard, checked."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_elementary.page import bundle
from tests.browser.conftest import Site, keep_screenshot, wait_for

VIEWS = {
    "overview": "",
    "tables": "tables",
    "table": "table?name=JAFFLE.CORE.FCT_ORDERS",
    "incidents": "incidents",
    "backtests": "backtests",
    "snapshots": "snapshots",
    "snapshot": "snapshot?number=4",
    "access": "access",
    "tests": "tests",
    "runs": "runs",
    "freshness": "freshness",
    "coverage": "coverage",
    "lineage": "lineage",
    "audit": "audit",
    "compare": "compare?before=1&after=4",
    "of-run": "of-run?dag_id=elementary_answer",
    # These are opened by the first link to them: their ids are of this store.
    "incident": "incidents",
    "run": "runs",
}
FIRST_LINKS = {"incident": "a[href^='incident?id=']", "run": "a[href^='run?id=']"}
WIDTHS = (1440, 390)
THEMES = ("light", "dark")
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"

Look = Callable[..., Any]


def shown(look: Look, view: str, **how: Any) -> Any:
    """Return the browser, which shows a view."""
    driver = look(VIEWS[view], **how)
    if view in FIRST_LINKS:
        driver.get(driver.find_element("css selector", FIRST_LINKS[view]).get_attribute("href"))
    return driver


def heading(driver: Any) -> str:
    text: str = driver.find_element("css selector", "h1").text
    return text


def complaints(driver: Any) -> list[str]:
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_menu_of_airflow_shows_the_page_in_a_frame(look: Look, site: Site) -> None:
    driver = look(f"{site.address}/plugin/elementary")
    deadline = time.monotonic() + 20
    while not driver.find_elements("css selector", "iframe") and time.monotonic() < deadline:
        time.sleep(0.1)
    entry = "//*[not(self::script)][normalize-space(text())='Elementary']"
    wait_for(lambda: driver.find_elements("xpath", entry), "the entry in Airflow's navigation")
    driver.switch_to.frame(driver.find_element("css selector", "iframe"))

    first = heading(driver)
    driver.find_element("link text", "Tables").click()
    driver.find_element("css selector", "input[type=search]").send_keys("fct_orders\n")
    driver.find_element("partial link text", "FCT_ORDERS").click()

    assert first == "Overview"
    assert heading(driver) == "JAFFLE.CORE.FCT_ORDERS"
    driver.switch_to.default_content()
    keep_screenshot(driver, "in-airflow")


def test_a_dag_has_a_tab_that_says_what_it_wrote(look: Look, site: Site) -> None:
    from tests.support.dag_runs import parse_dag

    parse_dag("elementary_answer")
    driver = look(f"{site.address}/dags/elementary_answer/plugin/elementary_dag")
    wait_for(lambda: driver.find_elements("css selector", "iframe"), "the tab")
    keep_screenshot(driver, "tab")
    driver.switch_to.frame(driver.find_element("css selector", "iframe"))
    wait_for(lambda: driver.find_elements("css selector", "h1"), "the view in the tab")

    assert heading(driver) == "No Elementary snapshot"
    assert "DAG elementary_answer" in driver.find_element("css selector", "main").text


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_without_complaint_in_the_theme_of_the_system(view: str, theme: str, look: Look) -> None:
    driver = shown(look, view, theme=theme)

    ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    keep_screenshot(driver, f"{view}-{theme}")

    assert heading(driver)
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[theme]
    assert complaints(driver) == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_a_phone(view: str, look: Look) -> None:
    driver = shown(look, view, width=390, height=844)

    wide, window = driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    keep_screenshot(driver, f"{view}-phone")

    assert wide <= window == 390


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_passes_the_accessibility_checker(view: str, theme: str, width: int, look: Look) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm install --prefix tests/browser)")
    driver = shown(look, view, theme=theme, width=width)
    # Not all of them: eight tables of numbers are alike, and take the checker ten seconds.
    driver.execute_script("[...document.querySelectorAll('details')].slice(0, 4).forEach(each => { each.open = true })")
    driver.execute_script(AXE.read_text())

    found = driver.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[arguments.length - 1])"
    )

    assert found["passes"]
    assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found["violations"]] == []


def test_the_keyboard_leads_past_the_menu_and_through_it(look: Look) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    driver = look("")

    ActionChains(driver).send_keys(Keys.TAB).perform()
    skip = driver.switch_to.active_element.text
    ActionChains(driver).send_keys(Keys.ENTER).perform()
    skipped_to = driver.switch_to.active_element.get_attribute("id")
    driver.find_element("link text", "Snapshots").send_keys(Keys.ENTER)
    driver.find_element("css selector", "main summary").send_keys(Keys.ENTER)

    assert skip == "Skip to content"
    assert skipped_to == "content"
    assert heading(driver) == "Snapshots"
    assert driver.find_element("css selector", "main details").get_attribute("open") is not None


def test_what_has_the_focus_is_seen(look: Look) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    driver = look("tables")

    ActionChains(driver).send_keys(Keys.TAB, Keys.TAB).perform()
    outline = driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")

    assert outline == "solid"


def test_it_works_where_airflow_is_mounted_below_a_prefix(look: Look, site: Site) -> None:
    driver = look(f"{site.address}/af/elementary/")

    driver.find_element("link text", "Tables").click()
    driver.find_element("partial link text", "JAFFLE").click()

    assert driver.current_url.startswith(f"{site.address}/af/elementary/table?name=JAFFLE")
    assert heading(driver).startswith("JAFFLE")
    assert complaints(driver) == []


@pytest.mark.parametrize("view", ["", "tables"])
def test_a_hostile_name_runs_nothing(view: str, look: Look, site: Site) -> None:
    driver = look(f"{view or './'}?store={quote(site.hostile)}")

    foreign = driver.execute_script(
        "return [...document.scripts].map(each => each.getAttribute('src')).concat([...document.images])"
    )

    assert [each for each in foreign if not re.fullmatch(r"(page|charts)\.js\?v=[0-9a-f]{12}", str(each))] == []
    assert complaints(driver) == []


def test_the_table_of_a_hostile_name_opens_by_its_link(look: Look, site: Site) -> None:
    driver = look(f"tables?store={quote(site.hostile)}&q=script")

    driver.find_element("partial link text", "SCRIPT").click()

    assert "<SCRIPT>ALERT(1)</SCRIPT>" in heading(driver)
    assert complaints(driver) == []


def test_it_needs_no_script(look: Look, signed_in: Any) -> None:
    signed_in.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver = look(VIEWS["table"])

        charts = driver.find_elements("css selector", "figure.chart svg path.line")
    finally:
        signed_in.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    assert charts


def test_with_the_script_charts_answer_to_keyboard_and_pointer(look: Look) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    if not bundle.version():
        pytest.skip("the page's script is not built (make frontend)")

    def plot(path: str, where: str) -> Any:
        driver = look(path)
        wait_for(lambda: driver.find_elements("css selector", f"{where} .plot svg"), f"the chart of {path}")
        return driver.find_element("css selector", f"{where} .plot")

    health = plot("", ".health").get_attribute("aria-valuetext")
    metric = plot(VIEWS["table"], ".chart[data-metric]")
    newest = metric.get_attribute("aria-valuetext")
    metric.send_keys(Keys.ARROW_LEFT, "+")
    driver = metric.parent
    wait_for(lambda: driver.find_elements("css selector", ".tip"), "the value beside the pointer")
    shown = driver.find_element("css selector", ".tip strong").get_attribute("textContent")
    here = driver.find_elements("css selector", ".graph .node.here")
    ActionChains(driver).move_to_element(
        driver.find_element("css selector", "[aria-label='Zoom in']")
    ).click().perform()
    neighbour = driver.find_element("css selector", ".graph a")
    named = neighbour.find_element("css selector", "title").get_attribute("textContent").partition(",")[0]
    neighbour.send_keys(Keys.ENTER)
    opened = heading(driver)
    look("runs").find_element("css selector", "tbody th a").click()
    wait_for(lambda: driver.find_elements("css selector", ".gantt .plot svg"), "the executions of a dbt command")

    assert "2026" in health
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, ", newest)
    assert shown < newest
    assert len(here) == 1
    assert opened == named
    assert complaints(driver) == []


def test_with_the_script_times_are_in_the_zone_that_is_chosen_in_airflow(look: Look) -> None:
    if not bundle.version():
        pytest.skip("the page's script is not built (make frontend)")
    driver = look("runs")
    driver.execute_script("localStorage.setItem('timezone', JSON.stringify('Asia/Kolkata'))")
    try:
        driver = look("runs")
        newest = driver.find_element("css selector", "tbody time")
        shown, utc = newest.text, newest.get_attribute("title")
    finally:
        driver.execute_script("localStorage.removeItem('timezone')")

    there, here = (datetime.strptime(text[:16], "%Y-%m-%d %H:%M") for text in (shown, utc))
    assert shown.endswith(" GMT+5:30")
    assert utc.endswith(" UTC")
    assert there - here == timedelta(hours=5, minutes=30)


def test_with_the_script_an_address_of_another_host_is_a_link(
    look: Look, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    if not bundle.version():
        pytest.skip("the page's script is not built (make frontend)")
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__DBT_DOCS_URL", site.page("./"))
    driver = look(f"{site.address}/plugin/elementary")
    wait_for(lambda: driver.find_elements("css selector", "iframe"), "the page in Airflow's frame")
    driver.switch_to.frame(driver.find_element("css selector", "iframe"))
    driver.find_element("link text", "Tables").click()
    driver.find_element("partial link text", "FCT_ORDERS").click()
    before = driver.window_handles
    driver.find_element("css selector", "[data-outside] a").click()
    wait_for(lambda: len(driver.window_handles) > len(before), "the docs beside Airflow")
    [opened] = set(driver.window_handles) - set(before)
    driver.switch_to.window(opened)
    address = driver.current_url
    driver.close()
    driver.switch_to.window(before[0])

    assert "#!/model/model." in address


def test_a_person_who_is_not_signed_in_is_asked_to_sign_in(look: Look, signed_in: Any, site: Site) -> None:
    cookie = signed_in.get_cookie("_token")
    signed_in.delete_cookie("_token")
    try:
        driver = look("")

        title = heading(driver)
    finally:
        signed_in.add_cookie({name: cookie[name] for name in ("name", "value", "path", "httpOnly", "sameSite")})

    assert title == "Sign in to Airflow"


def test_an_answer_on_the_incident_starts_a_run_in_the_name_of_the_user(look: Look, site: Site) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from tests.support.dag_runs import parse_dag

    parse_dag("elementary_answer")
    driver = look("incidents")
    driver.find_element("css selector", "a[href^='incident?id=']").click()
    incident_id = driver.find_element("name", "incident_id").get_attribute("value")
    driver.find_element("id", "answer-note").send_keys("looked at")
    assert not driver.find_element("id", "answer-until").is_displayed()
    driver.find_element("css selector", "#answer button").click()
    said = driver.find_element("id", "answer-said")
    wait_for(lambda: "is being recorded" in said.text or "problem" in said.get_attribute("class"), "Airflow's answer")

    assert said.text == "The answer is being recorded."
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.dag_id == "elementary_answer")).one()
        conf, user, run_id = run.conf, run.triggering_user_name, run.run_id
    given = {"incident_id": incident_id, "store_conn_id": "browser_sample", "answer": "acknowledge"}
    assert (conf, user) == ({**given, "note": "looked at"}, "admin")
    assert run_id.startswith(f"answer__{incident_id}__")
    assert complaints(driver) == []
