"""The command that takes a snapshot, as the operator does: access proved first, the policy given by options."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.cli.access import require_checks, require_probes
from airflow_provider_elementary.cli.exits import usage
from airflow_provider_elementary.cli.progress import counting_rows
from airflow_provider_elementary.cli.store import CATEGORIES, number, whole_number

if TYPE_CHECKING:
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook


def add_take(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``snapshot take`` beyond those that name the store."""
    parser.add_argument("--conn-id", required=True, help="the Airflow connection of the warehouse")
    parser.add_argument("--schema", help="the Elementary schema (default: the connection's)")
    parser.add_argument("--database", help="the database that holds it (default: the connection's)")
    _add_many(parser, "--category", "a category to take (default: all but query_logs)", choices=CATEGORIES)
    count = whole_number(0)
    parser.add_argument("--failed-rows-per-test", type=count, default=5, metavar="N", help="samples (default: 5)")
    parser.add_argument("--failed-rows-days", type=count, default=30, metavar="N", help="their age (default: 30)")
    _add_many(parser, "--exclude-table", "a table or model of which no samples are taken", metavar="NAME")
    _add_many(parser, "--mask", "a column whose values are replaced by ***", metavar="TABLE.COLUMN")
    _add_many(parser, "--hash", "a column whose values are replaced by a keyed hash", metavar="TABLE.COLUMN")
    _add_many(parser, "--drop", "a column that is not read", metavar="TABLE.COLUMN")
    parser.add_argument("--without-raw-values", action="store_true", help="nothing that may quote monitored data")
    parser.add_argument("--full-every-days", type=number(0), default=7, metavar="N", help="read anew (default: 7)")
    _add_many(parser, "--probe", "a table that must be closed", metavar="TABLE")
    _add_many(parser, "--accept-unknown", "an access check that may stay unknown", metavar="CHECK")


def take(arguments: argparse.Namespace, hook: ElementaryStoreHook) -> dict[str, Any]:
    """Take the snapshot and return what the operator would.

    :param hook: opens the store and its keys.
    """
    from airflow_provider_elementary.hooks.elementary import ElementaryHook
    from airflow_provider_elementary.hooks.signer import open_signer
    from airflow_provider_elementary.operators.snapshot import DEFAULT_CATEGORIES, summarise
    from airflow_provider_elementary.snapshots import Policy, write_snapshot

    choose = Policy.without_raw_values if arguments.without_raw_values else Policy
    require_checks(arguments.accept_unknown)
    with usage():
        policy = choose(
            categories=tuple(Category(name) for name in arguments.category or DEFAULT_CATEGORIES),
            failed_rows_per_test=arguments.failed_rows_per_test,
            failed_rows_days=arguments.failed_rows_days,
            failed_rows_excluded_tables=tuple(arguments.exclude_table),
            masked_columns=tuple(arguments.mask),
            hashed_columns=tuple(arguments.hash),
            dropped_columns=tuple(arguments.drop),
        )
    warehouse = ElementaryHook(arguments.conn_id, arguments.schema, arguments.database)
    with warehouse.source() as source:
        require_probes(arguments.probe, source)
        report = warehouse.check(source, arguments.probe)
        report.require(arguments.accept_unknown)
        with counting_rows() as rows_read:
            manifest = write_snapshot(
                source,
                hook.store,
                hook.keys,
                policy=policy,
                access=report.to_dict(),
                signer=open_signer(arguments.signing_kms_key_id, arguments.aws_conn_id),
                full_every_days=arguments.full_every_days,
                rows_read=rows_read,
            )
    return summarise(manifest, hook.store.uri)


def _add_many(parser: argparse.ArgumentParser, option: str, told: str, **facts: Any) -> None:
    parser.add_argument(option, action="append", default=[], help=f"{told}; may be repeated", **facts)
