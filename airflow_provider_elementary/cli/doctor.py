"""The command ``doctor``: inspects the setup and names the next step."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow_provider_elementary.cli.airflow_context import enable_metadata_db_connections
from airflow_provider_elementary.cli.exits import FINDING, FINE, failure
from airflow_provider_elementary.cli.options import add_conn_id, add_store, open_hook
from airflow_provider_elementary.cli.output import print_json, print_table
from airflow_provider_elementary.cli.schedules import schedule_problems
from airflow_provider_elementary.words import duration

if TYPE_CHECKING:
    from airflow_provider_elementary.hooks.store import ElementaryStoreHook
    from airflow_provider_elementary.snapshots.manifest import Manifest

_COLOURS = {"pass": "green", "warning": "yellow", "fail": "bold red", "not checked": "dim"}


@dataclass(frozen=True)
class Found:
    """What was found of one part of the setup.

    :param part: ``airflow``, ``store``, ``keys``, ``signing``, ``snapshots``, ``warehouse``, ``page`` or ``schedules``.
    :param evidence: in a sentence.
    :param next_step: what to do; empty where nothing is needed.
    """

    part: str
    status: Literal["pass", "warning", "fail", "not checked"]
    evidence: str
    next_step: str = ""


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``doctor``."""
    parser.description = (
        "Inspect the setup from Airflow's settings to the newest snapshot, and name the next step. Nothing is written. "
        "Example: airflow-elementary doctor --conn-id elementary_default"
    )
    add_store(parser)
    add_conn_id(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    enable_metadata_db_connections()
    found = [_airflow(), *_store(open_hook(arguments)), _warehouse(arguments.conn_id), *_page()]
    worst = next((each for each in found if each.status == "fail"), None)
    step = worst or next((each for each in found if each.next_step), None)
    next_step = step.next_step if step else "Nothing: everything that was checked works."
    if arguments.json:
        print_json({"checks": [asdict(each) for each in found], "next_step": next_step})
    else:
        rows = [[each.part, each.status, each.evidence] for each in found]
        print_table(("part", "status", "evidence"), rows, colours=_COLOURS)
        print(f"next: {next_step}")
    return FINDING if worst else FINE


def _airflow() -> Found:
    from airflow import __version__

    from airflow_provider_elementary import __version__ as own

    return Found("airflow", "pass", f"Airflow {__version__}, airflow-provider-elementary {own}")


def _page() -> Iterator[Found]:
    from airflow.providers.common.compat.sdk import conf

    from airflow_provider_elementary.hooks.store import configured_stores

    stores = configured_stores()
    if stores:
        yield Found("page", "pass", f"shows the stores {', '.join(stores)}")
    else:
        step = "Name the stores in [elementary] stores, or AIRFLOW__ELEMENTARY__STORES, and restart the API server."
        yield Found("page", "warning", "shows no store: [elementary] stores is empty", step)
    for status, evidence, step in schedule_problems():
        yield Found("schedules", status, evidence, step)
    if not conf.get("api", "base_url", fallback=None):
        step = "Set [api] base_url, so that links in alerts and logs are complete."
        yield Found("links", "warning", "[api] base_url is not set: links begin without a host", step)
    if (conf.get("core", "test_connection", fallback="Disabled") or "").strip().lower() != "enabled":
        yield Found("test button", "not checked", "[core] test_connection is not Enabled: forms have no Test button")


def _store(hook: ElementaryStoreHook) -> Iterator[Found]:
    try:
        settings, repository = hook.settings, hook.repository
        documents = repository.documents
        newest = repository.latest() if repository.chain().links else None
    except Exception as error:
        message = failure(error)[1]
        yield Found("store", "fail", message, f"Connection {hook.store_conn_id}: {message}")
        return
    if settings.store_id is None:
        step = "Run `airflow-elementary store init`, and write the store_id that it prints into the connection."
        yield Found("store", "fail", f"{settings.uri} opens; the connection pins no store_id", step)
    else:
        yield Found("store", "pass", f"{settings.uri} opens, and its id is the pinned one")
    yield _keys(hook, newest)
    if documents.signer is None:
        yield Found("signing", "warning", "this connection cannot sign: it reads, and takes no snapshots")
    else:
        yield Found("signing", "pass", "this connection signs what it writes")
    if newest is None:
        step = "Trigger the DAG elementary_snapshot, or run `airflow-elementary snapshot take`."
        yield Found("snapshots", "warning", "the store holds no snapshot yet", step)
        return
    from airflow_provider_elementary.snapshots.sync_interval import is_overdue, newest_syncs, usual_interval

    now = datetime.now(UTC)
    rows = (row for row in reversed(repository.chain().snapshots))
    interval = usual_interval([row.taken_at for row in newest_syncs(rows, lambda row: row.taken_at)])
    evidence = (
        f"number {newest.sequence}, taken {newest.taken_at:%Y-%m-%d %H:%M} UTC, {(now - newest.taken_at).days} days ago"
    )
    if interval is not None and is_overdue(newest.taken_at, interval, now):
        step = "See the runs of the DAG that takes snapshots."
        yield Found("snapshots", "warning", f"{evidence}; before, one was taken every {duration(interval)}", step)
    else:
        yield Found("snapshots", "pass", evidence)


def _keys(hook: ElementaryStoreHook, newest: Manifest | None) -> Found:
    from airflow_provider_elementary.snapshots.store_check import describe_keys, opened_categories

    if not hook.settings.has_keys:
        step = "Name kms_key_id, secret_keys or keys_file in the store's connection."
        return Found("keys", "warning", "the connection names no keys: only manifests can be read", step)
    try:
        if newest is None:
            hook.open_keys()
            return Found("keys", "pass", "the connection names keys; not tried, as there is no snapshot yet")
        opened, closed = opened_categories(hook.repository, newest)
    except Exception as error:
        message = failure(error)[1]
        return Found("keys", "fail", message, message)
    evidence = describe_keys(opened, closed)
    if closed:
        return Found("keys", "warning", evidence, str(next(iter(closed.values()))))
    return Found("keys", "pass", evidence)


def _warehouse(conn_id: str) -> Found:
    from airflow_provider_elementary.hooks.elementary import ElementaryHook

    try:
        hook = ElementaryHook(conn_id)
        with hook.source() as source:
            report = hook.check(source)
            tables = len(source.tables())
            report.require(hook.accept_unknown)
    except Exception as error:
        message = failure(error)[1]
        step = f"Run `airflow-elementary check-access --conn-id {conn_id}` for every finding. {message}"
        return Found("warehouse", "fail", message, step)
    return Found("warehouse", "pass", f"{conn_id}: {tables} Elementary tables; {report.headline}")
