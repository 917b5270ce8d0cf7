"""Applies a policy to rows: limits samples, masks and hashes values."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES, Category, Column, Table
from airflow_provider_elementary.elementary_schema.json_text import json_list, json_object
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.source import Source

MASK = "***"
#: The columns of elementary_test_results that say which table a result is about.
TESTED_TABLE_COLUMNS = ("model_unique_id", "database_name", "schema_name", "table_name")

_HASH_BYTES = 16
_NULL = pa.scalar(None, pa.string())


@dataclass
class Exclusions:
    """Counts what a policy excludes or redacts while tables are read.

    :param rows: rows left out, by ``(rule, table, category)``.
    :param values: values left out or replaced, by ``(rule, table.column, category)``; the category is empty for a
        column that has none, being unknown.
    """

    rows: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    values: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count_rows(self, rule: str, table: Table, category: Category, rows: int) -> None:
        """Count rows that a rule left out."""
        self.rows[rule, table.name, category.value] += rows

    def count_values(self, rule: str, table: Table, column: str, values: int) -> None:
        """Count values of one column that a rule left out or replaced."""
        known = table.column(column.partition(".")[0])
        self.values[rule, f"{table.name}.{column}", known.category.value if known else ""] += values

    def add(self, other: Exclusions) -> None:
        """Count what another part of the same snapshot counted."""
        self.rows.update(other.rows)
        self.values.update(other.values)

    def to_list(self) -> list[dict[str, Any]]:
        """Return the counts as JSON values, for the manifest."""
        return [
            {"rule": rule, "table": table, "category": category, "rows": count}
            for (rule, table, category), count in sorted(self.rows.items())
            if count
        ] + [
            {"rule": rule, "column": column, "category": category or None, "values": count}
            for (rule, column, category), count in sorted(self.values.items())
            if count
        ]


def count_exported(exclusions: Sequence[Mapping[str, Any]], rows: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return, for each of the seven categories, the exported rows and what each rule excluded or redacted.

    :param exclusions: the counts, as a manifest keeps them.
    :param rows: rows that left, by category.
    """
    record: dict[str, dict[str, Any]] = {
        category.value: {"rows": rows.get(category.value, 0), "excluded": Counter()} for category in Category
    }
    for entry in exclusions:
        if entry.get("category") in record:
            unit = "rows" if "rows" in entry else "values"
            record[entry["category"]]["excluded"][f"{entry['rule']} ({unit})"] += entry[unit]
    return {name: {**facts, "excluded": dict(facts["excluded"])} for name, facts in record.items()}


class FailedRowsLimit:
    """Limits the number and age of the sampled rows of each test execution, over all batches of a table.

    :param table: the table of sampled rows.
    :param policy: how many, and how old.
    :param now: the warehouse's time up to which the snapshot goes.
    :param exclusions: where to count the others.
    :param passed: how many rows of each test execution earlier snapshots took.
    """

    def __init__(
        self,
        table: Table,
        policy: Policy,
        now: datetime,
        exclusions: Exclusions,
        passed: Mapping[str, int] | None = None,
    ) -> None:
        self._table = table
        self._policy = policy
        self._oldest = pa.scalar(now - timedelta(days=policy.failed_rows_days), pa.timestamp("us"))
        self._exclusions = exclusions
        # Counted here and not read off row_index, which older rows lack.
        self._passed: Counter[str] = Counter(passed)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of a batch that may pass."""
        recent = pc.fill_null(pc.greater_equal(batch["created_at"], self._oldest), False)
        batch = self._keep(batch, recent, f"failed_rows_days={self._policy.failed_rows_days}")
        within = pa.array(map(self._may_pass, batch["elementary_test_results_id"].to_pylist()), pa.bool_())
        return self._keep(batch, within, f"failed_rows_per_test={self._policy.failed_rows_per_test}")

    def _may_pass(self, execution: str) -> bool:
        self._passed[execution] += 1
        return self._passed[execution] <= self._policy.failed_rows_per_test

    def _keep(self, batch: pa.RecordBatch, mask: pa.Array, rule: str) -> pa.RecordBatch:
        kept = batch.filter(mask)
        self._exclusions.count_rows(rule, self._table, Category.FAILED_ROWS_SAMPLE, batch.num_rows - kept.num_rows)
        return kept


def is_excluded(results: pa.RecordBatch, policy: Policy) -> pa.Array:
    """Return a mask of the test results about a table whose sampled rows are excluded.

    :param results: rows of elementary_test_results with :data:`TESTED_TABLE_COLUMNS`.
    """
    if not _says_tested_tables(results.schema.names):
        # A result whose table is not known may be of an excluded one.
        return pc.is_null(pa.nulls(results.num_rows))
    names = [pc.utf8_lower(results[name]) for name in TESTED_TABLE_COLUMNS]
    full_name = pc.binary_join_element_wise(*names[1:], ".")
    excluded = pa.array(policy.failed_rows_excluded_tables, pa.string())
    return pc.or_(pc.is_in(names[0], excluded), pc.is_in(full_name, excluded))


def _says_tested_tables(columns: Collection[str]) -> bool:
    return {*TESTED_TABLE_COLUMNS} <= {*columns}


def drop_rows(
    batch: pa.RecordBatch,
    table: Table,
    category: Category,
    policy: Policy,
    exclusions: Exclusions,
    sampled_results: pa.Array | None = None,
) -> pa.RecordBatch:
    """Leave out the rows of one category that a rule names, before anything in them is replaced.

    :param sampled_results: the test results whose sampled rows may pass; None where no table is excluded.
    """
    if policy.dropped_metrics and table.name == "data_monitoring_metrics" and "metric_name" in batch.schema.names:
        dropped = pc.is_in(batch["metric_name"], pa.array(policy.dropped_metrics, pa.string()))
        exclusions.count_rows("dropped metric", table, category, pc.sum(dropped).as_py() or 0)
        batch = batch.filter(pc.invert(dropped))
    if sampled_results is not None and table.category is Category.FAILED_ROWS_SAMPLE and category is table.category:
        # A row whose result is not known may be of an excluded table.
        allowed = pc.is_in(batch["elementary_test_results_id"], sampled_results)
        left_out = batch.num_rows - (pc.sum(allowed).as_py() or 0)
        exclusions.count_rows("failed_rows_excluded_tables", table, category, left_out)
        batch = batch.filter(allowed)
    return batch


def redact(
    batch: pa.RecordBatch, table: Table, policy: Policy, exclusions: Exclusions, hash_key: bytes | None = None
) -> pa.RecordBatch:
    """Replace what a policy does not let out; what was null stays null.

    :param batch: rows of a table, with :data:`TESTED_TABLE_COLUMNS` where tables are excluded.
    :param exclusions: where to count what was replaced.
    :param hash_key: the key of hashed columns.
    """
    batch = limit_failed_row_lists(batch, table, policy, exclusions)
    for position, column in _replaced_columns(table.name, tuple(batch.schema.names), policy):
        for rule, key_name, replace in _replacements(table, column, policy, hash_key):
            batch = _replace(batch, position, table, rule, key_name, replace, exclusions)
    return batch


def limit_failed_row_lists(
    batch: pa.RecordBatch, table: Table, policy: Policy, exclusions: Exclusions
) -> pa.RecordBatch:
    """Shorten samples kept as one JSON list per test, the layout of projects without a table of result rows."""
    if table.category is Category.FAILED_ROWS_SAMPLE:
        return batch
    for position, name in enumerate(batch.schema.names):
        column = table.column(name)
        if column is None or column.category is not Category.FAILED_ROWS_SAMPLE:
            continue
        if policy.failed_rows_excluded_tables:
            excluded = pc.and_(is_excluded(batch, policy), pc.is_valid(batch.column(position)))
            exclusions.count_values("failed_rows_excluded_tables", table, name, pc.sum(excluded).as_py() or 0)
            batch = batch.set_column(
                position, batch.schema.field(position), pc.if_else(excluded, _NULL, batch.column(position))
            )
        shortened = []
        for value in batch.column(position).to_pylist():
            rows = json_list(value)
            rule = f"failed_rows_per_test={policy.failed_rows_per_test}"
            exclusions.count_rows(
                rule, table, Category.FAILED_ROWS_SAMPLE, max(0, len(rows) - policy.failed_rows_per_test)
            )
            kept = rows[: policy.failed_rows_per_test]
            shortened.append(json.dumps(kept) if kept else None)
        batch = batch.set_column(position, batch.schema.field(position), pa.array(shortened, pa.string()))
    return batch


def columns_taken(table: Table, held: Sequence[str], policy: Policy) -> list[str]:
    """Return the columns of those held that the policy does not drop."""
    known = ((name, table.column(name)) for name in held)
    return [name for name, column in known if column is not None and not policy.drops(table, column)]


def storage_rules(
    table: Table, column: Column, policy: Policy, held: Collection[str], hash_key: object
) -> tuple[object, ...]:
    """Return all that decides how values of a column are stored: where it is equal, equal values are stored alike.

    :param held: the columns of the table that the source has.
    :param hash_key: stands for the key of hashed columns.
    """
    hashed = (policy.hashes(table, column), policy.hashed_keys(table, column))
    rules = (policy.masks(table, column), *hashed, hash_key if any(hashed) else None)
    if column.category is not Category.FAILED_ROWS_SAMPLE or table.category is Category.FAILED_ROWS_SAMPLE:
        return rules
    excluded = policy.failed_rows_excluded_tables
    return (*rules, policy.failed_rows_per_test, excluded, bool(excluded) and _says_tested_tables(held))


def policy_columns(table: Table, policy: Policy) -> frozenset[str]:
    """Return the columns by which a policy decides, whether they are taken or not."""
    if table.name == "data_monitoring_metrics" and policy.dropped_metrics:
        return frozenset({"metric_name"})
    if table.name == "elementary_test_results" and policy.failed_rows_excluded_tables:
        return frozenset(TESTED_TABLE_COLUMNS)
    return frozenset()


def results_with_samples(source: Source, policy: Policy, since: datetime) -> pa.Array | None:
    """Return the ids of the test results whose sampled rows may be taken; None where no table is excluded.

    :param since: results older than this have no samples that could be taken.
    """
    if not policy.failed_rows_excluded_tables:
        return None
    if "elementary_test_results" not in source.tables():
        return pa.array([], pa.string())
    held = source.schema("elementary_test_results").names
    columns = [name for name in ("id", "status", *TESTED_TABLE_COLUMNS) if name in held]
    allowed = []
    with source.read("elementary_test_results", columns=columns, since=since) as reader:
        for batch in reader:
            # Tests that pass have no failed rows, and they are most.
            if "status" in held:
                batch = batch.filter(pc.fill_null(pc.not_equal(batch["status"], "pass"), True))
            allowed.append(batch["id"].filter(pc.invert(is_excluded(batch, policy))))
    return pa.chunked_array(allowed, pa.string()).combine_chunks()


_Replace = Callable[[str], str]


@lru_cache(maxsize=64)
def _replaced_columns(table_name: str, names: tuple[str, ...], policy: Policy) -> tuple[tuple[int, Column], ...]:
    """Return those of some columns that a rule is for, with their positions; each batch asks for the same ones."""
    table = TABLES[table_name]
    known = ((position, table.column(name)) for position, name in enumerate(names))
    # Which rules there are depends on no key.
    return tuple(
        (position, column)
        for position, column in known
        if column is not None and _replacements(table, column, policy, b"")
    )


def _replacements(
    table: Table, column: Column, policy: Policy, hash_key: bytes | None
) -> list[tuple[str, str, _Replace]]:
    """Return the rules for a column: what each is called, the name to count by, and what it makes of a value."""
    if policy.masks(table, column):
        return [("masked", column.name, lambda _: MASK)]
    if policy.hashes(table, column):
        return [("hashed", column.name, partial(keyed_hash, _required(hash_key)))]
    return [
        ("hashed", f"{column.name}.{name}", partial(_hash_key_of_json, _required(hash_key), name))
        for name in policy.hashed_keys(table, column)
    ]


def _replace(
    batch: pa.RecordBatch,
    position: int,
    table: Table,
    rule: str,
    key_name: str,
    replace: _Replace,
    exclusions: Exclusions,
) -> pa.RecordBatch:
    values = batch.column(position)
    # Values repeat: each is replaced once.
    coded = values.dictionary_encode()
    replaced = pa.array([replace(value) for value in coded.dictionary.to_pylist()], pa.string())
    taken = replaced.take(coded.indices)
    changed = pc.sum(pc.fill_null(pc.not_equal(values, taken), False)).as_py() or 0
    exclusions.count_values(rule, table, key_name, changed)
    return batch.set_column(position, batch.schema.field(position), taken)


def keyed_hash(key: bytes, value: str) -> str:
    """Return what stands for a value: the same for the same value under one key, and nothing of the value."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[: 2 * _HASH_BYTES]


def _hash_key_of_json(key: bytes, name: str, value: str) -> str:
    """Hash one member of a JSON object; what is no object is hashed as a whole, and never passed on unread."""
    if (facts := json_object(value)) is None:
        return keyed_hash(key, value)
    if facts.get(name) is None:
        return value
    text = facts[name] if isinstance(facts[name], str) else json.dumps(facts[name])
    return json.dumps({**facts, name: keyed_hash(key, text)})


def _required(key: bytes | None) -> bytes:
    if key is None:
        raise TypeError("A policy with hashed columns needs a key to hash with.")
    return key
