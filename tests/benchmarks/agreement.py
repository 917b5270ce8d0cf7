"""How Elementary's stored verdicts on world A agree with its rule, recomputed: from both of its warehouses.

``python -m tests.benchmarks agreement`` prints a table: the 70 days that dbt-duckdb wrote, and the last two weeks as
dbt-postgres wrote them again, restored into a PostgreSQL server that is made for it (left out where none is installed);
and the odd configurations of :mod:`tests.real_verdicts`.
Below it, every verdict that does not agree, with the reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_elementary.source import Source

_SHARED = Path(__file__).parents[2] / ".." / "shared"
_AGREEMENTS = ("agree", "disagree", "unknown")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare and print."""
    argparse.ArgumentParser(prog="tests.benchmarks agreement", description=__doc__).parse_args(arguments)
    if not (_SHARED / "world").exists():
        print("Skipped: no world/ in shared/ beside the checkout", file=sys.stderr)
        return
    from airflow_provider_elementary.anomalies import compare_with_elementary

    print("| written by | verdicts | " + " | ".join(_AGREEMENTS) + " |\n|---|---|---|---|---|")
    reasons: Counter[tuple[str, str, str]] = Counter()
    for adapter, opened in (("dbt-duckdb", _duckdb), ("dbt-postgres", _postgres), ("dbt-duckdb, odd", _odd)):
        with opened() as source:
            if source is None:
                continue
            rows = compare_with_elementary(source).to_pylist()
        counts = Counter(row["agreement"] for row in rows)
        print(f"| {adapter} | {len(rows):,} | " + " | ".join(f"{counts[name]:,}" for name in _AGREEMENTS) + " |")
        reasons.update((adapter, row["agreement"], row["reason"]) for row in rows if row["agreement"] != "agree")
    for (adapter, agreement, reason), count in sorted(reasons.items()):
        print(f"{count:,} x {adapter}, {agreement}: {reason}")


@contextmanager
def _duckdb() -> Iterator[Source]:
    from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
    from airflow_provider_elementary.warehouses.source import WarehouseSource
    from tests.support.datasets import world_a, write_duckdb

    with tempfile.TemporaryDirectory() as directory:
        path = write_duckdb(world_a(_SHARED), Path(directory) / "world.duckdb")
        with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
            yield source


@contextmanager
def _odd() -> Iterator[Source]:
    from tests.real_verdicts import real_verdicts
    from tests.support.table_source import TableSource

    yield TableSource(real_verdicts())


@contextmanager
def _postgres() -> Iterator[Source | None]:
    import adbc_driver_postgresql.dbapi as dbapi

    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
    from airflow_provider_elementary.warehouses.source import WarehouseSource
    from tests.servers.certificates import issue_certificates
    from tests.servers.postgres import find_programs, postgres_cluster
    from tests.support.datasets import restore_postgres

    programs = find_programs()
    if programs is None:
        print("Left out: PostgreSQL's server programs are not installed", file=sys.stderr)
        yield None
        return
    transport = TransportFacts(True, "TLSv1.2", True, "sslmode=verify-full")
    with tempfile.TemporaryDirectory() as directory:
        with postgres_cluster(programs, issue_certificates(Path(directory))) as server:
            server.create_database("world")
            restore_postgres(server, "world", _SHARED)
            connection = dbapi.connect(server.uri(database="world"))
            with WarehouseSource(PostgresWarehouse(connection, "elementary", "world", transport)) as source:
                yield source
