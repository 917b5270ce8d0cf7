"""The command ``query-history``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.cli.access import print_report, print_statements
from airflow_provider_elementary.cli.airflow_context import enable_metadata_db_connections
from airflow_provider_elementary.cli.options import (
    add_json,
    add_json_only,
    add_store,
    add_user_options,
    open_repository,
    whole_number,
)
from airflow_provider_elementary.cli.output import print_json, print_table
from airflow_provider_elementary.exceptions import ConnectionNotFoundError
from airflow_provider_elementary.times import minute_in_utc, utc_now
from airflow_provider_elementary.words import written_number

if TYPE_CHECKING:
    import pyarrow as pa


def add_query_history(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of ``query-history``."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _add_grants(actions.add_parser("grants", help="print the statements that create the second role"))
    _add_check(actions.add_parser("check-access", help="check that a connection can read the history and nothing else"))

    show = actions.add_parser("show", help="print stored queries, the newest day last, as JSON lines")
    show.add_argument("--limit", type=whole_number(0), default=100, metavar="N", help="maximum number (default: 100)")
    add_json_only(show)
    show.set_defaults(command=_show)
    used = actions.add_parser("usage", help="show how tables and dbt nodes are used")
    used.add_argument("--by", choices=("table", "node"), default="table", help="what to sum by (default: table)")
    used.add_argument("--json", action="store_true", help="print a list of JSON objects")
    used.set_defaults(command=_usage)
    for command in (show, used):
        command.add_argument(
            "--days", type=whole_number(1), default=30, metavar="N", help="of the last N days (default: 30)"
        )
        command.add_argument("--history-conn-id", metavar="CONN_ID", help="only queries read through this connection")
        add_store(command)


def _add_grants(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dialect", metavar="DIALECT", help="postgres, snowflake, bigquery, …")
    parser.add_argument("--role", default="elementary_history_reader", help="the role to create")
    parser.add_argument("--user", default="elementary_history_airflow", help="the user to create")
    parser.add_argument("--schema", help="the schema to create for the history; on BigQuery the region")
    parser.add_argument("--database", help="the database, or project, of the schema")
    parser.add_argument("--warehouse", help="Snowflake: the virtual warehouse for the queries")
    add_user_options(parser)
    parser.add_argument(
        "--harden", action="store_true", help="PostgreSQL: also take from PUBLIC what the reader would hold through it"
    )
    add_json(parser, "print the statements as a list")
    parser.set_defaults(command=_print_grants)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--conn-id", required=True, help="the second Airflow connection")
    parser.add_argument(
        "--elementary-conn-id",
        default="elementary_default",
        metavar="CONN_ID",
        help="the sync's connection, which must have another login (default: elementary_default)",
    )
    parser.add_argument("--probe", action="append", default=[], metavar="TABLE", help="a table that must be unreadable")
    parser.add_argument(
        "--accept-unknown", action="append", default=[], metavar="CHECK", help="a check that may stay unknown"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(command=_check)


def _print_grants(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.query_history.grants import query_history_grants

    print_statements(arguments, query_history_grants)


def _check(arguments: argparse.Namespace) -> int:
    enable_metadata_db_connections()
    from airflow_provider_elementary.hooks.query_logs import ElementaryQueryLogHook

    hook = ElementaryQueryLogHook(arguments.conn_id)
    try:
        hook.require_other_login(arguments.elementary_conn_id)
    except ConnectionNotFoundError as error:
        print(f"The login was not compared with the sync's. {error}", file=sys.stderr)
    with hook.session() as session:
        report = hook.check_history(session, arguments.probe)
    return print_report(arguments, report, hook.accept_unknown)


def _show(arguments: argparse.Namespace) -> None:
    left = arguments.limit
    for batch in _read(arguments):
        for row in batch.slice(0, left).to_pylist():
            print_json(row, indent=None)
        left -= min(left, batch.num_rows)
        if not left:
            return


def _usage(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.query_history.reader import read_nodes
    from airflow_provider_elementary.query_history.usage import node_usage, table_usage

    if arguments.by == "table":
        found = table_usage(_read(arguments))
    else:
        found = node_usage(_read(arguments), read_nodes(open_repository(arguments)))
    if arguments.json:
        print_json(found.to_pylist())
        return
    # What the warehouse does not say is not shown.
    columns = [name for name in found.column_names if name != "cost_unit" and found[name].null_count < len(found)]
    rows = [[_shown(name, row) for name in columns] for row in found.to_pylist()]
    print_table(columns, rows, title=f"Queries of the last {arguments.days} days")


def _shown(name: str, row: Mapping[str, Any]) -> Any:
    value = row[name]
    if value is None:
        return ""
    if isinstance(value, datetime):
        return minute_in_utc(value)
    if name == "cost":
        return f"{value:.4g} {row['cost_unit']}"
    return written_number(value) if isinstance(value, float) else value


def _read(arguments: argparse.Namespace) -> pa.RecordBatchReader:
    from airflow_provider_elementary.query_history import read_query_history

    since = (utc_now() - timedelta(days=arguments.days)).date()
    return read_query_history(open_repository(arguments), arguments.history_conn_id, since=since)
