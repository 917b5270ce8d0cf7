"""The commands ``keys generate`` and those of ``store``."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_elementary.cli.exits import FINDING, FINE, UsageError, usage
from airflow_provider_elementary.cli.options import add_json, add_json_only, add_store, open_hook, open_repository
from airflow_provider_elementary.cli.output import print_json, print_table
from airflow_provider_elementary.cli.retention import add_retention, given_anchors, retention_of
from airflow_provider_elementary.snapshots.maintenance.retention import orphan_age
from airflow_provider_elementary.words import plural

if TYPE_CHECKING:
    from airflow_provider_elementary.storage.genesis import Predecessor, Trust

_COLOURS = {"pass": "green", "fail": "bold red", "not applicable": "dim"}
_HEAD = re.compile(r"([1-9]\d{0,9}):([0-9a-f]{64})")


def add_keys_actions(parser: argparse.ArgumentParser) -> None:
    """Declare ``keys`` with its action and its arguments."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    generate = actions.add_parser(
        "generate", help="write a master key for each category and a signing key to a new file"
    )
    generate.add_argument(
        "--file",
        type=Path,
        required=True,
        metavar="FILE",
        help="a file that does not exist yet; only its owner reads it",
    )
    generate.add_argument("--uri", help="print the complete connection of this store, as the value of AIRFLOW_CONN_…")
    add_json_only(generate)
    generate.set_defaults(command=_generate_keys)


def add_store_actions(parser: argparse.ArgumentParser) -> None:
    """Declare ``store`` with its actions and their arguments."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    init = actions.add_parser("init", help="create the store of a connection, once, and print the id to pin")
    add_store(init)
    init.add_argument(
        "--uri", help="a store without a connection: print its connection, as the value of AIRFLOW_CONN_…"
    )
    init.add_argument(
        "--keys-file", type=Path, metavar="FILE", help="with --uri: the file of its keys, made if it does not exist"
    )
    init.add_argument(
        "--recovery-key",
        type=Path,
        metavar="FILE",
        help="a new file for a key that can introduce another signing key; keep it offline",
    )
    init.add_argument("--after", metavar="STORE_ID", help="the id of the store that this one continues")
    init.add_argument("--head", metavar="NUMBER:SHA256", help="with --after: the newest snapshot of that store")
    init.add_argument("--json", action="store_true", help="print JSON")
    init.set_defaults(command=_init)

    check = actions.add_parser("check", help="write probe objects to check that a store can take snapshots")
    add_store(check)
    check.add_argument(
        "--reader", action="store_true", help="write nothing: check that this connection reads, and cannot sign"
    )
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.set_defaults(command=_check)

    maintain = actions.add_parser("maintain", help="merge small files, write missing index pages, and prune")
    add_store(maintain)
    add_retention(maintain)
    maintain.add_argument("--json", action="store_true", help="print the report as JSON")
    maintain.set_defaults(command=_maintain)

    rotate = actions.add_parser(
        "rotate-signing-key", help="let the key that the connection names sign from the next snapshot on"
    )
    add_store(rotate)
    by = rotate.add_mutually_exclusive_group(required=True)
    by.add_argument("--old-keys-file", type=Path, metavar="FILE", help="the keys file with the signing key until now")
    by.add_argument("--old-kms-key-id", metavar="KEY", help="the KMS key that signed until now")
    by.add_argument("--recovery-key", type=Path, metavar="FILE", help="the recovery key, if the signing key is lost")
    rotate.add_argument(
        "--revoke", action="store_true", help="the old key was stolen: its results and reports count no more"
    )
    add_json(rotate)
    rotate.set_defaults(command=_rotate)


def _maintain(arguments: argparse.Namespace) -> None:
    repository, anchors = open_repository(arguments), given_anchors(arguments)
    # Before the arguments are tried: a connection that may not write is no invalid argument.
    repository.documents.require_signer()
    with usage():
        report = repository.maintain(
            retention_of(arguments), anchors=anchors, orphan_age=orphan_age(arguments.orphan_hours)
        )
    if arguments.json:
        print_json(report.to_dict())
        return
    merged, pruned = report.compaction, report.prune
    pages = plural(report.pages, "index page")
    print(f"merged {plural(merged.files, 'file')} into {merged.merged_files:,}, wrote {pages}")
    if pruned is not None:
        print(
            f"pruned {len(pruned.removed):,} of {plural(len(pruned.snapshots), 'snapshot')}, removed "
            f"{plural(pruned.files, 'file')} of {pruned.size:,} bytes; "
            f"{plural(pruned.waiting, 'pruned snapshot')} can be read for 24 hours"
        )


def _generate_keys(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.snapshots.store_setup import new_local_keys, write_private_file

    write_private_file(arguments.file, new_local_keys())
    extra = {"uri": arguments.uri} if arguments.uri else {}
    extra["keys_file"] = str(arguments.file.absolute())
    print_json({"conn_type": "elementary_store", "extra": extra} if arguments.uri else extra)


def _init(arguments: argparse.Namespace) -> None:
    after = _predecessor(arguments)
    if bool(arguments.uri) != bool(arguments.keys_file):
        raise UsageError("Only one of --uri and --keys-file is given. Give both, or name a connection.")
    if arguments.uri:
        extra, trust = _init_without_connection(arguments, after)
        print_json({"conn_type": "elementary_store", "extra": extra})
        return
    from airflow_provider_elementary.snapshots.store_setup import create_store

    hook = open_hook(arguments)
    settings = hook.settings
    if settings.store_id is not None:
        raise UsageError(
            f"The {settings.name} pins store {settings.store_id} already. To create another store, remove store_id "
            "from the connection."
        )
    trust = create_store(
        hook.open_store(),
        hook.open_keys() if settings.has_keys else None,
        hook.signing_key(),
        recovery_file=arguments.recovery_key,
        after=after,
    )
    if arguments.json:
        print_json({"store": settings.uri, "store_id": trust.store_id})
        return
    print(f"created {settings.uri}")
    print(f"store_id: {trust.store_id}")
    print(f"Add store_id to the {settings.name}: until then, nothing is written, and what is read is unproved.")


def _init_without_connection(arguments: argparse.Namespace, after: Predecessor | None) -> tuple[dict[str, str], Trust]:
    from airflow_provider_elementary.snapshots import open_store
    from airflow_provider_elementary.snapshots.store_settings import parse_store
    from airflow_provider_elementary.snapshots.store_setup import create_store, new_local_keys, write_private_file

    extra = {"uri": arguments.uri, "keys_file": str(arguments.keys_file.absolute())}
    with usage():
        settings = parse_store("this command", extra)
    if not arguments.keys_file.exists():
        write_private_file(arguments.keys_file, new_local_keys())
    trust = create_store(
        open_store(settings.uri),
        settings.local_keys(),
        settings.local_signer(),
        recovery_file=arguments.recovery_key,
        after=after,
    )
    return {**extra, "store_id": trust.store_id}, trust


def _rotate(arguments: argparse.Namespace) -> None:
    from airflow_provider_elementary.snapshots.store_setup import KmsKey, read_signing_key, rotate_signing_key

    hook = open_hook(arguments)
    old = (
        KmsKey(hook.kms(), arguments.old_kms_key_id)
        if arguments.old_kms_key_id
        else read_signing_key(arguments.old_keys_file or arguments.recovery_key)
    )
    entry, first = rotate_signing_key(hook.repository, hook.signing_key(), old, revoke=arguments.revoke)
    if arguments.json:
        print_json({"store": hook.repository.uri, "key_id": entry.key.key_id, "first_number": first})
        return
    print(f"key {entry.key.key_id} signs {hook.repository.uri} from snapshot {first} on")


def _predecessor(arguments: argparse.Namespace) -> Predecessor | None:
    from airflow_provider_elementary.storage.genesis import Predecessor

    if not arguments.after and not arguments.head:
        return None
    head = _HEAD.fullmatch(arguments.head or "")
    if head is None or not re.fullmatch("[0-9a-f]{64}", arguments.after or ""):
        raise UsageError(
            "--after takes the id of a store and --head its newest snapshot, as in 12:<SHA-256 of manifest 12>. Give "
            "both."
        )
    return Predecessor(arguments.after, int(head[1]), head[2])


def _check(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.snapshots.store_check import check_reader, check_store

    if arguments.reader:
        hook = open_hook(arguments)
        report = check_reader(hook.repository, hook.kms if hook.settings.is_on_s3 else None)
    else:
        report = check_store(open_repository(arguments))
    if arguments.json:
        print_json(report.to_dict())
        return FINE if report.passes else FINDING
    rows = [[found.name, found.status, found.evidence] for found in report.findings]
    print_table(("check", "status", "evidence"), rows, title=report.store, colours=_COLOURS)
    return FINE if report.passes else FINDING
