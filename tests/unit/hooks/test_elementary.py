"""The fields of a connection that the hook reads itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.cli import main
from airflow_provider_elementary.cli.exits import NOT_DONE
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world

Connect = Callable[[str, Mapping[str, object]], str]
#: What reads each field.
READS: Mapping[str, Callable[[ElementaryHook], object]] = {
    "elementary_schema": ElementaryHook.source,
    "elementary_database": ElementaryHook.source,
    "accept_unknown": lambda hook: hook.accept_unknown,
    "accept_failed": lambda hook: hook.accept_failed,
    "allowed_addresses": ElementaryHook.check_access,
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_duckdb(small_world(days=1), tmp_path_factory.mktemp("warehouse") / "shop.duckdb")


@pytest.mark.parametrize("value", [5, [1]])
@pytest.mark.parametrize("name", READS)
def test_a_field_of_another_type_is_refused_by_name(
    name: str, value: Any, warehouse: Path, airflow_connection: Connect
) -> None:
    airflow_connection("odd", {"conn_type": "elementary_duckdb", "host": str(warehouse), "extra": {name: value}})
    hook = ElementaryHook("odd")

    with pytest.raises(ConfigurationError, match=f"The extra {name} of connection 'odd' is not a "):
        READS[name](hook)


def test_a_check_that_the_connection_accepts_and_that_is_none_is_one_json_document(
    warehouse: Path, airflow_connection: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = {"accept_unknown": "no-such-check"}
    airflow_connection("odd", {"conn_type": "elementary_duckdb", "host": str(warehouse), "extra": extra})

    status = main.main(["check-access", "--conn-id", "odd", "--json"])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (status, error["kind"]) == (NOT_DONE, "ConfigurationError")
