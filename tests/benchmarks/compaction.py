"""Memory and CPU of a compaction, by the size of the files that it merges.

``python -m tests.benchmarks compaction [--rows 2000 80000] [--hours 6 20]`` prints one table. The real writer syncs
a project whose run results are repeated, once an hour, into a local store; each compaction is a process of its own.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.measure import in_own_process, measured, peak_mb, resident_mb

if TYPE_CHECKING:
    import pyarrow as pa

    from tests.support.stores import Rest

_TABLE = "dbt_run_results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks compaction", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 20_000, 80_000], help="run results of an hour")
    parser.add_argument("--hours", type=int, nargs="+", default=[6, 20], help="syncs before the compaction")
    options = parser.parse_args(arguments)
    print("| rows a sync | syncs | files merged | MB of them | largest MB | CPU s | peak MB above start |")
    print("|---|---|---|---|---|---|---|")
    for rows in options.rows:
        for hours in options.hours:
            with tempfile.TemporaryDirectory() as directory:
                _fill(Path(directory), rows, hours)
                found = in_own_process(__name__, [directory])
            facts = found.facts
            print(
                f"| {rows:,} | {hours} | {facts['files']} | {facts['bytes'] / 1e6:.1f} | {facts['largest'] / 1e6:.1f} "
                f"| {found.cpu:.1f} | {facts['above']:.0f} |",
                flush=True,
            )
    return 0


def _fill(directory: Path, rows: int, hours: int) -> None:
    from tests.support.hourly_project import hourly
    from tests.support.little_project import SMALL_WORLD_END, small_world
    from tests.support.stores import take

    rest = _rest(directory)
    whole = hourly(small_world(hours), SMALL_WORLD_END - timedelta(days=hours), SMALL_WORLD_END)
    for hour in range(hours):
        end = SMALL_WORLD_END + timedelta(hours=hour + 1)
        world = {name: _before(table, end) for name, table in whole.items()}
        world[_TABLE] = _repeated(world[_TABLE], rows, hour + 1)
        take(rest, directory / "warehouse.duckdb", world, overlap=timedelta(minutes=10))


def _rest(directory: Path) -> Rest:
    from airflow_provider_elementary.snapshots import LocalKeys, open_store
    from tests.support.stores import Rest

    keys = LocalKeys(dict.fromkeys(LocalKeys.generate(), base64.b64encode(bytes(32)).decode()))
    return Rest(open_store((directory / "store").as_uri()), keys, directory / "store")


def _before(table: pa.Table, end: Any) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if "created_at" not in table.column_names:
        return table
    return table.filter(pc.less(table["created_at"], pa.scalar(end, pa.timestamp("us"))))


def _repeated(table: pa.Table, rows: int, hours: int) -> pa.Table:
    """Return a number of run results for each hour, of ids and code of their own that compress as badly as can be."""
    import hashlib

    import pyarrow as pa

    times = table.num_rows // hours
    found = table.take(pa.array([row for row in range(table.num_rows) for _ in range(max(1, rows // times))]))
    ids = [hashlib.sha256(b"%d" % row).hexdigest() for row in range(found.num_rows)]
    for name in ("model_execution_id", "compiled_code", "query_id"):
        if (place := found.column_names.index(name) if name in found.column_names else None) is not None:
            found = found.set_column(place, found.schema.field(place), pa.array(ids, found.schema.field(place).type))
    return found


def _compact(directory: Path) -> Mapping[str, Any]:
    from airflow_provider_elementary.snapshots.maintenance.compaction import compact

    repository = _rest(directory).repository
    files = {file.key: file for file in repository.latest().files}
    before = resident_mb()
    report = compact(repository)
    left = {file.key for file in repository.latest().files}
    merged = [file.size for key, file in files.items() if key not in left]
    assert len(merged) == report.files
    return {"files": report.files, "bytes": sum(merged), "largest": max(merged), "above": peak_mb() - before}


if __name__ == "__main__":
    measured(lambda: _compact(Path(sys.argv[1])))
