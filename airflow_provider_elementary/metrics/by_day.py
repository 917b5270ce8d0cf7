"""Computes the metrics of the days that new rows touch."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from itertools import chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    ObjectNotFoundError,
    StoreError,
)
from airflow_provider_elementary.metrics.compute import (
    METRICS_LIMIT,
    collected_rows,
    health_weights_of,
    holds_collected,
    possible_definitions,
    without_future,
)
from airflow_provider_elementary.metrics.computed import QUERIES, ComputedMetrics, later
from airflow_provider_elementary.metrics.deduplicate import ROWS_AT_ONCE, days_of, newest_of_each_id
from airflow_provider_elementary.metrics.definitions import METRICS_SCHEMA, Definition
from airflow_provider_elementary.metrics.facts import DAYS_BACK
from airflow_provider_elementary.metrics.health_score import HEALTH_WEIGHTS
from airflow_provider_elementary.metrics.period_spool import divided
from airflow_provider_elementary.metrics.periods import Arrangement, Period
from airflow_provider_elementary.snapshots.lookup import read_signed
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest
from airflow_provider_elementary.snapshots.prune_record import read_records, tombstones
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import Source, reader_of
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.layout import result_file_days
from airflow_provider_elementary.storage.records.result_document import STATE, Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import ResultNames, discard_files, read_files, write_rows
from airflow_provider_elementary.storage.records.results import commit_result, earlier_results
from airflow_provider_elementary.times import utc_now

log = logging.getLogger(__name__)

#: Metrics as they are stored: with what the next run needs to compare them with new rows.
_STORED = pa.schema([*METRICS_SCHEMA, pa.field("created_at", pa.timestamp("us")), pa.field("is_collected", pa.bool_())])
_CATEGORIES = (Category.TABLE_METRICS, Category.AGGREGATED_METRICS, STATE)
#: A run that has more snapshots to catch up with reads everything.
_CATCHES_UP = 200
#: How many earlier results are searched for one that can be continued, and how many more for one of a later snapshot.
_LOOKS_BACK, _LOOKS_FURTHER = 100, 4
_COLLECTED = "data_monitoring_metrics"
_Rows = Callable[[], Iterable[pa.RecordBatch]]
#: The rows of one execution lie at most this number of days apart.
_DAYS_APART = 1


@dataclass(frozen=True)
class _Earlier:
    """The metrics that a run continues with.

    :param is_replaced: every row is read again, and all that is stored is encrypted with new keys.
    """

    repository: Repository
    result: Result
    data_keys: Mapping[Category, DataKey]
    is_replaced: bool

    def files(self, *, state: bool) -> dict[Period, list[ResultFile]]:
        """Return the files of each period, of metrics or of facts."""
        found: dict[Period, list[ResultFile]] = {}
        for file in self.result.files:
            if (file.category == STATE) == state and (days := result_file_days(file.key)):
                found.setdefault(Period(*days), []).append(file)
        return found

    def read(self, files: Iterable[ResultFile]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some of its files.

        :raises _UnusableError: they do not open any more.
        """
        try:
            yield from read_files(self.repository, self.result, files)
        except ElementaryError as error:
            raise _unusable(error) from None


class _UnusableError(Exception):
    """Why the metrics of an earlier run cannot be continued.

    :param loses: whether there are some, of which those of purged days are lost.
    """

    def __init__(self, reason: str, *, loses: bool = True) -> None:
        super().__init__(reason)
        self.loses = loses


def _unusable(error: ElementaryError) -> Exception:
    """Return what to raise where earlier metrics cannot be read: the error itself where a retry may help."""
    if isinstance(error, StoreError) and not isinstance(error, ObjectNotFoundError):
        return error
    return _UnusableError(str(error))


def update_metrics(
    repository: Repository, source: Source, *, run_key: str, origin: Mapping[str, Any], known: int = 0
) -> Result:
    """Compute the metrics of the days that have new rows since the run before, and store them with those of the others.

    What is stored is what computing everything from scratch would store, but for days whose rows the source has removed
    since: these stay as they are. Tables keep the names that they had when their rows first came.

    :param source: a snapshot; the metrics of a warehouse are always computed from scratch.
    :param run_key: identifies the run; every attempt of it continues with the metrics of another run.
    :param origin: what the source is.
    :param known: a number that the results had; those up to it are not given again.
    """
    definitions, has_collected = possible_definitions(source), holds_collected(source)
    parameters: dict[str, Any] = {"definitions": _version(definitions, has_collected)}
    manifest = source.manifest if isinstance(source, SnapshotSource) else None
    if manifest is not None:
        parameters |= {"snapshot": manifest.sequence, "sha256": manifest.sha256, "epoch": manifest.epoch}
        parameters["policy"] = _hash(dict(manifest.policy))
    names = ResultNames("metrics", "", run_key)
    update = _Update(repository, source, definitions, has_collected, names, origin, parameters, known)
    try:
        earlier, new = _find_earlier(repository, source, parameters, run_key)
        return update.run(earlier, new)
    except _UnusableError as error:
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

    def run(self, earlier: _Earlier | None, new: Source) -> Result:
        manifest = self.source.manifest if isinstance(self.source, SnapshotSource) else None
        today = datetime.fromisoformat(manifest.created_at).date() if manifest is not None else utc_now().date()
        metrics = earlier.files(state=False) if earlier else {}
        facts = earlier.files(state=True) if earlier else {}
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
            arranged = Arrangement(list(metrics), today)
            with divided(rows, arranged.of) as by_period:
                files = self._write_metrics(earlier, metrics, by_period, arranged, days, data_keys)
            if STATE in data_keys:
                arranged = Arrangement(list(facts), today)
                files += self._write_facts(earlier, facts, computed, touched, arranged, data_keys, loaded)
        if not any(file.category != STATE for file in files):
            files += write_rows(self.repository, self.names, (), _STORED, data_keys, always=_CATEGORIES[:1])
        if days is not None:
            log.info("computed the metrics of %s days that new rows touch", len(days))
        return commit_result(
            self.repository,
            self.names,
            files,
            data_keys,
            origin=self.origin,
            parameters=self.parameters,
            known=self.known,
        )

    def _write_metrics(
        self,
        earlier: _Earlier | None,
        stored: Mapping[Period, list[ResultFile]],
        new: Mapping[Period, Any],
        arranged: Arrangement,
        days: Collection[date] | None,
        data_keys: Mapping[Category, DataKey],
    ) -> list[ResultFile]:
        """Write the periods that change, and return all files of metrics."""
        changed = {*new, *(arranged.of(day) for day in days or ())} | _merged(stored, arranged, earlier)
        files = [file for period in stored if arranged.of(period.last) not in changed for file in stored[period]]
        for period in sorted(changed):
            before = [file for one in stored if period.has(one.first) for file in stored[one]]
            old: _Rows = partial(earlier.read, before) if earlier is not None else tuple
            is_replaced = period in new and earlier is not None and earlier.is_replaced
            rows = _combined(old, new.get(period, tuple), days or (), is_replaced=is_replaced)
            files += write_rows(self.repository, self.names, rows, _STORED, data_keys, period=period.label)
        return files

    def _write_facts(
        self,
        earlier: _Earlier | None,
        stored: Mapping[Period, list[ResultFile]],
        computed: ComputedMetrics,
        touched: Collection[date],
        arranged: Arrangement,
        data_keys: Mapping[Category, DataKey],
        loaded: Collection[Period],
    ) -> list[ResultFile]:
        """Write the periods whose facts change, and return all files of facts.

        :param loaded: the periods whose facts are among those computed; of others, they are stored as they are.
        """
        around = {later(day, n) for day in touched for n in range(-_DAYS_APART, _DAYS_APART + 1)}
        present = computed.days()
        changed = {arranged.of(day) for day in around if day in present or any(period.has(day) for period in stored)}
        merged = _merged(stored, arranged, earlier) - changed
        files = [
            file for period in stored if arranged.of(period.last) not in changed | merged for file in stored[period]
        ]
        for period in sorted(changed | merged):
            of_it = [one for one in stored if period.has(one.first)]
            kept = [file for one in of_it if period not in changed or one not in loaded for file in stored[one]]
            rows = chain(
                computed.facts_between(period.first, period.last) if period in changed else (),
                earlier.read(kept) if earlier is not None else (),
            )
            files += write_rows(
                self.repository, self.names, rows, computed.schema, data_keys, category=STATE, period=period.label
            )
        return files


def _find_earlier(
    repository: Repository, source: Source, parameters: Mapping[str, Any], run_key: str
) -> tuple[_Earlier, SnapshotSource]:
    """Return the metrics that can be continued, and the source with the files that are new since.

    :raises _UnusableError: there are none.
    """
    if not isinstance(source, SnapshotSource):
        raise _UnusableError("they are read from a warehouse", loses=False)
    try:
        result = _newest_that_fits(repository, parameters, run_key)
    except ElementaryError as error:
        raise _unusable(error) from None
    known = result.parameters
    files = _new_files(repository, source.manifest, known["snapshot"], known.get("sha256"))
    try:
        keys = {
            category: DataKey(repository.keys.unwrap(category, wrapped, Purpose.RESULT), wrapped)
            for category, wrapped in ((Category(name), wrapped) for name, wrapped in result.keys.items())
        }
    except ElementaryError as error:
        raise _unusable(error) from None
    if set(keys) != set(_CATEGORIES):
        raise _UnusableError("the earlier ones were stored without what rows said")
    earlier = _Earlier(repository, result, keys, is_replaced=files is None)
    return earlier, source if files is None else source.only(files)


def _newest_that_fits(repository: Repository, parameters: Mapping[str, Any], run_key: str) -> Result:
    """Return the earlier result of the latest snapshot, up to that of this run, that was computed in the same way.

    Runs of a warehouse and of older snapshots store results of the series too.

    :raises _UnusableError: there is none.
    """
    best, reason, further = None, "", 0
    for result in islice(earlier_results(repository, "metrics", "", run_key), _LOOKS_BACK):
        found = _why_unfit(result, parameters)
        if found is None and (best is None or result.parameters["snapshot"] > best.parameters["snapshot"]):
            best, further = result, 0
            continue
        # The first reason is that of the newest one which is of a snapshot.
        reason = reason or found or ""
        further += best is not None
        if further >= _LOOKS_FURTHER:
            break
    if best is None:
        raise _UnusableError(reason or "no earlier run stored any of a snapshot", loses=bool(reason))
    return best


def _why_unfit(result: Result, parameters: Mapping[str, Any]) -> str | None:
    """Return why a result cannot be continued, empty for one of a warehouse, or None where it can be."""
    known = result.parameters
    number = known.get("snapshot")
    if not isinstance(number, int):
        return ""
    for name, reason in (
        ("definitions", "their definitions changed"),
        ("epoch", "the source began a new history"),
        ("policy", "the policy of the snapshots changed"),
    ):
        if known.get(name) != parameters[name]:
            return reason
    return "the earlier ones are of a later snapshot" if number > parameters["snapshot"] else None


def _new_keys(repository: Repository) -> dict[Category, DataKey]:
    """Return new data keys; without one for Run results each run computes from scratch."""
    keys = {one: repository.keys.new_data_key(one, Purpose.RESULT) for one in _CATEGORIES if one != STATE}
    try:
        return {**keys, STATE: repository.keys.new_data_key(STATE, Purpose.RESULT)}
    except KeyUnavailableError as error:
        log.warning("the next run computes metrics from scratch: %s", error)
        return keys


def _new_files(repository: Repository, manifest: Manifest, number: int, sha256: Any) -> list[FileEntry] | None:
    """Return the files of a snapshot that are new since an earlier one; None where all have to be read.

    :param number: of the earlier snapshot.
    :param sha256: of its manifest.
    :raises _UnusableError: the chain has another snapshot in its place.
    """
    writers: set[str] = set()
    compacted: set[str] = set()
    has_new_rows = False
    if _sha256_of(repository, number) not in (None, sha256):
        raise _UnusableError("the earlier ones are of another history")
    if manifest.sequence - number > _CATCHES_UP:
        return None
    try:
        for between in range(number + 1, manifest.sequence + 1):
            document = read_signed(repository, between).document
            if document.kind == "full":
                return None
            # A compaction has the rows of those before it, which may be new.
            has_new_rows |= document.kind != "compaction"
            if has_new_rows:
                writers.add(document.snapshot_id)
                if document.kind == "compaction":
                    compacted.add(document.snapshot_id)
    except StoreError:
        raise
    except ElementaryError:
        # Pruned: what is read twice changes nothing.
        return None
    if any(file.table == _COLLECTED and file.snapshot_id in compacted for file in manifest.files):
        # It has earlier rows too, of which those without an id would be stored twice.
        return None
    return [file for file in manifest.files if file.snapshot_id in writers]


def _sha256_of(repository: Repository, number: int) -> str | None:
    """Return the hash of the manifest of a number, which may be pruned; None where nothing is known of it."""
    try:
        return read_signed(repository, number).sha256
    except StoreError:
        raise
    except ElementaryError:
        stone = tombstones(list(read_records(repository))).get(number)
        return stone.sha256 if stone is not None else None


def _version(definitions: Sequence[Definition], has_collected: bool) -> str:
    """Return what changes whenever the same rows would make other metrics."""
    facts = {fact for definition in definitions for fact in definition.facts}
    model = {
        "queries": sorted((definition.names, definition.query) for definition in definitions),
        "facts": sorted(
            (fact.name, fact.query, fact.merge, str(fact.schema), _text(fact.happened), _text(fact.context))
            for fact in facts
        ),
        "common": [*QUERIES, _text(HEALTH_WEIGHTS)],
        "has_collected": has_collected,
        "stored": str(_STORED),
    }
    return _hash(model)


def _hash(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _text(facts: Mapping[str, Any]) -> str:
    return str(sorted((name, str(value)) for name, value in facts.items()))


def _load_around(
    computed: ComputedMetrics,
    earlier: _Earlier,
    facts: Mapping[Period, list[ResultFile]],
    days: Collection[date],
    loaded: set[Period],
) -> bool:
    """Load the facts on which metrics of some days depend; return whether there were more than before."""
    spans = [(later(day, -DAYS_BACK - _DAYS_APART), later(day, DAYS_BACK)) for day in days]
    wanted = {
        period
        for period in facts
        if period not in loaded and any(period.first <= last and first <= period.last for first, last in spans)
    }
    for period in sorted(wanted):
        computed.add_stored(earlier.read(facts[period]))
    loaded |= wanted
    return bool(wanted)


def _merged(stored: Iterable[Period], arranged: Arrangement, earlier: _Earlier | None) -> set[Period]:
    """Return the periods that are written again though nothing in them changes."""
    is_replaced = earlier is not None and earlier.is_replaced
    return {wanted for period in stored if (wanted := arranged.of(period.last)) != period or is_replaced}


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
    :param new: reads the new ones; where there are many, both are read twice rather than kept in memory.
    :param days: whose computed metrics are among the new ones.
    :param is_replaced: the new ones are all that there are, those without an id too, of which none is a newer one.
    """
    replaced = pa.array(sorted(days), pa.date32())
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
            yield found.filter(pc.not_equal(pc.fill_null(found["id"], ""), "")) if is_replaced else found
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
