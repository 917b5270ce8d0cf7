"""Declares and runs ``snapshot take``."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.cli.access import require_checks, require_probes
from airflow_provider_elementary.cli.exits import UsageError, usage
from airflow_provider_elementary.cli.options import CATEGORIES, add_conn_id, non_negative, whole_number
from airflow_provider_elementary.cli.progress import counting_rows
from airflow_provider_elementary.exceptions import ConnectionNotFoundError
from airflow_provider_elementary.snapshots.policy import PARAMETERS
from airflow_provider_elementary.snapshots.policy.parameter import PolicyParameter

if TYPE_CHECKING:
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.take import TakenSnapshot

_METAVARS = {"names": "NAME", "columns": "TABLE.COLUMN", "keys": "TABLE.COLUMN[.KEY]"}


def add_take(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``snapshot take`` beyond the one that names the store."""
    add_conn_id(parser)
    parser.add_argument("--schema", help="the Elementary schema (default: the connection's)")
    parser.add_argument("--database", help="its database (default: the connection's)")
    policy = parser.add_argument_group(
        "policy", "The store's connection defines what is included; these options can only exclude more."
    )
    for parameter in PARAMETERS:
        _add_parameter(policy, parameter)
    _add_many(parser, "--probe", "a canary table that must be unreadable", metavar="TABLE")
    _add_many(parser, "--accept-unknown", "an access check that may stay unknown", metavar="CHECK")


def take(arguments: argparse.Namespace, hook: ElementaryStoreHook, anchor: Anchor | None) -> TakenSnapshot:
    """Take the snapshot, as the operator does.

    :param hook: opens the store and its keys.
    :param anchor: a manifest that was recorded outside the store.
    """
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from airflow_provider_elementary.snapshots.failed_syncs import recording_failure
    from airflow_provider_elementary.snapshots.policy.choices import PolicyChoices
    from airflow_provider_elementary.snapshots.take import take_snapshot

    require_checks(arguments.accept_unknown)
    # An error of the store's connection is none of the arguments.
    _ = hook.settings
    with usage():
        policy = hook.resolve_policy(PolicyChoices.parse(vars(arguments), "this command"))
    warehouse = ElementaryHook(arguments.conn_id, arguments.schema, arguments.database)
    # Each command is a run of its own.
    recording = recording_failure(
        lambda: hook.repository,
        run_key=f"command {os.urandom(16).hex()}",
        mistakes=(UsageError, ConnectionNotFoundError),
    )
    with recording, warehouse.source() as source:
        require_probes(arguments.probe, source)
        report = warehouse.check(source, arguments.probe)
        report.require([*arguments.accept_unknown, *warehouse.accept_unknown])
        with counting_rows() as rows_read:
            return take_snapshot(
                source, hook.repository, policy, access=report.to_dict(), anchor=anchor, rows_read=rows_read
            )


def _add_parameter(group: argparse._ActionsContainer, parameter: PolicyParameter) -> None:
    text = f"{parameter.description[0].lower()}{parameter.description[1:].rstrip('.')}"
    if parameter.kind == "switch":
        group.add_argument(parameter.flag, dest=parameter.name, action="store_const", const=True, help=text)
    elif parameter.is_list:
        facts = {"choices": CATEGORIES} if parameter.kind == "categories" else {"metavar": _METAVARS[parameter.kind]}
        _add_many(group, parameter.flag, text, dest=parameter.name, **facts)
    else:
        kind = whole_number(0) if parameter.kind == "count" else non_negative
        group.add_argument(parameter.flag, dest=parameter.name, type=kind, metavar="N", help=text)


def _add_many(parser: argparse._ActionsContainer, option: str, text: str, **facts: Any) -> None:
    parser.add_argument(option, action="append", default=[], help=f"{text}; may be repeated", **facts)
