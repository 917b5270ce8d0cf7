"""Declares shared arguments and opens the store."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_elementary.cli.airflow_context import enable_metadata_db_connections
from airflow_provider_elementary.cli.exits import UsageError
from airflow_provider_elementary.elementary_schema import Category

if TYPE_CHECKING:
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook
    from airflow_provider_elementary.snapshots.repository import Repository

CATEGORIES = [category.value for category in Category]
#: More than a store has snapshots, and few enough to be listed.
_MOST_NUMBERS = 1_000_000


def add_store(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names a store."""
    parser.add_argument(
        "--store-conn-id",
        metavar="CONN_ID",
        help="Airflow connection of type elementary_store (default: the first of [elementary] stores, else "
        "elementary_store_default)",
    )


def add_conn_id(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names the warehouse."""
    parser.add_argument(
        "--conn-id",
        default="elementary_default",
        metavar="CONN_ID",
        help="Airflow connection of the warehouse (default: elementary_default)",
    )


def add_json(parser: argparse.ArgumentParser, text: str = "print JSON") -> None:
    """Declare that the command prints JSON."""
    parser.add_argument("--json", action="store_true", help=text)


def add_json_only(parser: argparse.ArgumentParser) -> None:
    """Declare the same for a command that prints nothing else."""
    parser.add_argument("--json", action="store_true", default=True, help="print JSON, as it always does")


def open_hook(arguments: argparse.Namespace) -> ElementaryStoreHook:
    """Return the hook of the store's connection."""
    enable_metadata_db_connections()
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook, suggested_stores

    return ElementaryStoreHook(arguments.store_conn_id or suggested_stores()[0])


def open_repository(arguments: argparse.Namespace) -> Repository:
    """Open the store."""
    return open_hook(arguments).repository


def add_user_options(parser: argparse.ArgumentParser) -> None:
    """Declare how the user that ``grants`` creates may log in."""
    parser.add_argument("--public-key", type=Path, metavar="FILE", help="the user's public key (Snowflake, ClickHouse)")
    parser.add_argument(
        "--network", action="append", default=[], metavar="CIDR", help="allowed client address; may be repeated"
    )


def non_negative(text: str) -> float:
    """Parse a finite number of 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return value


def numbers(text: str) -> range:
    """Parse a number of 1 or more, or the first and the last of a range."""
    given = re.fullmatch("([1-9][0-9]{0,9})(?:-([1-9][0-9]{0,9}))?", text)
    found = range(int(given[1]), int(given[2] or given[1]) + 1) if given else range(0)
    if not 0 < len(found) <= _MOST_NUMBERS:
        raise argparse.ArgumentTypeError(f"{text} is no number of 1 or more, and no range as in 3-12")
    return found


def whole_number(least: int) -> Callable[[str], int]:
    """Return an argument's type: a whole number of at least this."""

    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number of {least} or more")
        return value

    return whole_number


def parse_by_category(pairs: Sequence[str], value: str, fits: Callable[[str], bool] = bool) -> dict[str, str]:
    """Parse ``CATEGORY=VALUE`` pairs.

    :param value: the name of the value in an error.
    :param fits: whether a value is valid.
    :raises UsageError: a pair or its value is invalid.
    """
    given = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in CATEGORIES or not fits(text):
            raise UsageError(f"Write CATEGORY={value} with a category of {', '.join(CATEGORIES)}, not {pair!r}.")
        given[name] = text
    return given
