"""Finds what of stored metrics a changed policy removes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.metrics.compute import COLLECTED_TABLE
from airflow_provider_elementary.metrics.definitions import Definition
from airflow_provider_elementary.metrics.facts import Fact
from airflow_provider_elementary.metrics.registry import DEFINITIONS
from airflow_provider_elementary.metrics.settings import drops_values, metric_columns

#: Columns of collected monitors without which a row still says what it said.
_DETAILS = frozenset(("id", "metric_type", "metric_properties", "bucket_duration_hours"))


@dataclass(frozen=True)
class RemovedByPolicy:
    """What of stored metrics and facts does not stay, as the policy excludes or changes what it was made of.

    :param metrics: names of computed metrics.
    :param facts: names of facts.
    :param values: columns whose values go, each with the name of its fact.
    :param categories: categories of collected monitors.
    :param columns: columns of collected monitors: rows that have a value in one of them go.
    :param details: columns of collected monitors whose values go.
    :param dropped_metrics: names of collected monitors.
    """

    metrics: frozenset[str] = frozenset()
    facts: frozenset[str] = frozenset()
    values: frozenset[tuple[str, str]] = frozenset()
    categories: frozenset[Category] = frozenset()
    columns: frozenset[str] = frozenset()
    details: frozenset[str] = frozenset()
    dropped_metrics: Sequence[str] = ()

    def describe(self) -> str | None:
        """Return in words which metrics go, those excluded by name apart; None where none does."""
        collected = [f"collected monitors of the category {category.label}" for category in sorted(self.categories)]
        collected += [f"collected monitors with a value in {column}" for column in sorted(self.columns)]
        return ", ".join([*sorted(self.metrics), *collected]) or None

    def kept(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return what stays of stored metrics or of stored facts."""
        if "fact" in batch.schema.names:
            return self._kept_facts(batch)
        collected = batch["is_collected"]
        gone = pc.and_(collected, pc.is_in(batch["metric_name"], _texts(self.dropped_metrics)))
        if self.metrics:
            computed = pc.is_in(batch["metric_name"], _texts(self.metrics))
            gone = pc.or_(gone, pc.and_not(computed, collected))
        if self.categories:
            of_table = pc.is_null(batch["column_name"])
            for category in self.categories:
                is_of_it = of_table if category is Category.TABLE_METRICS else pc.invert(of_table)
                gone = pc.or_(gone, pc.and_(collected, is_of_it))
        for name in self.columns:
            gone = pc.or_(gone, pc.and_(collected, pc.is_valid(batch[name])))
        kept = batch.filter(pc.invert(pc.fill_null(gone, False)))
        return _emptied(kept, self.details, kept["is_collected"])

    def _kept_facts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.facts:
            batch = batch.filter(pc.invert(pc.is_in(batch["fact"], _texts(self.facts))))
        for fact, column in self.values:
            batch = _emptied(batch, frozenset({column}), pc.equal(batch["fact"], fact))
        return batch


def removed_by_policy(known: Mapping[str, Any], now: Mapping[str, Any]) -> RemovedByPolicy:
    """Return what goes of metrics that were stored under another policy.

    :param known: what :func:`~airflow_provider_elementary.metrics.settings.policy_of` said then, as ``now`` does now.
    """
    categories = set(known["categories"]) - set(now["categories"])
    then, rules = set(known["rules"]), set(now["rules"])
    changed = (rules - then) | {rule for rule in then - rules if not drops_values(rule)}
    columns = {tuple(rule.partition(" ")[2].split(".")[:2]) for rule in changed}
    columns |= {
        (table, name)
        for table, names in metric_columns().items()
        for name in names
        if table != COLLECTED_TABLE and (column := TABLES[table].column(name)) and column.category in categories
    }
    facts, values = set[str](), set[tuple[str, str]]()
    for fact, reads in _reads_of_facts().items():
        touched = {name for table, name in columns if name in reads.get(table, ())}
        if touched - {name for names in fact.values.values() for name in names}:
            facts.add(fact.name)
        values |= {(fact.name, column) for column, names in fact.values.items() if touched & set(names)}
    collected = {name for table, name in columns if table == COLLECTED_TABLE}
    return RemovedByPolicy(
        metrics=frozenset(name for one in DEFINITIONS if _is_touched(one, facts, values) for name in one.names),
        facts=frozenset(facts),
        values=frozenset(values),
        categories=frozenset(
            category for category in TABLES[COLLECTED_TABLE].categories if category.value in categories
        ),
        columns=frozenset(collected - _DETAILS),
        details=frozenset(collected & _DETAILS),
        dropped_metrics=tuple(now["dropped_metrics"]),
    )


def _is_touched(definition: Definition, facts: set[str], values: set[tuple[str, str]]) -> bool:
    """Return whether the fact that a query is about goes, or a value of it that the query names."""
    about = definition.facts[0].name
    return about in facts or any(
        fact == about and re.search(rf"\b{column}\b", definition.query) is not None for fact, column in values
    )


def _reads_of_facts() -> dict[Fact, dict[str, set[str]]]:
    """Return the columns that each fact is made of.

    What another fact says of which table an execution belongs to does not count: the name itself is of other columns.
    """
    facts = list(dict.fromkeys(fact for definition in DEFINITIONS for fact in definition.facts))
    found: dict[Fact, dict[str, set[str]]] = {}
    for fact in facts:
        about = [definition for definition in DEFINITIONS if definition.facts[0] is fact]
        reads: dict[str, set[str]] = {}
        for uses in (fact.reads, *(uses for one in about for uses in (one.useful, one.places))):
            _add(reads, uses)
        for other in facts:
            for table, context in other.context.items():
                if other is not fact and table in reads:
                    reads[table] -= set(context)
        for one in about:
            _add(reads, one.needs)
        found[fact] = reads
    return found


def _add(reads: dict[str, set[str]], uses: Mapping[str, tuple[str, ...]]) -> None:
    for table, names in uses.items():
        reads.setdefault(table, set()).update(names)


def _emptied(batch: pa.RecordBatch, columns: frozenset[str], where: pa.Array) -> pa.RecordBatch:
    for name in columns & set(batch.schema.names):
        place = batch.schema.get_field_index(name)
        field = batch.schema.field(place)
        values = pc.if_else(where, pa.scalar(None, field.type), batch.column(place))
        batch = batch.set_column(place, field, values)
    return batch


def _texts(names: Sequence[str] | frozenset[str]) -> pa.Array:
    return pa.array(sorted(names), pa.string())


def conformed(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield rows with the columns of a schema, null where an earlier run stored none."""
    for batch in batches:
        if batch.schema.equals(schema):
            yield batch
            continue
        held = dict(zip(batch.schema.names, batch, strict=True))
        nothing = pa.nulls(batch.num_rows)
        arrays = [held.get(field.name, nothing).cast(field.type) for field in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
