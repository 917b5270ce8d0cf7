"""The command ``audit``: writes the audit of a store to a file."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_provider_elementary.cli.exits import FINE, UsageError
from airflow_provider_elementary.cli.options import add_store, open_hook
from airflow_provider_elementary.cli.output import print_json


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``audit``."""
    parser.description = (
        "Write one page for a security reviewer: what the connection can do, what left the warehouse since a date and "
        "what was excluded, which keys open and sign it, which checks failed. "
        "Example: airflow-elementary audit --since 2026-11-01 --output audit.html"
    )
    add_store(parser)
    parser.add_argument("--since", metavar="DATE", help="the first day, UTC (default: 30 days ago)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="an HTML file that does not exist yet")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    parser.set_defaults(command=_audit)


def _audit(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.page.json_values import json_of
    from airflow_provider_elementary.page.settings import OpenedStore
    from airflow_provider_elementary.page.standalone import audit_page
    from airflow_provider_elementary.page.store_reader import StoreReader
    from airflow_provider_elementary.page.views.audit import audit_of

    if bool(arguments.output) == bool(arguments.json):
        raise UsageError("The audit has no destination. Give either --output or --json.")
    opened = OpenedStore(open_hook(arguments).store_conn_id)
    # Before anything is shown: a connection or a store that is missing is an error, not an empty audit.
    _ = opened.repository
    found = audit_of(StoreReader(lambda: opened), _day(arguments.since))
    if arguments.json:
        print_json(json_of(found))
        return FINE
    _write(arguments.output, audit_page(found))
    print(f"wrote {arguments.output}")
    return FINE


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already. Name a file that does not exist yet.") from None


def _day(text: Any) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since takes a date, as in 2026-11-01, not {text!r}.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
