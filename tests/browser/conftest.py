"""A real browser before a real API server: both are started once, and every test gets a fresh tab's state."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.snapshots import LocalKeys
from tests.support import dag_runs
from tests.support.connections import local_store
from tests.support.page import api_server, fill_sample_store, fill_store, hostile_world

HERE = Path(__file__).parent
SCREENSHOTS = Path(os.environ.get("ELEMENTARY_SCREENSHOTS", HERE / "screenshots"))
PASSWORD = "a-password-of-this-test"
_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# As root and offline: no sandbox, and nothing that looks up hosts in the background.
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


@dataclass(frozen=True)
class Site:
    """A running API server.

    :param address: where it listens, without a slash at the end.
    :param hostile: the connection of the store whose names try to break out.
    """

    address: str
    hostile: str

    def page(self, path: str = "") -> str:
        """Return the address of a view of the page."""
        return f"{self.address}/elementary/{path}"


# Not of the session: the page's own tests make an API server in this process too, and Airflow holds one alone.
@pytest.fixture(scope="package")
def site(airflow_db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Airflow's API server with its own login, the page on the sample's store, and all of it again below ``/af``."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    directory = tmp_path_factory.mktemp("site")
    for name in ("sample", "hostile"):
        (directory / name).mkdir()
    master_keys = LocalKeys.generate()
    sample = fill_sample_store(directory / "sample", LocalKeys(master_keys))
    hostile = fill_store(directory / "hostile", LocalKeys(master_keys), world=hostile_world(), snapshots=1)
    passwords = directory / "passwords.json"
    passwords.write_text(json.dumps({"admin": PASSWORD}))
    environment = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__ELEMENTARY__STORES": "browser_sample, browser_hostile",
        "AIRFLOW_CONN_BROWSER_SAMPLE": json.dumps(local_store(sample, master_keys)),
        "AIRFLOW_CONN_BROWSER_HOSTILE": json.dumps(local_store(hostile, master_keys)),
    }
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listener:
        for name, value in environment.items():
            patch.setenv(name, value)
        listener.bind(("127.0.0.1", 0))
        with api_server() as api:
            both = Starlette(routes=[Mount("/af", api), Mount("/", api)])
            server = uvicorn.Server(uvicorn.Config(both, log_level="error", lifespan="off"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            wait_for(lambda: server.started, "the API server to start")
            yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", "browser_hostile")
            server.should_exit = True
            thread.join(10)
    # The stores that a form suggests were those of this server.
    dag_runs.parse_again()


# Of the package: a page that stays open asks a server that is gone, for as long as the other tests run.
@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium."""
    if _CHROMIUM is None or _DRIVER is None:
        pytest.skip("Chromium and ChromeDriver are not installed (Debian: apt-get install chromium chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install selenium)")
    options = webdriver.ChromeOptions()
    options.binary_location = _CHROMIUM
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(_DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="package")
def signed_in(chromium: Any, site: Site) -> Any:
    """The browser, after a person has signed in to Airflow by its own form."""
    from selenium.webdriver.common.by import By

    chromium.delete_all_cookies()
    chromium.get(f"{site.address}/auth/login")
    wait_for(lambda: chromium.find_elements(By.NAME, "username"), "Airflow's login form")
    chromium.find_element(By.NAME, "username").send_keys("admin")
    chromium.find_element(By.NAME, "password").send_keys(PASSWORD)
    chromium.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait_for(lambda: chromium.get_cookie("_token"), "Airflow to sign the person in")
    return chromium


@pytest.fixture
def look(signed_in: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """Open a view in a browser of a size and theme; what the console says afterwards must be nothing."""
    signed_in.get_log("browser")

    def open_view(path: str, *, theme: str = "light", width: int = 1200, height: int = 900) -> Any:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        signed_in.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        # While a long view scrolls smoothly, the driver clicks where the button was.
        features: list[Mapping[str, str]] = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        signed_in.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        signed_in.get(path if path.startswith("http") else site.page(path))
        return signed_in

    yield open_view
    signed_in.switch_to.default_content()


def keep_screenshot(driver: Any, name: str) -> Path:
    """Write what the browser shows into the folder of screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    driver.save_screenshot(str(path))
    return path


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
    """Wait until a condition holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)
