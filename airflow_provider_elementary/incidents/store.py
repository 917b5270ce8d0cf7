"""Loads the incidents of the previous run, updates and saves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_provider_elementary.exceptions import SnapshotNotFoundError
from airflow_provider_elementary.incidents.answer_effects import answered, moves, with_answers
from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.store_conditions import store_conditions
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.project.lineage import Lineage, read_lineage
from airflow_provider_elementary.storage.records.answer_log import (
    anchor_answers,
    known_answers,
    lost_answers,
    read_answers,
    recorded_answers,
)
from airflow_provider_elementary.storage.records.answers import Answer
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import (
    anchor_result,
    latest_result,
    previous_result,
    read_result,
    recorded_result,
    write_result,
)
from airflow_provider_elementary.storage.records.series import SeriesPlace
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
    from airflow_provider_elementary.snapshots import Repository, SnapshotSource

#: The columns of stored incidents, all but ``resolved_at`` text.
_COLUMNS = (
    *("incident_id", "status", "transition", "resolved_at"),
    *("follows", "conditions", "owners", "tags", "downstream"),
)
_CONDITIONS = TypeAdapter(tuple[Condition, ...])
_NAMES = TypeAdapter(tuple[str, ...])
_LISTS = ("owners", "tags", "downstream")


@dataclass(frozen=True)
class TrackedIncidents:
    """The incidents after a run.

    :param key: of the result in the store that holds them.
    :param incidents: all of them, past ones included.
    :param anchor: a signed statement about the result, for the next run.
    :param answers_anchor: one about the answers that were applied; None where there are none.
    :param lost: what was removed since the run before, in sentences.
    """

    key: str
    incidents: tuple[Incident, ...]
    anchor: str
    answers_anchor: str | None = None
    lost: str | None = None

    @property
    def current(self) -> tuple[Incident, ...]:
        """Those that this run opened, continued or resolved."""
        return tuple(incident for incident in self.incidents if incident.transition != "past")

    @property
    def open(self) -> int:
        """How many are open."""
        return sum(incident.status == "open" for incident in self.incidents)


def update_incidents(
    repository: Repository,
    verdicts: pa.Table,
    lineage: Lineage,
    of_dbt: DbtConditions | None,
    *,
    series: str,
    run_key: str,
    origin: Mapping[str, Any],
    anchor: Any = None,
    answers_anchor: Any = None,
    now: datetime | None = None,
) -> TrackedIncidents:
    """Update the incidents of the previous run with new verdicts, and save them.

    :param verdicts: enriched verdicts of one run.
    :param lineage: which table is upstream of which.
    :param of_dbt: the conditions of dbt's results; None where they were not read.
    :param series: identifies the incidents across runs, as the ids of a DAG and a task.
    :param run_key: identifies the run; a retry starts from the same previous run.
    :param origin: what the verdicts were computed from.
    :param anchor: that of an earlier run, which was kept outside the store; None for nothing.
    :param answers_anchor: that of the answers then.
    :param now: UTC without a zone, to notice that a sync is overdue.
    """
    from airflow_provider_elementary.incidents.current import current_conditions
    from airflow_provider_elementary.incidents.store_results import facts_of

    number, lost = recorded_result(repository, "incidents", series, anchor)
    before: list[Incident] | None = None
    since: datetime | None = None
    if previous := previous_result(repository, "incidents", series, run_key):
        with read_result(repository, previous.key) as rows:
            before = incidents_of(rows.read_all())
        since = max((each.resolved_at or each.last_seen for each in before), default=None)
    known = [condition for incident in before or () for condition in incident.conditions]
    given = known_answers(repository)
    answers = given.answers
    recorded = [recorded_answers(repository, answers_anchor), answers_of(previous) if previous else None]
    losses = [each for each in (lost, lost_answers(repository, recorded)) if each is not None]
    of_store = store_conditions(repository, known, now or utc_now())
    current = [*current_conditions(verdicts, lineage, of_dbt, known), *of_store]
    parameters: dict[str, Any] = {}
    earlier = of_dbt.earlier if of_dbt is not None else None
    if snapshot_id := origin.get("snapshot_id"):
        if earlier is not None:
            parameters["results"] = facts_of(earlier, repository.shared_source(snapshot_id))
        # The page imports this module, and follows no code.
        from airflow_provider_elementary.incidents.origins import with_origins

        current = with_origins(current, known, lineage, repository.shared_source(snapshot_id), origin.get("adapter"))
    # Those of a table that cannot be read are known from the run before.
    conditions = [*with_answers(known, answers), *with_answers(current, answers)]
    incidents = answered(track_incidents(conditions, lineage, before, since=since, moved=moves(answers)), answers)
    result = write_result(
        repository,
        "incidents",
        incidents_table(incidents).to_reader(),
        run_key=run_key,
        origin=origin,
        parameters={
            "before": previous.key if previous else None,
            "answers": asdict(given.place) if given.place is not None else None,
            **parameters,
        },
        state=earlier.to_table() if earlier is not None else None,
        series=series,
        known=number,
    )
    return TrackedIncidents(
        result.key,
        tuple(incidents),
        anchor_result(repository, result),
        anchor_answers(repository, given.place),
        " ".join(losses) or None,
    )


def answers_of(result: Result) -> SeriesPlace | None:
    """Return the place of the answers that were applied to incidents; None where there were none."""
    found = result.parameters.get("answers")
    return SeriesPlace(found["number"], found["sha256"]) if found else None


def incidents_table(incidents: Iterable[Incident]) -> pa.Table:
    """Return incidents as rows; lists are JSON text, as in Elementary's own tables."""
    import pyarrow as pa

    types = {"resolved_at": pa.timestamp("us")}
    rows = [
        {
            **{name: getattr(incident, name) for name in _COLUMNS},
            "conditions": _CONDITIONS.dump_json(incident.conditions).decode(),
            **{name: _NAMES.dump_json(getattr(incident, name)).decode() for name in _LISTS},
        }
        for incident in incidents
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, types.get(name, pa.string())) for name in _COLUMNS]))


def incidents_of(table: pa.Table) -> list[Incident]:
    """Return the incidents that are rows of a table."""
    return [
        Incident(
            **{
                **row,
                "conditions": _CONDITIONS.validate_json(row["conditions"]),
                **{name: _NAMES.validate_json(row[name]) for name in _LISTS},
            }
        )
        for row in table.select(_COLUMNS).to_pylist()
    ]


def current_incidents(repository: Repository) -> list[Incident]:
    """Return the incidents as of the newest snapshot and the newest answer, open ones first.

    What a task saved is brought up to date with dbt's results in a newer snapshot; without any saved incidents, dbt's
    results in the newest snapshot are all that is known.

    :raises SnapshotNotFoundError: the store holds no snapshot.
    """
    return incidents_after(repository, latest_result(repository, "incidents"), read_answers(repository))


def incidents_after(repository: Repository, saved: Result | None, answers: Sequence[Answer]) -> list[Incident]:
    """Return the incidents as of the newest snapshot; see :func:`current_incidents`.

    :param saved: the newest saved incidents.
    :param answers: what people answered.
    """
    known: list[Incident] | None = None
    if saved:
        with read_result(repository, saved.key) as rows:
            known = incidents_of(rows.read_all())
    snapshot_id = saved.origin.get("snapshot_id") if saved else None
    conditions = [condition for incident in known or () for condition in incident.conditions]
    of_store = store_conditions(repository, conditions, utc_now())
    try:
        newest = repository.latest()
    except SnapshotNotFoundError:
        if not of_store:
            raise
        return without_snapshot(known, answers, of_store)
    open_newest = partial(repository.source, newest)
    return updated(known, snapshot_id, newest.snapshot_id, open_newest, answers, of_store)


def without_snapshot(
    known: Sequence[Incident] | None, answers: Sequence[Answer], of_store: Sequence[Condition]
) -> list[Incident]:
    """Return the incidents of a store whose first sync fails: nothing else is known of the project."""
    return answered(track_incidents(with_answers(of_store, answers), Lineage(), known, moved=moves(answers)), answers)


def updated(
    known: list[Incident] | None,
    snapshot_id: str | None,
    newest_id: str,
    open_newest: Callable[[], SnapshotSource],
    answers: Sequence[Answer] = (),
    of_store: Sequence[Condition] = (),
) -> list[Incident]:
    """Return known incidents with dbt's results of a snapshot, and with what people answered.

    :param snapshot_id: the snapshot that the known incidents are of.
    :param newest_id: the newest snapshot, which is opened only where something of it is needed.
    :param of_store: of :func:`~airflow_provider_elementary.incidents.store_conditions.store_conditions`.
    """
    is_current = known is not None and snapshot_id == newest_id
    before = [condition for incident in known or () for condition in incident.conditions]
    current = list(of_store)
    if not is_current:
        from airflow_provider_elementary.incidents.current import read_conditions_of

        current = [*read_conditions_of(open_newest()).since(before), *current]
    # Only a task follows code: what it found is not lost by reading the results again.
    origins = {condition.condition_id: condition.origin for condition in before}
    current = [replace(each, origin=origins.get(each.condition_id)) for each in current]
    conditions = [*with_answers(before, answers), *with_answers(current, answers)] if answers else [*before, *current]
    if known is not None and is_current and {*conditions} == {*before} and not moves(answers):
        return answered(known, answers)
    return answered(track_incidents(conditions, read_lineage(open_newest()), known, moved=moves(answers)), answers)
