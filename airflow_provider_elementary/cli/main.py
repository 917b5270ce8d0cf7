"""The commands of ``airflow-elementary`` and their arguments; what they do is in the core."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

from airflow_provider_elementary import __version__
from airflow_provider_elementary.cli.access import add_check_access, add_grants
from airflow_provider_elementary.cli.anomalies import add_anomalies, add_backtest, add_lint
from airflow_provider_elementary.cli.exits import FINE, INTERRUPTED, UsageError, failure, say
from airflow_provider_elementary.cli.options import add_store, add_store_actions, open_repository, whole_number
from airflow_provider_elementary.cli.output import only_own_output, print_json
from airflow_provider_elementary.cli.snapshots import add_snapshot


def program() -> NoReturn:
    """Run one command and end the process: what the console script calls."""
    try:
        status = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        # Whoever read the output, like `head`, has seen enough.
        status = 1
    # Threads of native libraries that still wind down would abort a process that takes itself apart around them.
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :param arguments: the words after the program's name; those of this process by default.
    :return: 0 where all is well, 1 for a finding, 2 for a wrong word, 3 where it could not be done, 130 for Ctrl-C.
    """
    try:
        parsed = _parser().parse_args(arguments)
    except SystemExit as end:
        # It has shown what is wrong, or the help that was asked for.
        return int(end.code or FINE)
    with only_own_output() if _prints_json(parsed) else nullcontext():
        return _run(parsed)


def _run(parsed: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int | None] = parsed.command
    try:
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
            print_json({"error": {"kind": type(error).__name__, "message": message, "exit_status": status}})
        return status


def _prints_json(parsed: argparse.Namespace) -> bool:
    """Say whether the command's output is for a program: one document, or the lines of a table."""
    return bool(getattr(parsed, "json", False)) or parsed.command is _table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="airflow-elementary", description="Encrypted snapshots of the Elementary schema, and what they say."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    keys = commands.add_parser("keys", help="master keys of a store").add_subparsers(required=True, metavar="ACTION")
    generate = keys.add_parser("generate", help="make a master key for each category: what a store's connection needs")
    generate.add_argument("--uri", help="print the whole connection of this store, as AIRFLOW_CONN_… takes it")
    generate.add_argument("--file", type=Path, help="write the keys to this new file, and print its name alone")
    generate.set_defaults(command=_generate_keys)

    add_store_actions(commands.add_parser("store", help="check what a store's credentials and keys can do"))

    add_grants(commands.add_parser("grants", help="print the statements that make a dedicated read-only role"))
    add_check_access(commands.add_parser("check-access", help="prove what a connection may do; fails if it is more"))

    add_snapshot(commands.add_parser("snapshot", help="take, list, verify, sign, restore, prune and compare snapshots"))

    summary = commands.add_parser("summary", help="show the latest snapshot and the anomalies found in it")
    add_store(summary)
    summary.set_defaults(command=_summary)

    table = commands.add_parser("table", help="print rows of one table of the latest snapshot, as JSON lines")
    table.add_argument("table", help="a table of the Elementary schema")
    table.add_argument("--limit", type=whole_number(0), default=10, metavar="N", help="rows at most (default: 10)")
    add_store(table)
    table.set_defaults(command=_table)

    for name, add, told in (
        ("anomalies", add_anomalies, "judge the newest buckets of a snapshot"),
        ("lint", add_lint, "tell which anomaly tests do not do what they seem to"),
        ("backtest", add_backtest, "tell what a configuration would have said of the last days"),
    ):
        command = commands.add_parser(name, help=told)
        add_store(command)
        add(command)

    examples = commands.add_parser("example-dags", help="print the folder of the example DAGs, to copy them from")
    examples.set_defaults(command=_example_dags)

    demo = commands.add_parser("demo", help="run the example DAG on the sample that the package carries")
    demo.add_argument("--home", type=Path, default=Path(".demo"), help="where all files go (default: .demo)")
    demo.set_defaults(command=_demo)
    return parser


def _generate_keys(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.snapshots import LocalKeys
    from airflow_provider_elementary.snapshots.store_settings import write_keys_file

    extra: dict[str, object] = {"uri": arguments.uri} if arguments.uri else {}
    if arguments.file:
        write_keys_file(arguments.file, LocalKeys.generate())
        extra["keys_file"] = str(arguments.file.absolute())
    else:
        extra["secret_keys"] = LocalKeys.generate()
    print(json.dumps({"conn_type": "elementary_store", "extra": extra} if arguments.uri else extra, indent=2))


def _summary(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.cli.summary import show_store

    show_store(open_repository(arguments))


def _table(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.elementary_schema import TABLES

    if arguments.table.lower() not in TABLES:
        raise UsageError(f"There is no table {arguments.table!r}. The tables are: {', '.join(TABLES)}.")
    left = arguments.limit
    with open_repository(arguments).open().read(arguments.table) as reader:
        for batch in reader:
            for row in batch.slice(0, left).to_pylist():
                print_json(row, indent=None)
            left -= min(left, batch.num_rows)
            if not left:
                return


def _example_dags(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.cli.demo import EXAMPLE_DAGS

    print(EXAMPLE_DAGS)


def _demo(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.cli.demo import run_demo

    return run_demo(arguments.home.resolve())
