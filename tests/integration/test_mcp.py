"""An MCP client of the real library asks the command ``airflow-elementary mcp`` over its standard streams."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.snapshots import LocalKeys
from tests.support.connections import local_store
from tests.support.page import fill_store

mcp = pytest.importorskip("mcp", reason="mcp is not installed (extra mcp)")
PROGRAM = "from airflow_provider_elementary.cli.main import program; program()"
QUESTIONS: dict[str, dict[str, Any]] = {
    "overview": {},
    "incidents": {"status": "open"},
    "tables": {"search": "orders"},
    "table_health": {"name": "SHOP.CORE.ORDERS"},
    "lineage": {"name": "SHOP.CORE.ORDERS", "steps": 2},
    "metrics": {"name": "SHOP.CORE.ORDERS", "search": "row_count", "days": 7},
    "tests": {},
    "snapshots": {},
    "access": {},
    "incident": {"incident_id": "0123456789abcdef"},
}


@pytest.fixture(scope="module")
def answers(airflow_db: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the server says of itself, and its answer to each question, in one session."""
    from anyio import run
    from mcp.client.stdio import stdio_client

    master_keys = LocalKeys.generate()
    uri = fill_store(tmp_path_factory.mktemp("mcp"), LocalKeys(master_keys))
    connection = json.dumps(local_store(uri, master_keys))
    server = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-c", PROGRAM, "mcp", "--store-conn-id", "asked"],
        env={**os.environ, "AIRFLOW_CONN_ASKED": connection},
        cwd=Path(__file__).parents[2],
    )

    async def ask() -> dict[str, Any]:
        async with stdio_client(server) as streams, mcp.ClientSession(*streams) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            found: dict[str, Any] = {"tools": [tool.model_dump(by_alias=True) for tool in tools]}
            for name, arguments in QUESTIONS.items():
                answer = await session.call_tool(name, arguments)
                found[name] = json.loads(answer.content[0].text)
            return found

    return run(ask)


def test_every_tool_is_marked_read_only_and_describes_itself(answers: dict[str, Any]) -> None:
    assert {tool["name"] for tool in answers["tools"]} == set(QUESTIONS)
    assert all(tool["annotations"]["readOnlyHint"] for tool in answers["tools"])
    assert all(tool["description"] for tool in answers["tools"])


def test_the_answers_are_those_of_the_page(answers: dict[str, Any]) -> None:
    assert answers["overview"]["store_status"]["snapshots"] == 2
    assert "SHOP.CORE.ORDERS" in [table["full_name"] for table in answers["tables"]["tables"]]
    assert answers["table_health"]["table"]["full_name"] == "SHOP.CORE.ORDERS"
    assert answers["snapshots"]["view"] == "snapshots"
    assert answers["access"]["newest"]["status"] == "unknown"


def test_metrics_are_those_of_the_days_that_were_asked_for(answers: dict[str, Any]) -> None:
    [chart] = answers["metrics"]["charts"]

    assert (chart["metric"], len(chart["points"])) == ("row_count", 7)
    assert "tests" not in answers["metrics"]


def test_an_unknown_incident_is_an_error_in_a_sentence(answers: dict[str, Any]) -> None:
    assert answers["incident"]["error"].startswith("Incident '0123456789abcdef' is not known in ")
