"""Serves the answers of the page to an MCP client."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.cli.exits import FINE, UsageError
from airflow_provider_elementary.cli.options import add_store, open_hook
from airflow_provider_elementary.cli.output import only_own_output, own_output

if TYPE_CHECKING:
    from airflow_provider_elementary.page.store_reader import Readers

_INSTRUCTIONS = (
    "Facts about the data quality of one dbt project: incidents, tables, tests, lineage, metrics, and the snapshots "
    "they were read from. Read-only. Times are UTC, durations seconds. Check stale in store_status before you call "
    "anything good: it says why the data may be too old."
)


def add_mcp(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``mcp``."""
    parser.description = (
        "Serve incidents, table health, tests, lineage, metrics, snapshots and access of a store to an MCP client, "
        "over standard input and output, read-only. Needs the extra [mcp]; rights and keys are those of the "
        "store's connection. Example: airflow-elementary mcp --store-conn-id elementary_store_reader"
    )
    add_store(parser)
    parser.set_defaults(command=_mcp, is_server=True)


def _mcp(arguments: argparse.Namespace) -> int:
    # What libraries print must not be mixed with the messages of the protocol.
    with only_own_output():
        hook = open_hook(arguments)
        # A connection or a store that is missing ends the command, and not the first question.
        _ = hook.repository
        server = _server(hook.store_conn_id)
        sys.stdout = own_output()
        server.run()
    return FINE


def _server(store_conn_id: str) -> Any:
    """Return the server, with a tool for each question."""
    try:
        types = import_module("mcp.types")
    except ImportError:
        raise UsageError(
            "The package mcp is not installed. Install airflow-provider-elementary with the extra [mcp]."
        ) from None
    from airflow_provider_elementary.page.store_reader import Readers

    server = _server_class()("elementary", instructions=_INSTRUCTIONS, lifespan=_with_stderr)
    for tool in _tools(Readers(), store_conn_id):
        server.tool(annotations=types.ToolAnnotations(readOnlyHint=True, openWorldHint=False))(tool)
    return server


def _server_class() -> Any:
    # Release 2 renamed it.
    try:
        return import_module("mcp.server").MCPServer
    except AttributeError:
        return import_module("mcp.server.fastmcp").FastMCP


@asynccontextmanager
async def _with_stderr(server: Any) -> AsyncIterator[None]:
    # Entered once the transport holds its stream: what is printed from here on is no message.
    sys.stdout = sys.stderr
    yield


def _tools(readers: Readers, store_conn_id: str) -> list[Any]:
    from airflow_provider_elementary.page.json_answers import answer
    from airflow_provider_elementary.page.views.registry import VIEWS

    views = {view.path or "overview": view for view in VIEWS}

    def ask(view: str, *names: str, **values: str | int) -> dict[str, Any]:
        given = {name: str(value) for name, value in values.items() if value}
        found, _ = answer(readers, store_conn_id, views[view], given)
        return {name: found[name] for name in ("error", "store_status", *names) if name in found} if names else found

    def incidents(status: str = "", search: str = "", page: int = 1) -> dict[str, Any]:
        """List what is wrong: incidents, open ones first. status: open or resolved; search: part of a table's name."""
        return ask("incidents", status=status, q=search, page=page)

    def incident(incident_id: str) -> dict[str, Any]:
        """Return one incident: severity, owners, root, what is downstream, conditions with evidence."""
        return ask("incident", id=incident_id)

    def overview() -> dict[str, Any]:
        """Return the whole: last sync, failed access checks, open incidents, tables by state, health of 30 days."""
        return ask("overview")

    def tables(search: str = "", state: str = "", page: int = 1) -> dict[str, Any]:
        """List tables with their state and why. state: failing, anomalous, warning, healthy or unwatched."""
        return ask("tables", q=search, state=state, page=page)

    def table_health(name: str) -> dict[str, Any]:
        """Return one table by its full name: state, incidents, anomalies, tests and runs."""
        return ask("table", "table", "incidents", "anomalies", "tests", "runs", "problems", name=name)

    def lineage(name: str, steps: int = 1) -> dict[str, Any]:
        """Return what is upstream and downstream of a table. steps: 1, 2, 3 or 5."""
        return ask("table", "upstream", "downstream", name=name, steps=steps)

    def metrics(name: str, search: str = "", days: int = 30, page: int = 1) -> dict[str, Any]:
        """Return metrics of a table and their expected range. search: part of a metric or column; days: 7, 30, 90."""
        return ask("table", "charts", "note", "pagination", name=name, q=search, days=days, page=page)

    def tests(search: str = "", level: str = "", page: int = 1) -> dict[str, Any]:
        """List all tests with their newest results. level: failing, warning, skipped, good or no recent result."""
        return ask("tests", q=search, level=level, page=page)

    def snapshots(page: int = 1) -> dict[str, Any]:
        """List the snapshots of the store, newest first: rows, sizes, what was excluded."""
        return ask("snapshots", page=page)

    def access() -> dict[str, Any]:
        """Return what the warehouse connection may do: the newest access report, and what changed since."""
        return ask("access")

    return [overview, incidents, incident, tables, table_health, lineage, metrics, tests, snapshots, access]
