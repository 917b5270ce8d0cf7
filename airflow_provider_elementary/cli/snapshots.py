"""Declares the actions of ``snapshot``, and runs all but ``take``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_elementary.cli.exits import UsageError, say, usage
from airflow_provider_elementary.cli.options import (
    CATEGORIES,
    add_store,
    numbers,
    open_hook,
    open_repository,
)
from airflow_provider_elementary.cli.output import print_json, print_table
from airflow_provider_elementary.cli.progress import with_progress
from airflow_provider_elementary.cli.retention import (
    add_anchor,
    add_retention,
    given_anchors,
    retention_of,
)
from airflow_provider_elementary.cli.take import add_take, take
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.maintenance.retention import orphan_age
from airflow_provider_elementary.words import plural

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

_NAMING = "latest, a snapshot's id, or a time like 2026-11-22T06:00 (UTC)"


def add_snapshot(parser: argparse.ArgumentParser) -> None:
    """Declare ``snapshot`` with its actions and their arguments."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, command: Callable[[argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text)
        add_store(added)
        added.add_argument("--json", action="store_true", help="print JSON")
        added.set_defaults(command=command)
        return added

    taking = action("take", _take, "take a snapshot, after checking that the connection can read nothing else")
    add_take(taking)
    add_anchor(taking)

    action("list", _list, "list the snapshots of a store, oldest first")

    verify = action("verify", _verify, "verify the snapshot chain and the files of a store")
    verify.add_argument("--snapshot", default="latest", help=f"the snapshot whose files are read: all, {_NAMING}")
    add_anchor(verify)
    verify.add_argument("--hashes-only", action="store_true", help="compare hashes only; needs no key")
    _add_categories(verify, "a category that the keys have to decrypt (default: all)")
    verify.add_argument(
        "--resume",
        metavar="FILE",
        type=Path,
        help="with --snapshot all: where to keep which files were checked; within a day, a verification that was "
        "broken off continues from there",
    )

    restore = action("restore", _restore, "restore a snapshot to a new DuckDB file or PostgreSQL schema")
    restore.add_argument("--snapshot", default="latest", help=f"the snapshot: {_NAMING}")
    restore.add_argument("--to", metavar="FILE", help="a DuckDB file that does not exist yet")
    restore.add_argument("--to-conn-id", metavar="CONN_ID", help="an Airflow connection to PostgreSQL")
    restore.add_argument("--schema", default="elementary", help="the schema to create (default: elementary)")
    _add_categories(restore, "a category to restore (default: all that the keys can decrypt)")

    prune = action("prune", _prune, "remove the snapshots that no rule keeps, and unreferenced files")
    add_retention(prune)
    prune.add_argument(
        "--acknowledge-loss",
        action="extend",
        type=numbers,
        default=[],
        metavar="N",
        help="the number of a permanently lost manifest, or the first and the last, as in 3-12; may be repeated",
    )
    prune.add_argument("--dry-run", action="store_true", help="print what would be removed, remove nothing")

    diff = action("diff", _diff, "compare the dbt project in two snapshots")
    diff.add_argument("before", help=f"the first: {_NAMING}")
    diff.add_argument("after", nargs="?", default="latest", help="the second (default: latest)")


def _add_categories(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--category", action="append", choices=CATEGORIES, help=f"{text}; may be repeated")


def _take(arguments: argparse.Namespace) -> None:
    anchor = next(iter(given_anchors(arguments)), None)
    facts = take(arguments, open_hook(arguments), anchor).summary
    if arguments.json:
        print_json(facts)
        return
    print_table(("table", "rows"), [[table, rows] for table, rows in facts["tables"].items()])
    print(f"took snapshot {facts['snapshot_id']}, {facts['kind']}: {facts['reason'] or 'what is new since the last'}")
    print(f"anchor: {facts['sequence']}:{facts['manifest_sha256']}")


def _list(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.snapshots.chain import check_chain
    from airflow_provider_elementary.snapshots.lookup import none_found

    repository = open_repository(arguments)
    chain = repository.chain()
    if not chain.links and not chain.tombstones:
        raise none_found(repository)
    listed = [
        {
            "sequence": document.sequence,
            "snapshot_id": document.snapshot_id,
            "kind": document.kind,
            "created_at": document.created_at,
            "rows": document.rows,
            "bytes": document.size,
            "categories": sorted(document.categories),
            "manifest_sha256": document.sha256,
        }
        for document in repository.snapshots(chain)
    ]
    findings = [*chain.findings, *check_chain(chain)[0]]
    if arguments.json:
        damaged = [{"damage": found.damage.value, "object": found.object} for found in findings]
        facts = {"store": repository.uri, "snapshots": listed, "pruned": len(chain.tombstones), "findings": damaged}
        print_json({**facts, "unproved": repository.unproved})
        return 0
    columns = ("sequence", "snapshot_id", "kind", "rows", "bytes")
    print_table(columns, [[snapshot[column] for column in columns] for snapshot in listed])
    for found in findings:
        print(f"note: {found.object} is {found.damage}; see `airflow-elementary snapshot verify`")
    if chain.head is not None:
        print(f"anchor: {chain.head.sequence}:{chain.head.sha256}")
    _print_unproved(repository)
    return 0


def _print_unproved(repository: Repository) -> None:
    if repository.unproved is not None:
        print(repository.unproved)


def _verify(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.storage.outcomes import Outcome

    report = open_repository(arguments).verify(
        arguments.snapshot,
        anchors=given_anchors(arguments),
        decrypt=not arguments.hashes_only,
        categories=[Category(name) for name in arguments.category or Category],
        progress=with_progress,
        checked=arguments.resume,
    )
    if arguments.json:
        print_json(report.to_dict())
    else:
        for found in report.findings:
            print(f"{found.damage}: {found.object}\n    {found.detail}")
        for note in report.notes:
            print(f"note: {note}")
        print(
            f"{report.store}: {report.outcome}; {plural(report.manifests, 'manifest')}, "
            f"{report.pruned:,} pruned, {plural(report.files, 'file')} of {report.size:,} bytes read, "
            f"{report.opened:,} decrypted with {plural(report.rows, 'row')}; "
            f"{plural(report.results, 'result')}, {plural(report.answers, 'answer')}, "
            f"{plural(report.reports, 'access report')}"
        )
        if report.head is not None:
            print(f"anchor: {report.head.sequence}:{report.head.sha256}")
    if report.outcome is Outcome.CANNOT_TELL:
        say("The keys of this connection do not decrypt some files. The others are as they were written.")
    return report.outcome.exit_status


def _restore(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.hooks.restore_target import open_target

    if bool(arguments.to) == bool(arguments.to_conn_id):
        raise UsageError("The restore target is missing or ambiguous. Give either --to or --to-conn-id.")
    repository = open_repository(arguments)
    with open_target(conn_id=arguments.to_conn_id, path=arguments.to, schema=arguments.schema) as target:
        report = repository.restore(
            target,
            arguments.snapshot,
            categories=[Category(name) for name in arguments.category] if arguments.category else None,
            progress=with_progress,
        )
    if arguments.json:
        print_json({**report.to_dict(), "unproved": repository.unproved})
        return
    print_table(("table", "rows"), [[table, rows] for table, rows in report.tables.items()])
    print(f"restored snapshot {report.snapshot_id} to {report.target}: {', '.join(report.categories)}")
    if report.not_decrypted:
        print(f"not restored, as no key opens them: {', '.join(report.not_decrypted)}")
    _print_unproved(repository)


def _prune(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.storage.layout import manifest_key

    repository, anchors = open_repository(arguments), given_anchors(arguments)
    if not arguments.dry_run:
        # Before the arguments are tried: a connection that may not write is no invalid argument.
        repository.documents.require_signer()
    with usage():
        report = repository.prune(
            retention_of(arguments),
            anchors=anchors,
            acknowledge_loss=arguments.acknowledge_loss,
            dry_run=arguments.dry_run,
            orphan_age=orphan_age(arguments.orphan_hours),
        )
    if arguments.json:
        print_json(report.to_dict())
        return
    rows = [[kept.sequence, kept.snapshot_id, ", ".join(kept.reasons) or "-"] for kept in report.snapshots]
    print_table(("sequence", "snapshot_id", "kept as"), rows)
    if report.acknowledged_losses:
        lost = ", ".join(manifest_key(number) for number in report.acknowledged_losses)
        print(f"acknowledged as permanently lost: {lost}")
    print(
        f"{'would remove' if report.dry_run else 'removed'} {plural(len(report.removed), 'snapshot')}, "
        f"{plural(report.uploads, 'unfinished upload')}, "
        f"{plural(report.files, 'file')} of {report.size:,} bytes, "
        f"{plural(sum(report.expired.values()), 'expired file')}"
    )
    if report.waiting:
        print(f"{plural(report.waiting, 'pruned snapshot')} can be read for 24 hours; a later prune deletes the files")


def _diff(arguments: argparse.Namespace) -> None:
    repository = open_repository(arguments)
    report = repository.diff(arguments.before, arguments.after)
    if arguments.json:
        print_json({**report.to_dict(), "unproved": repository.unproved})
        return
    rows = [[change.kind, change.name, change.direction, ", ".join(change.fields)] for change in report.changes]
    if rows:
        print_table(("kind", "name", "", "fields"), rows)
    else:
        print(f"no changes of the dbt project between {report.before} and {report.after}")
    counts = [[table, count.before, count.after] for table, count in report.rows.items()]
    changed = [row for row in counts if row[1] != row[2]]
    if changed:
        print_table(("table", "rows before", "rows after"), changed)
    print(f"no change of the number of rows in {plural(len(counts) - len(changed), 'table')}")
    if report.not_compared:
        print(
            f"not compared (not in both snapshots, or the keys cannot decrypt them): {', '.join(report.not_compared)}"
        )
    _print_unproved(repository)
