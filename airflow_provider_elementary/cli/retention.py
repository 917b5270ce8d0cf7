"""Declares the arguments that say which snapshots stay."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from airflow_provider_elementary.cli.exits import UsageError
from airflow_provider_elementary.cli.options import non_negative, parse_by_category
from airflow_provider_elementary.snapshots.maintenance.retention import RULES, Retention

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor


def add_retention(parser: argparse.ArgumentParser) -> None:
    """Declare the rules, the age of orphans and the anchor."""
    for rule, facts in RULES.items():
        text = f"{facts.description[0].lower()}{facts.description[1:].rstrip('.')}; -1: all"
        parser.add_argument(f"--keep-{rule}", type=int, default=0, metavar="N", help=text)
    parser.add_argument(
        "--category-days",
        action="append",
        default=[],
        metavar="CATEGORY=DAYS",
        help="remove a category's data from older snapshots; may be repeated",
    )
    parser.add_argument(
        "--orphan-hours",
        type=non_negative,
        default=48,
        metavar="N",
        help="minimum age of unreferenced files before deletion (default: 48)",
    )
    add_anchor(parser)


def add_anchor(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names a manifest recorded outside the store."""
    parser.add_argument(
        "--anchor", metavar="NUMBER:SHA256", help="number and hash of a manifest, recorded outside the store"
    )


def retention_of(arguments: argparse.Namespace) -> Retention:
    """Return the rules that were given."""
    counts = {name: value for name, value in vars(arguments).items() if name.startswith("keep_")}
    return Retention(**counts, category_days=_days(arguments.category_days))


def given_anchors(arguments: argparse.Namespace) -> list[Anchor]:
    """Return the anchor that was given.

    :raises UsageError: it is no number and hash.
    """
    from airflow_provider_elementary.snapshots.chain import Anchor

    if (text := arguments.anchor) is None:
        return []
    number, _, digest = text.partition(":")
    if not re.fullmatch("[1-9][0-9]{0,9}", number) or not re.fullmatch("[0-9a-fA-F]{64}", digest):
        raise UsageError(f"--anchor takes a number and a hash, as in 12:<SHA-256 of manifest 12>, not {text!r}.")
    return [Anchor(int(number), digest.lower())]


def _days(pairs: list[str]) -> dict[str, int]:
    return {name: int(number) for name, number in parse_by_category(pairs, "DAYS", str.isdecimal).items()}
