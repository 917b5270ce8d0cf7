"""Where a store stands now: its newest snapshot and verdicts, what they say, and what of it cannot be read and why."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.page.store_reader import Reader
from airflow_provider_elementary.project.facts import Project, Verdicts
from airflow_provider_elementary.project.health import TableHealth, table_health

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.snapshots import Manifest

log = logging.getLogger(__name__)
T = TypeVar("T")

_NO_KEYS = (
    "The store's connection names no keys, so this page shows manifests only. To see tables, metrics and incidents, "
    "name kms_key_id, secret_keys or keys_file in it."
)


@dataclass(frozen=True)
class Current:
    """Where a store stands now.

    :param total: how many snapshots it holds.
    :param manifest: of the newest that can be read, or None.
    :param project: what it tells of the dbt project; None without keys.
    :param verdicts: the newest; None where there are none, or without keys.
    :param incidents: open ones first, then the newest.
    :param tables: the worst first.
    :param problems: what could not be read, in words for the person who looks.
    :param notice: what to configure to see more; empty where nothing is missing.
    """

    total: int
    manifest: Manifest | None
    project: Project | None
    verdicts: Verdicts | None
    incidents: tuple[Incident, ...]
    tables: tuple[TableHealth, ...]
    problems: tuple[str, ...]
    notice: str

    def table(self, full_name: str) -> TableHealth | None:
        """Return how a table is, or None where it is not known."""
        return next((table for table in self.tables if table.full_name == full_name), None)


def current(reader: Reader) -> Current:
    """Return where a store stands; what goes wrong is told in ``problems``, never raised."""
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
    return Current(
        total=len(sequences or ()),
        manifest=manifest,
        project=project,
        verdicts=verdicts,
        incidents=incidents,
        tables=_tables(reader, project, verdicts, incidents),
        problems=tuple(dict.fromkeys(problems)),
        notice="" if sequences is None or reader.has_keys else _NO_KEYS,
    )


def find_incidents(reader: Reader, manifest: Manifest | None, verdicts: Verdicts | None) -> tuple[Incident, ...]:
    """Return the incidents that a task followed; where none did, those that the newest verdicts alone tell.

    :raises ElementaryError: the keys do not open them.
    """
    followed = reader.incidents()
    if followed is not None:
        return tuple(followed)
    if verdicts is None or not len(verdicts.rows):
        return ()

    def derive() -> tuple[Incident, ...]:
        from airflow_provider_elementary.incidents.tracking import track_incidents
        from airflow_provider_elementary.project.lineage import Lineage, read_lineage

        lineage = read_lineage(reader.snapshot(manifest)) if manifest else Lineage()
        return tuple(track_incidents(verdicts.rows, lineage))

    return reader.derived.get(("incidents", manifest and manifest.snapshot_id, verdicts), derive)


def attempt(problems: list[str], uri: str, work: Callable[[], T]) -> T | None:
    """Do something and return its value; what it raises becomes a sentence of ``problems``.

    The text of an error that is not ours stays in the server's log.
    """
    try:
        return work()
    except ElementaryError as error:
        problems.append(str(error))
    except Exception as error:
        log.error("the Elementary page could not read %s", uri, exc_info=error)
        problems.append(
            f"Expected to read {uri}, found an unexpected {type(error).__name__}; the API server's log says more."
        )
    return None


def _newest_manifest(reader: Reader, sequences: list[int], problems: list[str]) -> Manifest | None:
    """Return the newest manifest that can be read; a broken one does not hide the one before it."""
    for sequence in reversed(sequences[-3:]):
        found = attempt(problems, reader.uri, lambda sequence=sequence: reader.manifest(sequence, newest=True))  # type: ignore[misc]
        if found is not None:
            return found
    return None


def _tables(
    reader: Reader, project: Project | None, verdicts: Verdicts | None, incidents: tuple[Incident, ...]
) -> tuple[TableHealth, ...]:
    return reader.derived.get(
        ("tables", project, verdicts, incidents),
        lambda: tuple(table_health(project, verdicts.tables if verdicts else (), incidents)),
    )
