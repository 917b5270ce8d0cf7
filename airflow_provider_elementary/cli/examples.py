"""Completes the help of each command with a description and an example."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from types import MappingProxyType

#: Arguments that each command can be tried with, by its words.
EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "keys generate": "--file keys.json",
        "store init": "--store-conn-id elementary_store_default",
        "store check": "--reader",
        "store maintain": "--keep-daily 30 --keep-monthly 12",
        "store rotate-signing-key": "--old-keys-file old-keys.json",
        "grants": "postgres --database analytics --dbt-role dbt",
        "check-access": "--conn-id elementary_default --probe raw.customers --format markdown",
        "query-history grants": "postgres --database analytics",
        "query-history check-access": "--conn-id elementary_history",
        "query-history show": "--days 7",
        "query-history usage": "--by node --json",
        "snapshot take": "--conn-id elementary_default --without-raw-values",
        "snapshot list": "--json",
        "snapshot verify": "--anchor 12:" + "0123456789abcdef" * 4,
        "snapshot restore": "--to restored.duckdb",
        "snapshot prune": "--keep-daily 30 --keep-monthly 12",
        "snapshot diff": "2026-11-22T06:00 latest",
        "summary": "--store-conn-id elementary_store_default",
        "table": "dbt_invocations --limit 3",
        "anomalies": "--method robust --json",
        "lint": "--json",
        "backtest": "--days 30",
        "example-dags": "",
        "demo": "--home /tmp/demo",
    }
)


def complete_help(parser: argparse.ArgumentParser, summary: str = "") -> None:
    """Give a command and those below it a description, where none says more, and an example.

    :param summary: what the command above says of it.
    """
    words = parser.prog.partition(" ")[2]
    if not parser.description and summary:
        example = EXAMPLES.get(words)
        shown = f" Example: {' '.join(filter(None, (parser.prog, example)))}" if example is not None else ""
        parser.description = f"{summary[0].upper()}{summary[1:]}.{shown}"
    for actions, command, text in subcommands(parser):
        complete_help(actions.choices[command], text)


def subcommands(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[argparse._SubParsersAction[argparse.ArgumentParser], str, str]]:
    """Yield the commands below a command: where they are declared, their names, and what is said of them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from ((action, said.dest, said.help or "") for said in action._choices_actions)
