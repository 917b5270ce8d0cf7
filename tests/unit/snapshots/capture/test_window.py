"""A window is digested as its files hold it, each file's cells under the key of its category alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots.capture.dedup import DIGEST_BYTES
from airflow_provider_elementary.snapshots.capture.partition import parts_of
from airflow_provider_elementary.snapshots.capture.window import digest_stored, groups_of, window_digest
from airflow_provider_elementary.storage.keys import DataKey, WrappedKey

AT = datetime(2026, 11, 22)
TABLE = TABLES["dbt_run_results"]
CATEGORIES = (Category.RUN_RESULTS, Category.QUERY_LOGS)
ROW = {"model_execution_id": "a", "created_at": AT, "status": "success", "compiled_code": "select 1"}
SCHEMA = pa.schema([(name, pa.timestamp("us") if name == "created_at" else pa.string()) for name in ROW])


def keys(**plaintexts: bytes) -> Mapping[Category, DataKey]:
    """Return data keys by category; those that are not given are the same in every call."""
    found = {category: category.value.encode() * 4 for category in Category}
    found |= {Category(name): plaintext for name, plaintext in plaintexts.items()}
    return {category: DataKey(plaintext, WrappedKey("", "")) for category, plaintext in found.items()}


def cells(data_keys: Mapping[Category, DataKey], **changed: Any) -> dict[Category, bytes]:
    """Return what stands for one row's cells of each category."""
    batch = pa.RecordBatch.from_pylist([{**ROW, **changed}], schema=SCHEMA)
    (group,) = groups_of(parts_of(TABLE, list(ROW), CATEGORIES))
    _, digests = digest_stored(data_keys, TABLE, group, batch)
    pieces = digests.view(np.uint8).reshape(-1, DIGEST_BYTES)
    return {category: piece.tobytes() for category, piece in zip(sorted(CATEGORIES), pieces, strict=True)}


@pytest.mark.parametrize(
    ("column", "category"), [("status", Category.RUN_RESULTS), ("compiled_code", Category.QUERY_LOGS)]
)
def test_a_cell_counts_under_the_key_of_its_category_alone(column: str, category: Category) -> None:
    (other,) = {*CATEGORIES} - {category}
    row, changed = cells(keys()), cells(keys(), **{column: "x"})
    rekeyed = cells(keys(**{category.value: b"another"}))

    assert (row[other], row[other]) == (changed[other], rekeyed[other])
    assert len({row[category], changed[category], rekeyed[category]}) == 3


@pytest.mark.parametrize("category", CATEGORIES)
def test_who_has_one_key_cannot_test_a_guess_of_all_cells(category: Category) -> None:
    (group,) = groups_of(parts_of(TABLE, list(ROW), CATEGORIES))
    batch = pa.RecordBatch.from_pylist([ROW], schema=SCHEMA)
    (other,) = {*CATEGORIES} - {category}
    guessed = [keys(), *(keys(**{other.value: key}) for key in (b"", keys()[category].plaintext))]

    true, *others = (window_digest([digest_stored(one, TABLE, group, batch)], AT) for one in guessed)

    assert true not in others


def test_rows_before_the_window_do_not_count() -> None:
    (group,) = groups_of(parts_of(TABLE, list(ROW), CATEGORIES))
    batch = pa.RecordBatch.from_pylist(
        [ROW, {**ROW, "created_at": AT - timedelta(hours=1)}, {**ROW, "created_at": None}], schema=SCHEMA
    )

    all_rows, first = (digest_stored(keys(), TABLE, group, rows) for rows in (batch, batch.slice(0, 1)))

    assert window_digest([all_rows], AT) == window_digest([first], AT)
    assert window_digest([first], AT + timedelta(hours=1)) == window_digest([], AT)


def test_rows_of_the_same_key_do_not_exchange_cells() -> None:
    (group,) = groups_of(parts_of(TABLE, list(ROW), CATEGORIES))
    one, other = {**ROW, "status": "error"}, {**ROW, "compiled_code": "select 2"}
    exchanged = [ROW, {**ROW, "status": "error", "compiled_code": "select 2"}]

    found = {
        window_digest([digest_stored(keys(), TABLE, group, pa.RecordBatch.from_pylist(rows, schema=SCHEMA))], AT)
        for rows in ([one, other], [other, one], exchanged)
    }

    assert len(found) == 2
