"""Computing metrics from a large data_monitoring_metrics: time and memory by its number of rows.

``python -m tests.benchmarks metrics [--rows 2000000 10000000]`` prints the table. Each measurement is a process of its
own; rows are made while they are read, half of them a second time with a newer value, and what is computed is counted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.benchmarks.measure import in_own_process, measured


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks metrics", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[200_000, 2_000_000, 10_000_000])
    print("| rows read | metrics | seconds | CPU seconds | rows/s | peak MB | MB before the work |")
    print("|---|---|---|---|---|---|---|")
    for rows in parser.parse_args(arguments).rows:
        found = in_own_process("tests.benchmarks.metrics", [str(rows)])
        print(
            f"| {rows:,} | {found.facts['metrics']:,} | {found.wall:.1f} | {found.cpu:.1f} | {rows / found.wall:,.0f} "
            f"| {found.peak_mb:.0f} | {found.base_mb:.0f} |",
            flush=True,
        )


@dataclass(frozen=True)
class _LargeSource:
    """Streams data_monitoring_metrics, two thirds of the rows and then half of these again; holds nothing else."""

    rows: int

    def tables(self) -> list[str]:
        return ["data_monitoring_metrics"]

    def schema(self, table: str) -> Any:
        from airflow_provider_elementary.elementary_schema import TABLES
        from airflow_provider_elementary.exceptions import UnknownTableError
        from airflow_provider_elementary.source import arrow_schema

        if table != "data_monitoring_metrics":
            raise UnknownTableError(table)
        return arrow_schema(TABLES[table], [column.name for column in TABLES[table].columns])

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Any:
        from airflow_provider_elementary.source import arrow_schema, catalog_table, reader_of
        from tests.support.datasets import many_metrics

        names = list(columns or self.schema(table).names)
        batches = (
            batch.select(names)
            for rows in (self.rows * 2 // 3, self.rows - self.rows * 2 // 3)
            for batch in many_metrics(rows)
        )
        return reader_of(arrow_schema(catalog_table(table), names), batches)


def _compute_one(rows: int) -> None:
    import logging

    from airflow_provider_elementary.metrics import compute_metrics

    logging.disable(logging.WARNING)

    def work() -> dict[str, Any]:
        with compute_metrics(_LargeSource(rows)) as metrics:
            return {"metrics": sum(batch.num_rows for batch in metrics)}

    measured(work)


if __name__ == "__main__":
    _compute_one(int(sys.argv[1]))
