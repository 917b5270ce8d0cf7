"""What an hourly increment costs at PostgreSQL: pages of the large table that it touches, and the client's CPU seconds.

``python -m tests.benchmarks increment [--rows 100000 1000000]`` prints the table. Each increment has one new row in a
table of metrics that has no index, a BRIN or a b-tree index on ``created_at``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.servers.certificates import issue_certificates
from tests.servers.postgres import find_programs, postgres_cluster
from tests.support.window_reads import INDEXES, MetricsTable


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks increment", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    rows = parser.parse_args(arguments).rows
    if (programs := find_programs()) is None:
        raise SystemExit("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    print("| rows | index | pages of the table | queries over it | pages touched | CPU seconds |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        with postgres_cluster(programs, issue_certificates(Path(directory))) as server:
            server.create_database("benchmark")
            for count in rows:
                for index in INDEXES:
                    table = MetricsTable(server, "benchmark", Path(directory) / f"{index}{count}", count, index)
                    done = table.run_and_take()
                    print(
                        f"| {count:,} | {index} | {table.pages:,} | {len(done.pages)} | {done.pages.total():,} "
                        f"| {done.cpu:.2f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
