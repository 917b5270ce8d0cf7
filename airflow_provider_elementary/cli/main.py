"""Defines the commands of ``airflow-elementary`` and runs one."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

from airflow_provider_elementary import __version__
from airflow_provider_elementary.cli.access import add_check_access, add_grants
from airflow_provider_elementary.cli.anomalies import add_anomalies, add_backtest, add_lint
from airflow_provider_elementary.cli.audit import add_audit
from airflow_provider_elementary.cli.doctor import add_doctor
from airflow_provider_elementary.cli.examples import complete_help
from airflow_provider_elementary.cli.exits import FINE, INTERRUPTED, USAGE, UsageError, failure, say
from airflow_provider_elementary.cli.incidents import add_incidents
from airflow_provider_elementary.cli.mcp import add_mcp
from airflow_provider_elementary.cli.options import add_json, add_json_only, add_store, open_repository, whole_number
from airflow_provider_elementary.cli.output import only_own_output, print_json
from airflow_provider_elementary.cli.progress import progress_lines
from airflow_provider_elementary.cli.query_history import add_query_history
from airflow_provider_elementary.cli.snapshots import add_snapshot
from airflow_provider_elementary.cli.store import add_keys_actions, add_store_actions
from airflow_provider_elementary.words import did_you_mean


def program() -> NoReturn:
    """Run one command and end the process: the entry point of the console script."""
    try:
        status = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        # The reader of the output, like `head`, has closed it.
        status = 1
    # Before 3.14, Python unwinds daemon threads as it shuts down, and aborts at a native frame in one.
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :param arguments: the arguments after the program's name; those of this process by default.
    :return: 0 for success, 1 for a finding, 2 for an invalid argument, 3 if the command could not run, 130 for Ctrl-C.
    """
    try:
        parsed = _parser().parse_args(arguments)
    except InvalidArgumentsError as error:
        error.parser.print_usage(sys.stderr)
        say(str(error))
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            _print_error(error, USAGE, str(error))
        return USAGE
    except SystemExit as end:
        # argparse has printed the help or the version.
        return int(end.code or FINE)
    with only_own_output() if _prints_json(parsed) else nullcontext():
        return _run(parsed)


def _run(parsed: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int | None] = parsed.command
    try:
        # A server runs until its client goes.
        with nullcontext() if getattr(parsed, "is_server", False) else progress_lines():
            return command(parsed) or FINE
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        status, message = failure(error)
        say(message)
        if getattr(parsed, "json", False):
            _print_error(error, status, message)
        return status


def _print_error(error: Exception, status: int, message: str) -> None:
    print_json({"error": {"kind": type(error).__name__, "message": message, "exit_status": status}})


def _prints_json(parsed: argparse.Namespace) -> bool:
    """Return whether the command prints JSON: one document, or the lines of a table."""
    return bool(getattr(parsed, "json", False))


class InvalidArgumentsError(UsageError):
    """The arguments are not those of a command.

    :param parser: that of the command, for its usage.
    """

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__(message)
        self.parser = parser


class ExactParser(argparse.ArgumentParser):
    """A parser that accepts no abbreviated options, as do the parsers of its subcommands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise the error, where argparse would end the process."""
        # What is wrong, and the choices, are quoted.
        wrong, *choices = re.findall(r"'([^']*)'", message) or [""] if "invalid choice" in message else [""]
        nearest = did_you_mean(wrong, choices)
        raise InvalidArgumentsError(self, f"{message}.{nearest}" if nearest else message)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments of one command; what it does not know is an error of that command."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            nearest = did_you_mean(unknown[0].partition("=")[0], options)
            message = f"unrecognized arguments: {' '.join(unknown)}"
            self.error(f"{message}.{nearest}" if nearest else message)
        return parsed, unknown


def _parser() -> argparse.ArgumentParser:
    parser = ExactParser(
        prog="airflow-elementary",
        description="Encrypted snapshots of the Elementary schema, table metrics and anomalies.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add_keys_actions(commands.add_parser("keys", help="keys of a store"))
    add_store_actions(commands.add_parser("store", help="create a store, check its credentials and keys, maintain it"))

    add_grants(commands.add_parser("grants", help="print the statements that create a dedicated read-only role"))
    add_check_access(
        commands.add_parser(
            "check-access", help="check that a connection can read the Elementary schema and nothing else"
        )
    )

    add_query_history(
        commands.add_parser("query-history", help="grants, access check and stored rows of executed queries (opt-in)")
    )

    add_doctor(commands.add_parser("doctor", help="inspect connections, store, keys and settings; name the next step"))

    add_audit(commands.add_parser("audit", help="write one page for a security reviewer to a file"))

    add_snapshot(commands.add_parser("snapshot", help="take, list, verify, restore, prune and diff snapshots"))

    summary = commands.add_parser("summary", help="show the latest snapshot and the anomalies found in it")
    add_store(summary)
    add_json(summary)
    summary.set_defaults(command=_summary)

    table = commands.add_parser("table", help="print rows of one table of the latest snapshot, as JSON lines")
    table.add_argument("table", help="a table of the Elementary schema")
    table.add_argument(
        "--limit", type=whole_number(0), default=10, metavar="N", help="maximum number of rows (default: 10)"
    )
    add_store(table)
    add_json_only(table)
    table.set_defaults(command=_table)

    for name, add, text in (
        ("anomalies", add_anomalies, "find anomalies in the newest buckets of a snapshot"),
        ("incidents", add_incidents, "list incidents: what is wrong now, and what was"),
        ("lint", add_lint, "find misconfigured anomaly tests"),
        ("backtest", add_backtest, "run the detector on the last days with other settings"),
    ):
        command = commands.add_parser(name, help=text)
        add_store(command)
        add(command)

    add_mcp(commands.add_parser("mcp", help="serve what the page shows to an MCP client, read-only"))

    examples = commands.add_parser("example-dags", help="print the folder of the example DAGs")
    add_json(examples)
    examples.set_defaults(command=_example_dags)

    demo = commands.add_parser("demo", help="run the example DAG on the package's sample data")
    demo.add_argument("--home", type=Path, default=Path(".demo"), help="the folder for all files (default: .demo)")
    demo.set_defaults(command=_demo)
    complete_help(parser)
    return parser


def _summary(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.cli.summary import show_store, store_facts

    repository = open_repository(arguments)
    if arguments.json:
        print_json(store_facts(repository))
    else:
        show_store(repository)


def _table(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.elementary_schema import TABLES

    # Snowflake shows the names in upper case.
    if (table := arguments.table.lower()) not in TABLES:
        nearest = did_you_mean(table, TABLES)
        raise UsageError(f"There is no table {arguments.table!r}.{nearest} The tables are: {', '.join(TABLES)}.")
    left = arguments.limit
    with open_repository(arguments).source().read(table) as reader:
        for batch in reader:
            for row in batch.slice(0, left).to_pylist():
                print_json(row, indent=None)
            left -= min(left, batch.num_rows)
            if not left:
                return


def _example_dags(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.cli.demo import EXAMPLE_DAGS

    if arguments.json:
        print_json({"folder": str(EXAMPLE_DAGS)})
    else:
        print(EXAMPLE_DAGS)


def _demo(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.cli.demo import run_demo

    return run_demo(arguments.home.resolve())
