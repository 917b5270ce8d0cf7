"""The command ``snapshot take``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.cli.access import require_checks, require_probes
from airflow_provider_elementary.cli.exits import usage
from airflow_provider_elementary.cli.options import CATEGORIES, number, whole_number
from airflow_provider_elementary.cli.progress import counting_rows

if TYPE_CHECKING:
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook
    from airflow_provider_elementary.snapshots.take import TakenSnapshot


def add_take(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``snapshot take`` beyond the one that names the store."""
    parser.add_argument("--conn-id", required=True, help="the Airflow connection of the warehouse")
    parser.add_argument("--schema", help="the Elementary schema (default: the connection's)")
    parser.add_argument("--database", help="its database (default: the connection's)")
    count = whole_number(0)
    policy = parser.add_argument_group(
        "policy", "The store's connection defines what is included; these options can only exclude more."
    )
    _add_many(policy, "--category", "a category to include", dest="categories", choices=CATEGORIES)
    policy.add_argument(
        "--failed-rows-per-test", type=count, metavar="N", help="maximum sample rows per failed test (0 = none)"
    )
    policy.add_argument("--failed-rows-days", type=count, metavar="N", help="maximum age of sample rows")
    _add_many(
        policy,
        "--exclude-table",
        "a table or model whose sample rows are excluded",
        dest="failed_rows_excluded_tables",
        metavar="NAME",
    )
    for option, meaning, dest in (
        ("--mask", "a column whose values are replaced by ***", "masked_columns"),
        ("--hash", "a column whose values are replaced by a keyed hash", "hashed_columns"),
        ("--drop", "a column that is not read", "dropped_columns"),
    ):
        _add_many(policy, option, meaning, dest=dest, metavar="TABLE.COLUMN")
    policy.add_argument(
        "--without-raw-values", action="store_const", const=True, help="exclude all that may quote monitored data"
    )
    policy.add_argument("--full-every-days", type=number(0), metavar="N", help="maximum days between full snapshots")
    _add_many(parser, "--probe", "a canary table that must be unreadable", metavar="TABLE")
    _add_many(parser, "--accept-unknown", "an access check that may stay unknown", metavar="CHECK")


def take(arguments: argparse.Namespace, hook: ElementaryStoreHook) -> TakenSnapshot:
    """Take the snapshot, as the operator does.

    :param hook: opens the store and its keys.
    """
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from airflow_provider_elementary.snapshots.policy_choices import PolicyChoices
    from airflow_provider_elementary.snapshots.take import take_snapshot

    require_checks(arguments.accept_unknown)
    with usage():
        policy = hook.resolve_policy(PolicyChoices.parse(vars(arguments), "this command"))
    warehouse = ElementaryHook(arguments.conn_id, arguments.schema, arguments.database)
    with warehouse.source() as source:
        require_probes(arguments.probe, source)
        report = warehouse.check(source, arguments.probe)
        report.require([*arguments.accept_unknown, *warehouse.accept_unknown])
        with counting_rows() as rows_read:
            return take_snapshot(source, hook.repository, policy, access=report.to_dict(), rows_read=rows_read)


def _add_many(parser: argparse._ActionsContainer, option: str, text: str, **facts: Any) -> None:
    parser.add_argument(option, action="append", default=[], help=f"{text}; may be repeated", **facts)
