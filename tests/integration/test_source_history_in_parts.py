"""A full snapshot in parts finds what the source lost or changed, as one that a single task takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airflow_provider_elementary.snapshots import Policy, open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.capture.audit import read_ranges
from airflow_provider_elementary.snapshots.capture.day_sums import RangeSums
from airflow_provider_elementary.snapshots.capture.dedup import row_digests
from airflow_provider_elementary.snapshots.parts import stored
from airflow_provider_elementary.snapshots.parts.documents import PART
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import PARTS
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.connections import open_postgres
from tests.support.datasets import write_duckdb, write_postgres
from tests.support.history_oracle import EVENTS
from tests.support.little_project import small_world
from tests.support.parts import POLICY, Parts
from tests.support.stores import DAYS, local_rest, world_after
from tests.support.syncs import after, marker, run_results

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

_TABLE = "dbt_run_results"
_OF_DAY = "created_at::DATE = DATE '{}'"
#: What leaves only the rows that the next increment would read again.
_PURGE = tuple(f"DELETE FROM {table} WHERE created_at < TIMESTAMP '{after(hours=-1)}'" for table in EVENTS)


def day(back: int) -> str:
    return f"{after(days=-back):%Y-%m-%d}"


#: What happens to a source of some days: the epoch of the next full snapshot, and what its reason says of it.
CHANGES = {
    "nothing": ((), 1, ""),
    "the oldest rows removed": (
        tuple(f"DELETE FROM {table} WHERE created_at < TIMESTAMP '{after(days=-2)}'" for table in EVENTS),
        1,
        "",
    ),
    "all but the window removed": (_PURGE, 1, ""),
    "all but the window removed, and a run more": (
        (*_PURGE, run_results("new", after(minutes=30), "a"), marker("new", after(minutes=31))),
        1,
        "",
    ),
    "all but a window that was made again": (
        (*_PURGE, *(f"UPDATE {table} SET created_at = created_at + INTERVAL 1 MINUTE" for table in EVENTS)),
        2,
        f"history went back: dbt_invocations: rows of {day(DAYS - 1)}, ",
    ),
    "a row of the window removed": (
        (f"DELETE FROM {_TABLE} WHERE created_at = (SELECT max(created_at) FROM {_TABLE})",),
        2,
        f"history went back: {_TABLE}: rows from {after(hours=-1)} on are gone or were changed",
    ),
    "a value of the window replaced": (
        (f"UPDATE {_TABLE} SET message = 'masked' WHERE created_at >= TIMESTAMP '{after(hours=-1)}'",),
        2,
        f"history went back: {_TABLE}: rows from {after(hours=-1)} on are gone or were changed",
    ),
    "a day in the middle removed": (
        (f"DELETE FROM {_TABLE} WHERE {_OF_DAY.format(day(2))}",),
        2,
        f"history went back: {_TABLE}: rows of {day(2)} are gone",
    ),
    "all rows removed": ((f"DELETE FROM {_TABLE}",), 2, f"history went back: {_TABLE}: rows of {day(DAYS - 1)}, "),
    "a value replaced": (
        (f"UPDATE {_TABLE} SET message = 'masked' WHERE {_OF_DAY.format(day(1))}",),
        1,
        f"rows of {_TABLE} of {day(1)} were changed or replaced in place",
    ),
    "as many rows on another day": (
        (f"UPDATE {_TABLE} SET created_at = created_at - INTERVAL 1 DAY WHERE {_OF_DAY.format(day(1))}",),
        2,
        f"history went back: {_TABLE}: rows of {day(1)} are gone",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_full_snapshot_in_parts_says_what_the_source_lost_or_changed(what: str, tmp_path: Path) -> None:
    statements, epoch, reason = CHANGES[what]
    path = write_duckdb(world_after(DAYS), tmp_path / "warehouse.duckdb")

    @contextmanager
    def opened() -> Iterator[WarehouseSource]:
        with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
            yield source

    in_parts, in_one = local_rest(tmp_path / "parts").repository, local_rest(tmp_path / "one").repository
    for repository in (in_parts, in_one):
        with opened() as source:
            write_snapshot(source, repository, policy=POLICY)
    with duckdb.connect(str(path)) as connection:
        connection.execute("USE elementary")
        for statement in statements:
            connection.execute(statement)

    run = Parts(opened, lambda: in_parts, full_every_days=0, rows_per_part=4)
    manifest = run.run()
    with opened() as source:
        whole = write_snapshot(source, in_one, policy=POLICY, full_every_days=0)

    assert (run.in_one_task, manifest.epoch, whole.epoch) == ([], epoch, epoch)
    assert len({file.part for file in manifest.files}) > 1
    # Before it stands when the full snapshot before was taken.
    found, in_one_task = ((one.reason or "").partition("; ")[2] for one in (manifest, whole))
    assert found == in_one_task
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_who_reads_the_report_of_a_part_can_test_no_guess_of_a_day(tmp_path: Path) -> None:
    path = write_duckdb(world_after(DAYS), tmp_path / "warehouse.duckdb")

    @contextmanager
    def opened() -> Iterator[WarehouseSource]:
        with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
            yield source

    reported, rows, guesses = [], [], set[int]()
    for name in ("one", "other"):
        repository = local_rest(tmp_path / name).repository
        with opened() as source:
            write_snapshot(source, repository, policy=POLICY)
        Parts(opened, lambda: repository, full_every_days=0, rows_per_part=1_000).run()  # noqa: B023
        names = [found.key for found in repository.store.list(PARTS)]
        documents = [found.document for name in names if (found := repository.documents.read(name, PART, Role.STORE))]
        days = [one.days[_TABLE].found for one in documents if _TABLE in one.days]
        reported.append({total for one in days for total in one.sums.values()})
        rows.append(sum(sum(one.rows.values()) for one in days))
    (batch,) = read_all(open_snapshot(repository), _TABLE).combine_chunks().to_batches()
    days_of_rows = pc.cast(batch["created_at"], pa.date32())
    for of_day in pc.unique(days_of_rows):
        digests = row_digests(batch.filter(pc.equal(days_of_rows, of_day)), batch.schema.names)
        guesses.add(sum(int.from_bytes(digest.ljust(16, b"\0"), "little") for digest in digests.tolist()) % 2**128)

    assert rows[0] == rows[1] > 0
    assert all(reported)
    assert {int(total, 16) for total in reported[0]}.isdisjoint(guesses)
    assert reported[0].isdisjoint(reported[1])


@pytest.mark.parametrize("does_commit", [False, True], ids=["part", "commit"])
def test_a_table_replaced_before_its_window_is_compared_gives_way_to_one_task(
    does_commit: bool,
    postgres_server: PostgresServer,
    postgres_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_postgres(small_world(days=3), postgres_server, postgres_database)
    repository = local_rest(tmp_path).repository

    def opened() -> WarehouseSource:
        return open_postgres(postgres_server, postgres_database)

    with opened() as source:
        write_snapshot(source, repository, policy=POLICY)
    run = Parts(opened, lambda: repository, full_every_days=0, rows_per_part=1_000)
    (planned,) = run.plan()

    def read_after_it_was_replaced(*arguments: Any) -> dict[str, RangeSums]:
        postgres_server.execute(
            f"SET search_path = elementary; CREATE TABLE other AS TABLE {_TABLE}; DROP TABLE {_TABLE} CASCADE; "
            f"ALTER TABLE other RENAME TO {_TABLE}",
            database=postgres_database,
        )
        return read_ranges(*arguments)

    monkeypatch.setattr(stored, "read_ranges", read_after_it_was_replaced)

    if not does_commit:
        assert run.capture(planned) == "outdated"
    manifest = run.commit(planned)
    assert run.in_one_task == ["run"]
    assert (manifest.kind, manifest.epoch) == ("full", 1)


def test_a_plan_of_another_version_gives_way_to_one_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_duckdb(world_after(DAYS), tmp_path / "warehouse.duckdb")
    repository, to_dict = local_rest(tmp_path).repository, Policy.to_dict

    @contextmanager
    def opened() -> Iterator[WarehouseSource]:
        with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
            yield source

    run = Parts(opened, lambda: repository, rows_per_part=1_000)
    with monkeypatch.context() as other_version:
        other_version.setattr(Policy, "to_dict", lambda policy: {**to_dict(policy), "dropped_rows": []})
        (planned,) = run.plan()

    assert run.capture(planned) == "outdated"
    assert run.commit(planned).kind == "full"
    assert run.in_one_task == ["run"]
