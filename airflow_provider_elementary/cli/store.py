"""How the commands name a store and open it, and the command that checks one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.cli.connections import look_in_the_database
from airflow_provider_elementary.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook
    from airflow_provider_elementary.snapshots.repository import Repository

CATEGORIES = [category.value for category in Category]
_DEFAULT_STORE = "elementary_store_default"
_COLOURS = {"pass": "green", "fail": "bold red", "not applicable": "dim"}


def add_store(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names a store."""
    parser.add_argument(
        "--store-conn-id",
        default=_DEFAULT_STORE,
        metavar="CONN_ID",
        help=f"Airflow connection of type elementary_store (default: {_DEFAULT_STORE})",
    )


def add_store_actions(parser: argparse.ArgumentParser) -> None:
    """Declare ``store`` with its actions and their arguments."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="prove with probe objects that snapshots can be taken into a store; fails if not"
    )
    add_store(check)
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.set_defaults(command=_check)


def open_hook(arguments: argparse.Namespace) -> ElementaryStoreHook:
    """Return the hook of the store's connection."""
    look_in_the_database()
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook

    return ElementaryStoreHook(arguments.store_conn_id)


def open_repository(arguments: argparse.Namespace) -> Repository:
    """Open the store."""
    return open_hook(arguments).repository


def by_category(pairs: Sequence[str], value: str, fits: Callable[[str], bool] = bool) -> dict[str, str]:
    """Take ``CATEGORY=VALUE`` pairs apart.

    :param value: what the value is called in an error.
    :param fits: whether a value will do.
    :raises ConfigurationError: a pair is none, or its value will not do.
    """
    given = {}
    for pair in pairs:
        name, _, told = pair.partition("=")
        if name not in CATEGORIES or not fits(told):
            raise ConfigurationError(
                f"Expected CATEGORY={value} with a category out of {', '.join(CATEGORIES)}, found {pair!r}."
            )
        given[name] = told
    return given


def _check(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.snapshots.store_check import check_store

    report = check_store(open_repository(arguments))
    if arguments.json:
        print(json.dumps(report.to_dict(), indent=2))
        return 0 if report.passes else 1
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("Check", "Status", "Evidence", title=Text(report.store), title_justify="left")
    for found in report.findings:
        table.add_row(found.name, Text(found.status, _COLOURS[found.status]), Text(found.evidence))
    Console(highlight=False).print(table)
    return 0 if report.passes else 1
