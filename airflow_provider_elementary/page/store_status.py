"""Loads the status of a store: newest snapshot, verdicts, incidents, problems."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.incidents.verdict_facts import Verdicts
from airflow_provider_elementary.page.currency import Currency, currency_of
from airflow_provider_elementary.page.store_reader import OPENED_SECONDS, StoreReader
from airflow_provider_elementary.project.health import TableHealth, table_health
from airflow_provider_elementary.project.project import Project
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_elementary.incidents.conditions import Condition
    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.snapshots import Manifest

log = logging.getLogger(__name__)

#: Where a traceback is: page and MCP client get the same answers.
SEE_LOG = "See the log of the API server, or the standard error of the command mcp."
T = TypeVar("T")

_NO_KEYS = (
    "The store's connection names no keys, so this page shows manifests only. To see tables, metrics and incidents, "
    "name kms_key_id, secret_keys or keys_file in it."
)


@dataclass(frozen=True)
class StoreStatus:
    """The status of a store.

    :param total: number of snapshots.
    :param oldest: the number of the oldest one; None where there is none.
    :param manifest: of the newest snapshot that can be read, or None.
    :param project: the dbt project in that snapshot; None without keys.
    :param verdicts: the newest; None where there are none, or without keys.
    :param incidents: open ones first, then the newest.
    :param tables: the worst first.
    :param problems: what could not be read, in sentences for the page.
    :param notice: what to configure to see more; empty if nothing is missing.
    :param currency: how current the newest snapshot is.
    """

    total: int
    oldest: int | None
    manifest: Manifest | None
    project: Project | None
    verdicts: Verdicts | None
    incidents: tuple[Incident, ...]
    tables: tuple[TableHealth, ...]
    problems: tuple[str, ...]
    notice: str
    currency: Currency

    @property
    def stale(self) -> tuple[str, ...]:
        """Why what is shown is too old to be called good, in sentences."""
        return self.currency.stale

    def table(self, full_name: str) -> TableHealth | None:
        """Return the state of a table, or None where it is not known."""
        return next((table for table in self.tables if table.full_name == full_name), None)


def load_store_status(reader: StoreReader) -> StoreStatus:
    """Return the status of a store; errors are listed in ``problems``, never raised."""
    problems: list[str] = []
    uri = reader.uri
    sequences = attempt(problems, uri, reader.sequences)
    manifest = _newest_manifest(reader, sequences or [], problems)
    project: Project | None = None
    verdicts: Verdicts | None = None
    incidents: tuple[Incident, ...] = ()
    if sequences is not None and reader.has_keys:
        if manifest is not None:
            project = attempt(problems, uri, lambda: reader.project(manifest))
            problems.extend(project.missing if project else ())
        verdicts = attempt(problems, uri, reader.newest_verdicts)
        incidents = attempt(problems, uri, lambda: find_incidents(reader, manifest, verdicts)) or ()
    currency = attempt(problems, uri, lambda: currency_of(reader, sequences or (), manifest, project))
    return StoreStatus(
        total=len(sequences or ()),
        oldest=sequences[0] if sequences else None,
        manifest=manifest,
        project=project,
        verdicts=verdicts,
        incidents=incidents,
        tables=_tables(reader, project, verdicts, incidents),
        problems=tuple(dict.fromkeys(problems)),
        notice="" if sequences is None or reader.has_keys else _NO_KEYS,
        currency=currency or Currency("", ()),
    )


def find_incidents(reader: StoreReader, manifest: Manifest | None, verdicts: Verdicts | None) -> tuple[Incident, ...]:
    """Return the incidents that a task saved, with dbt's results of a newer snapshot.

    Without saved ones, those derived from the newest snapshot and verdicts.

    :raises ElementaryError: the keys do not open them.
    """
    saved, answers = reader.incidents(), reader.answers()
    of_store = _store_conditions(reader, saved or ())
    if manifest is None:
        from airflow_provider_elementary.incidents.store import without_snapshot

        return tuple(without_snapshot(saved, answers, of_store)) if of_store else tuple(saved or ())

    def derive() -> tuple[Incident, ...]:
        if saved is not None:
            from airflow_provider_elementary.incidents.store import updated

            open_snapshot = partial(reader.snapshot, manifest)
            return tuple(
                updated(saved, reader.snapshot_of_incidents(), manifest.snapshot_id, open_snapshot, answers, of_store)
            )
        from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
        from airflow_provider_elementary.incidents.answer_effects import answered, moves, with_answers
        from airflow_provider_elementary.incidents.current import read_conditions_of
        from airflow_provider_elementary.incidents.tracking import track_incidents
        from airflow_provider_elementary.project.lineage import read_lineage

        snapshot = reader.snapshot(manifest)
        lineage = read_lineage(snapshot)
        conditions = [*read_conditions_of(snapshot).conditions, *of_store]
        if (rows := reader.anomalous_rows()) is not None and len(rows):
            conditions += anomaly_conditions(rows, lineage)
        found = track_incidents(with_answers(conditions, answers), lineage, moved=moves(answers))
        return tuple(answered(found, answers))

    key = ("incidents", manifest.snapshot_id, verdicts, reader.snapshot_of_incidents(), answers, of_store)
    return reader.derived.get(key, derive)


def _store_conditions(reader: StoreReader, saved: Sequence[Incident]) -> tuple[Condition, ...]:
    """Return the conditions of syncs, commit markers and access checks, at most a minute old."""

    def read() -> tuple[Condition, ...]:
        from airflow_provider_elementary.incidents.store_conditions import store_conditions

        known = [condition for incident in saved for condition in incident.conditions]
        return tuple(store_conditions(reader.opened.repository, known, utc_now()))

    return reader.derived.get(("conditions of the store", reader.snapshot_of_incidents()), read, seconds=OPENED_SECONDS)


def attempt(problems: list[str], uri: str, work: Callable[[], T]) -> T | None:
    """Call a function and return its value; an exception becomes a sentence of ``problems``.

    The text of an error of other software is written to the server's log only.
    """
    try:
        return work()
    except ElementaryError as error:
        problems.append(str(error))
    except Exception as error:
        log.error("reading %s for the Elementary page failed", uri, exc_info=error)
        problems.append(f"Reading {uri} failed: {type(error).__name__}. {SEE_LOG}")
    return None


def known_days(reader: StoreReader, store_status: StoreStatus) -> tuple[datetime | None, datetime] | None:
    """Return from when to when dbt's results and the syncs say what held; None where nothing does."""
    project, manifest = store_status.project, store_status.manifest
    if project is None or manifest is None:
        return None
    first = attempt([], reader.uri, lambda: reader.manifest(store_status.oldest or 0))
    newest = project.invocation.at if project.invocation else None
    return first.taken_at if first else None, newest or manifest.taken_at


def _newest_manifest(reader: StoreReader, sequences: list[int], problems: list[str]) -> Manifest | None:
    """Return the newest manifest that can be read; a damaged one does not hide the previous one."""
    for sequence in reversed(sequences[-3:]):
        found = attempt(problems, reader.uri, lambda sequence=sequence: reader.manifest(sequence, newest=True))  # type: ignore[misc]
        if found is not None:
            return found
    return None


def _tables(
    reader: StoreReader, project: Project | None, verdicts: Verdicts | None, incidents: tuple[Incident, ...]
) -> tuple[TableHealth, ...]:
    def load() -> tuple[TableHealth, ...]:
        from airflow_provider_elementary.incidents.tracking import anomalous_tables, count_open

        scored = verdicts.tables if verdicts else ()
        return tuple(table_health(project, scored, count_open(incidents), anomalous_tables(incidents)))

    return reader.derived.get(
        ("tables", project, verdicts, incidents),
        load,
    )
