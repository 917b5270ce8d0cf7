"""Shows what one DAG run or task wrote to the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.store_status import attempt
from airflow_provider_elementary.page.views.access import AccessState, access_state
from airflow_provider_elementary.page.views.base import Request

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Manifest
    from airflow_provider_elementary.storage.records.result_document import ResultKind

#: The newest snapshots that are looked through, and how many are shown.
_SEARCHED, _SHOWN = 100, 10
_KINDS: tuple[ResultKind, ...] = ("metrics", "verdicts", "incidents", "backtests")


@dataclass(frozen=True)
class SnapshotOfRun:
    """A snapshot that a task took, with its access report."""

    manifest: Manifest
    access: AccessState


@dataclass(frozen=True)
class ResultOfRun:
    """A result that a task wrote."""

    kind: str
    created_at: datetime
    rows: int
    run_key: str


@dataclass(frozen=True)
class OfRun:
    """What the template ``of_run.html`` shows.

    :param subject: the DAG, run or task, in words.
    :param searched: number of snapshots that were looked through.
    """

    uri: str
    subject: str
    snapshots: tuple[SnapshotOfRun, ...]
    results: tuple[ResultOfRun, ...]
    searched: int
    problems: tuple[str, ...]


def build(request: Request) -> OfRun:
    """Return what a DAG, a DAG run or a task instance wrote, newest first."""
    from airflow_provider_elementary.storage.parallel import in_parallel

    reader, problems = request.reader, list[str]()
    sequences = attempt(problems, reader.uri, reader.sequences) or []
    searched = sequences[: -_SEARCHED - 1 : -1]

    def manifest_of(sequence: int) -> Manifest | None:
        return attempt(problems, reader.uri, partial(reader.manifest, sequence))

    found = [
        SnapshotOfRun(manifest, access_state(manifest))
        for manifest in in_parallel(manifest_of, searched)
        if manifest and is_of(manifest.run_key, request)
    ]
    results = [
        ResultOfRun(kind, datetime.fromisoformat(result.created_at), result.rows, result.run_key)
        for kind in _KINDS
        for result in attempt(problems, reader.uri, partial(reader.documents.facts, kind)) or ()
        if is_of(result.run_key, request)
    ]
    return OfRun(
        uri=reader.uri,
        subject=_subject(request),
        snapshots=tuple(found[:_SHOWN]),
        results=tuple(sorted(results, key=lambda result: result.created_at, reverse=True)[:_SHOWN]),
        searched=len(searched),
        problems=tuple(dict.fromkeys(problems)),
    )


def is_of(run_key: str, request: Request) -> bool:
    """Return whether a task with this key is of the DAG, the run and the task that the address names."""
    dag_id, run_id, task_id = (request.text(name) for name in ("dag_id", "run_id", "task_id"))
    # DAG, run, task and place among mapped tasks; a run's id may hold slashes.
    dag, _, rest = run_key.partition("/")
    run, _, place = rest.rpartition("/")
    run, _, task = run.rpartition("/")
    # Airflow leaves the place of a task that is not mapped as the name of the parameter.
    index = request.text("map_index")
    wanted_place = index if index.lstrip("-").isdigit() else "-1"
    return (
        bool(dag_id)
        and dag == dag_id
        and (not run_id or run == run_id)
        and (not task_id or (task == task_id and (not run_id or place == wanted_place)))
    )


def _subject(request: Request) -> str:
    named = {"task": request.text("task_id"), "run": request.text("run_id"), "DAG": request.text("dag_id")}
    return ", ".join(f"{kind} {name}" for kind, name in named.items() if name) or "this address, which names no DAG"
