"""Recognizes unchanged tables among those that are replaced in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_provider_elementary.elementary_schema import Category, Table
from airflow_provider_elementary.snapshots.capture.dedup import Digests, digest_of_all, no_digests
from airflow_provider_elementary.snapshots.capture.partition import Part
from airflow_provider_elementary.snapshots.capture.window import digest_cells, stored_rows
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions
from airflow_provider_elementary.storage.keys import DataKey

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.capture.table import CaptureRun

_ROW_HASH = "metadata_hash"


class Contents:
    """Digests what the files hold of a table that is replaced in place.

    Where they hold dbt's hash of each row, it stands for the row, and one without a hash leaves all without a digest;
    else every cell counts.

    :param parts: of the table.
    """

    def __init__(
        self, table: Table, parts: Sequence[Part], policy: Policy, data_keys: Mapping[Category, DataKey]
    ) -> None:
        column = table.column(_ROW_HASH)
        with_hash = [
            part
            for part in parts
            if column is not None and column.name in part.columns and not policy.masks(table, column)
        ]
        self._parts = [replace(part, columns=(*table.key, _ROW_HASH)) for part in with_hash[:1]] or list(parts)
        self._data_keys = data_keys
        self._digests: list[Digests] = []
        self._stands_for_rows, self._is_known = bool(with_hash), True

    @property
    def columns(self) -> list[str]:
        """The columns that count."""
        return list(dict.fromkeys(name for part in self._parts for name in part.columns))

    @property
    def fingerprint(self) -> str | None:
        """See :class:`~.manifest.TableEntry`; None where nothing says whether a row changed."""
        return None if not self._is_known else digest_of_all(np.concatenate([no_digests(), *self._digests]))

    def add(self, rows: pa.RecordBatch) -> None:
        """Add rows as the files hold them."""
        if self._stands_for_rows and rows[_ROW_HASH].null_count:
            self._is_known = False
        self._digests.append(digest_cells(self._data_keys, self._parts, rows, b"contents"))


def contents_of_source(run: CaptureRun, table: Table, parts: Sequence[Part]) -> Contents:
    """Return what the files would hold if all of the table were captured now."""
    contents = Contents(table, parts, run.policy, run.data_keys)
    with run.source.read(table.name, columns=contents.columns) as reader:
        for batch in reader:
            contents.add(stored_rows(run, table, parts[0], batch, Exclusions(), None))
    return contents
