"""Computes the metrics of the days that new rows touch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
)
from airflow_provider_elementary.metrics.compute import (
    METRICS_LIMIT,
    collected_rows,
    health_weights_of,
    holds_collected,
    possible_definitions,
    without_future,
)
from airflow_provider_elementary.metrics.computed import ComputedMetrics, later
from airflow_provider_elementary.metrics.deduplicate import ROWS_AT_ONCE, days_of, newest_of_each_id
from airflow_provider_elementary.metrics.definitions import METRICS_SCHEMA, Definition
from airflow_provider_elementary.metrics.earlier import CATEGORIES, EarlierMetrics, UnusableMetricsError, find_earlier
from airflow_provider_elementary.metrics.facts import DAYS_BACK, facts_schema
from airflow_provider_elementary.metrics.period_spool import DividedRows, days_with_place, divided
from airflow_provider_elementary.metrics.periods import Period, share_files
from airflow_provider_elementary.metrics.registry import DEFINITIONS
from airflow_provider_elementary.metrics.removed_by_policy import conformed
from airflow_provider_elementary.metrics.saved_tests import TestsReader, parameters_of, save_tests
from airflow_provider_elementary.metrics.settings import kept_versions, policy_of, versions_of
from airflow_provider_elementary.metrics.stored_periods import StoredPeriods
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import Source, reader_of
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.records.result_document import STATE, Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import ResultNames, discard_files, write_rows
from airflow_provider_elementary.storage.records.results import commit_result
from airflow_provider_elementary.times import utc_now

log = logging.getLogger(__name__)

#: Metrics as they are stored: with what the next run needs to compare them with new rows.
_STORED = pa.schema([*METRICS_SCHEMA, pa.field("created_at", pa.timestamp("us")), pa.field("is_collected", pa.bool_())])
#: Facts as they are stored, those of metrics too that cannot be computed for now.
_FACTS = facts_schema(tuple(dict.fromkeys(fact for definition in DEFINITIONS for fact in definition.facts)))
_Rows = Callable[[], Iterable[pa.RecordBatch]]
#: The rows of one execution lie at most this number of days apart.
_DAYS_APART = 1


def update_metrics(
    repository: Repository,
    source: Source,
    *,
    run_key: str,
    origin: Mapping[str, Any],
    known: int = 0,
    tests: TestsReader | None = None,
) -> Result:
    """Compute the metrics of the days that have new rows since the run before, and store them with those of the others.

    What is stored is what computing everything from scratch would store, but for days whose rows the source has removed
    since: these stay as they are. Tables keep the names that they had when their rows first came.

    :param source: a snapshot; the metrics of a warehouse are always computed from scratch.
    :param run_key: identifies the run; every attempt of it continues with the metrics of another run.
    :param origin: what the source is.
    :param known: a number that the results had; those up to it are not given again.
    :param tests: what reads the tests of a snapshot, so that they are saved for the tasks that score; None for none.
    """
    definitions, has_collected = possible_definitions(source), holds_collected(source)
    parameters: dict[str, Any] = {"definitions": versions_of(definitions, has_collected), "copies": repository.kept_key}
    parameters |= parameters_of(tests)
    manifest = source.manifest if isinstance(source, SnapshotSource) else None
    if manifest is not None:
        parameters |= {"snapshot": manifest.sequence, "sha256": manifest.sha256, "epoch": manifest.epoch}
        parameters["policy"] = policy_of(manifest.policy)
    names = ResultNames("metrics", "", run_key)
    update = _Update(repository, source, definitions, has_collected, names, origin, parameters, known, tests)
    try:
        earlier, new = find_earlier(repository, source, parameters, run_key)
        return update.run(earlier, new)
    except UnusableMetricsError as error:
        if error.loses:
            log.warning(
                "computing metrics from scratch: %s. Metrics of days whose rows the snapshot no longer has are lost",
                str(error).removesuffix("."),
            )
        else:
            log.info("computing metrics from scratch: %s", error)
    # No file is replaced: what was written with the earlier metrics would be in the way.
    discard_files(repository, names)
    return replace(update, names=ResultNames("metrics", "", run_key)).run(None, source)


@dataclass(frozen=True)
class _Update:
    repository: Repository
    source: Source
    definitions: Sequence[Definition]
    has_collected: bool
    names: ResultNames
    origin: Mapping[str, Any]
    parameters: Mapping[str, Any]
    known: int
    tests: TestsReader | None

    def run(self, earlier: EarlierMetrics | None, new: Source) -> Result:
        manifest = self.source.manifest if isinstance(self.source, SnapshotSource) else None
        today = datetime.fromisoformat(manifest.created_at).date() if manifest is not None else utc_now().date()
        stored = {one: StoredPeriods.of(earlier.files(one) if earlier else {}, today) for one in CATEGORIES}
        facts = stored[STATE]
        if earlier is None or earlier.is_replaced:
            data_keys = _new_keys(self.repository)
        else:
            data_keys = dict(earlier.data_keys)
        with bounded_connection(METRICS_LIMIT) as engine:
            computed = ComputedMetrics(
                engine, self.definitions, health_weights_of({}), manifest.sequence if manifest else 0
            )
            touched = computed.load(self.source, new)
            days = None
            loaded: set[Period] = set()
            if earlier is not None:
                _load_around(computed, earlier, facts, touched, loaded)
            computed.find_new()
            computed.merge()
            if earlier is not None:
                days = computed.depending_on(touched)
                if _load_around(computed, earlier, facts, days, loaded):
                    computed.merge()
            collected = _stored(collected_rows(new), is_collected=True) if self.has_collected else iter(())
            rows = without_future(chain(collected, _stored(computed.rows(days), is_collected=False)))
            files: list[ResultFile] = []
            with divided(rows, lambda category, day: stored[category].arranged.of(day)) as by_category:
                for category in CATEGORIES:
                    if category != STATE:
                        files += self._write_metrics(
                            earlier, category, stored[category], by_category.get(category, {}), days or (), data_keys
                        )
            if STATE in data_keys:
                files += self._write_facts(earlier, facts, computed, touched, data_keys, loaded)
        if self.tests is not None and isinstance(self.source, SnapshotSource):
            before = earlier.result if earlier is not None and not earlier.is_replaced else None
            saved, data_key = save_tests(self.tests, self.repository, self.source, new, before, self.names)
            files, data_keys = [*files, *saved], data_keys | ({Category.CONFIGURATION: data_key} if data_key else {})
        if not any(file.category in CATEGORIES[:2] for file in files):
            files += write_rows(self.repository, self.names, (), _STORED, data_keys, always=CATEGORIES[:1])
        parameters = dict(self.parameters)
        if earlier is not None and (kept := kept_versions(earlier.result.parameters, self.parameters)):
            parameters["kept"] = kept
        if days is not None:
            log.info("computed the metrics of %s days that new rows touch", len(days))
        return commit_result(
            self.repository,
            self.names,
            files,
            data_keys,
            origin=self.origin,
            parameters=parameters,
            known=self.known,
        )

    def _write_metrics(
        self,
        earlier: EarlierMetrics | None,
        category: Category,
        stored: StoredPeriods,
        new: Mapping[Period, DividedRows],
        days: Collection[date],
        data_keys: Mapping[Category, DataKey],
    ) -> list[ResultFile]:
        """Write the periods that change, and return all files of a category of metrics."""
        is_replaced = earlier is not None and earlier.is_replaced
        # What is computed is about whole tables.
        computed = days if category == Category.TABLE_METRICS else ()
        changed = {*new, *map(stored.arranged.of, computed)} | stored.merged(is_replaced=is_replaced)
        written = stored.written_with(changed)
        files = stored.rest(written)
        counts = {period: stored.rows(period) + (new[period].count if period in new else 0) for period in written}
        for group in self._groups(stored, counts):
            old: _Rows = partial(stored.read, earlier, group, days_with_place) if earlier is not None else tuple
            fresh = partial(_rows_of, [new[period] for period in group if period in new])
            rows = _combined(old, fresh, computed, is_replaced=is_replaced)
            # The next run reads the newest of them again, and the anomalies task those that changed.
            is_kept = earlier is not None and not is_replaced
            files += self._write(group, rows, _STORED, category, data_keys, is_kept=is_kept)
        return files

    def _write_facts(
        self,
        earlier: EarlierMetrics | None,
        stored: StoredPeriods,
        computed: ComputedMetrics,
        touched: Collection[date],
        data_keys: Mapping[Category, DataKey],
        loaded: Collection[Period],
    ) -> list[ResultFile]:
        """Write the periods whose facts change, and return all files of facts.

        :param loaded: the periods whose facts are among those computed; of others, they are stored as they are.
        """
        around = {later(day, n) for day in touched for n in range(-_DAYS_APART, _DAYS_APART + 1)}
        present, arranged = computed.days(), stored.arranged
        held = [period for periods in stored.files.values() for period in periods]
        changed = {arranged.of(day) for day in around if day in present or any(period.has(day) for period in held)}
        is_replaced = earlier is not None and earlier.is_replaced
        written = stored.written_with(changed | stored.merged(is_replaced=is_replaced))
        files = stored.rest(written)
        counts = {
            period: max(stored.rows(period), sum(count for day, count in present.items() if period.has(day)))
            for period in written
        }
        for group in self._groups(stored, counts):
            rows = chain(
                *(computed.facts_between(period.first, period.last) for period in group if period in changed),
                stored.read(
                    earlier, group, _days_of_facts, lambda one: arranged.of(one.last) in changed and one in loaded
                )
                if earlier is not None
                else (),
            )
            files += self._write(group, conformed(rows, _FACTS), _FACTS, STATE, data_keys)
        return files

    def _groups(self, stored: StoredPeriods, counts: Mapping[Period, int]) -> Iterator[tuple[Period, ...]]:
        """Yield the periods to write that have rows, those of one file together."""
        return share_files({period: count for period, count in counts.items() if count}, stored.arranged.today)

    def _write(
        self,
        periods: Collection[Period],
        rows: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        category: Category,
        data_keys: Mapping[Category, DataKey],
        *,
        is_kept: bool = False,
    ) -> list[ResultFile]:
        label = ".".join(period.label for period in periods)
        return write_rows(
            self.repository, self.names, rows, schema, data_keys, category=category, period=label, is_kept=is_kept
        )


def _new_keys(repository: Repository) -> dict[Category, DataKey]:
    """Return new data keys; without one for Run results each run computes from scratch."""
    keys = {one: repository.keys.new_data_key(one, Purpose.RESULT) for one in CATEGORIES if one != STATE}
    try:
        return {**keys, STATE: repository.keys.new_data_key(STATE, Purpose.RESULT)}
    except KeyUnavailableError as error:
        log.warning("the next run computes metrics from scratch: %s", error)
        return keys


def _load_around(
    computed: ComputedMetrics,
    earlier: EarlierMetrics,
    facts: StoredPeriods,
    days: Collection[date],
    loaded: set[Period],
) -> bool:
    """Load the facts on which metrics of some days depend; return whether there were more than before."""
    spans = [(later(day, -DAYS_BACK - _DAYS_APART), later(day, DAYS_BACK)) for day in days]
    wanted = {
        file: periods
        for file, periods in facts.files.items()
        if loaded.isdisjoint(periods)
        and any(period.first <= last and first <= period.last for first, last in spans for period in periods)
    }
    computed.add_stored(earlier.read(wanted))
    loaded.update(chain.from_iterable(wanted.values()))
    return bool(wanted)


def _days_of_facts(rows: pa.RecordBatch) -> pa.Array:
    return rows["day"].cast(pa.date32(), safe=False)


def _rows_of(parts: Iterable[DividedRows]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        yield from part.read()


def _stored(batches: Iterable[pa.RecordBatch], *, is_collected: bool) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        held = dict(zip(batch.schema.names, batch, strict=True))
        held["is_collected"] = pa.repeat(is_collected, batch.num_rows)
        nothing = pa.nulls(batch.num_rows)
        yield pa.RecordBatch.from_arrays(
            [held.get(field.name, nothing).cast(field.type) for field in _STORED], schema=_STORED
        )


def _combined(old: _Rows, new: _Rows, days: Collection[date], *, is_replaced: bool) -> Iterator[pa.RecordBatch]:
    """Yield the metrics of a period: of collected ones the newest of each id, of computed ones the new ones of days.

    :param old: reads the stored ones.
    :param new: reads the new ones; where there are many, both are read again rather than kept in memory.
    :param days: whose computed metrics are among the new ones.
    :param is_replaced: the new ones are all of their days, those without an id too, of which none is a newer one.
    """
    replaced = pa.array(sorted(days), pa.date32())
    read = [days_of(batch.filter(batch["is_collected"])).unique() for batch in new()] if is_replaced else []
    read_again = pa.chunked_array(read, pa.date32()).unique()
    held: list[pa.RecordBatch] = []
    count = 0

    def parts(*, is_collected: bool) -> Iterator[pa.RecordBatch]:
        for batch in old():
            found = batch.filter(batch["is_collected"])
            rest = batch.filter(pc.invert(batch["is_collected"]))
            rest = rest.filter(pc.invert(pc.is_in(days_of(rest), replaced)))
            if not is_collected:
                yield rest
                continue
            hold(rest)
            has_id = pc.not_equal(pc.fill_null(found["id"], ""), "")
            yield found.filter(pc.or_(has_id, pc.invert(pc.is_in(days_of(found), read_again))))
        for batch in new():
            found, rest = batch.filter(batch["is_collected"]), batch.filter(pc.invert(batch["is_collected"]))
            if is_collected:
                hold(rest)
            yield found if is_collected else rest

    def hold(batch: pa.RecordBatch) -> None:
        nonlocal count
        count += batch.num_rows
        if count <= ROWS_AT_ONCE:
            held.append(batch)
        else:
            held.clear()

    yield from newest_of_each_id(reader_of(_STORED, parts(is_collected=True)))
    yield from held if count <= ROWS_AT_ONCE else parts(is_collected=False)
