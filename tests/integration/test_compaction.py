"""A compaction merges small files, changes no row, and gives way to writers that commit beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    KeyDeletedError,
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
)
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, capture, index, open_snapshot
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.maintenance import compaction, mergeable
from airflow_provider_elementary.snapshots.maintenance.compaction import compact
from airflow_provider_elementary.snapshots.maintenance.maintain import maintain
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import Source, read_all
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.storage.layout import index_key
from airflow_provider_elementary.storage.records.results import write_result
from tests.support.connections import local_store
from tests.support.signing import opened
from tests.support.stores import Rest, copied, local_rest, take, world_after_hours
from tests.support.tampering import flip

HOURS = 6
MASTER_KEYS = LocalKeys.generate()
#: Long after the snapshots of a test were taken.
LATER = datetime.now(UTC) + timedelta(days=100)
RESULT_SCHEMA = pa.schema([("full_table_name", pa.string()), ("column_name", pa.string())])


def sync(rest: Rest, directory: Path, hours: int, **options: Any) -> Manifest:
    world = world_after_hours(hours)
    return take(rest, directory / "warehouse.duckdb", world, overlap=timedelta(minutes=10), **options)


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """Let a compaction begin with the files of as many snapshots as one run can merge."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mergeable, "SNAPSHOTS", HOURS)
        yield


@pytest.fixture(scope="module")
def original(few: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """An hourly sync of six hours of one day."""
    directory = tmp_path_factory.mktemp("original")
    rest = Rest(local_rest(directory).store, LocalKeys(MASTER_KEYS), directory / "store")
    return rest, [sync(rest, directory, hours) for hours in range(1, HOURS + 1)]


@pytest.fixture(scope="module")
def compacted(original: tuple[Rest, list[Manifest]], tmp_path_factory: pytest.TempPathFactory) -> Rest:
    """The same store, compacted; tests only read it."""
    rest = copied(original[0], tmp_path_factory.mktemp("compacted"))
    compact(rest.repository)
    return rest


def rows_of(source: Source) -> dict[str, pa.Table]:
    """Return every table, its rows in an order of their own."""
    tables = {name: read_all(source, name) for name in source.tables()}
    return {
        name: rows.sort_by([(column, "ascending") for column in rows.column_names]) for name, rows in tables.items()
    }


def data_files(rest: Rest) -> set[str]:
    return {found.key for found in rest.store.list("data/")}


class TestRows:
    def test_the_newest_snapshot_has_the_same_rows_in_fewer_files(
        self, compacted: Rest, manifests: list[Manifest]
    ) -> None:
        newest = compacted.repository.latest()

        before = rows_of(open_snapshot(compacted.repository, manifests[-1].snapshot_id))
        assert rows_of(compacted.repository.source(newest)) == before
        assert set(before) == set(TABLES)
        assert len(manifests[-1].files) - len(newest.files) == 72 - 12

    def test_it_is_a_snapshot_of_the_time_and_contents_of_the_one_before(
        self, compacted: Rest, manifests: list[Manifest]
    ) -> None:
        newest, before = compacted.repository.latest(), manifests[-1]

        assert (newest.kind, newest.sequence, newest.lists) == ("compaction", HOURS + 1, ())
        assert (newest.created_at, newest.full_at, newest.epoch) == (before.created_at, before.full_at, before.epoch)
        assert (newest.rows, newest.consistency, newest.keys) == (before.rows, before.consistency, before.keys)
        assert {table.new_rows for table in newest.tables.values()} == {0}
        assert newest.generation == before.generation

    def test_the_store_verifies_with_every_file(self, compacted: Rest) -> None:
        report = verify(compacted.repository, snapshot="all")

        assert (report.findings, report.manifests) == ((), HOURS + 1)

    def test_a_later_run_merges_what_is_left(self, rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
        # What one run may ask of the store leaves out the last table.
        monkeypatch.setattr(compaction, "REQUESTS", 97)

        runs = [compact(rest.repository) for _ in range(3)]

        assert [(run.files, run.merged_files, len(run.snapshots)) for run in runs] == [
            (66, 11, 1),
            (6, 1, 1),
            (0, 0, 0),
        ]

    def test_the_next_sync_continues_it(self, compacted: Rest, manifests: list[Manifest], tmp_path: Path) -> None:
        rest = copied(compacted, tmp_path)

        taken = sync(rest, tmp_path, HOURS + 1)

        assert (taken.kind, taken.sequence, taken.lists) == ("incremental", HOURS + 2, (HOURS + 1,))
        assert read_all(rest.repository.source(), "dbt_run_results").num_rows == 5 * (HOURS + 1)

    def test_files_of_fewer_snapshots_are_not_merged(self, rest: Rest, tmp_path: Path) -> None:
        rest.path(f"manifests/{HOURS:010d}").unlink()

        assert compact(rest.repository).snapshots == ()


class TestRefused:
    def test_a_file_that_was_changed_is_not_encrypted_again(self, rest: Rest, manifests: list[Manifest]) -> None:
        changed = next(file for file in manifests[2].new_files if file.table == "dbt_run_results")
        flip(rest.path(changed.key))

        with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
            compact(rest.repository)

        assert rest.repository.latest().sequence == HOURS

    def test_other_rows_after_than_before_are_not_committed(self, rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
        write = compaction.encrypted_file

        def forgetful(*arguments: Any) -> Any:
            context = write(*arguments)

            class Forgetting:
                def __enter__(self) -> Any:
                    file = context.__enter__()
                    real = file.write
                    file.write = lambda batch: real(batch.slice(1))
                    return file

                def __exit__(self, *error: Any) -> Any:
                    return context.__exit__(*error)

            return Forgetting()

        monkeypatch.setattr(compaction, "encrypted_file", forgetful)

        with pytest.raises(SnapshotCorruptError, match=r"changed its rows: \d+ were listed, \d+ read and \d+ written"):
            compact(rest.repository)

        assert rest.repository.latest().sequence == HOURS

    def test_without_the_key_of_a_category_nothing_is_merged(self, rest: Rest) -> None:
        assert isinstance(rest.keys, LocalKeys)
        without = KeysWithout(rest.keys, Category.FAILED_ROWS_SAMPLE, KeyUnavailableError)

        with pytest.raises(KeyUnavailableError, match="no key"):
            compact(opened(rest.store, without))

        assert rest.repository.latest().sequence == HOURS

    def test_tables_of_a_category_whose_key_was_deleted_stay_as_they_are(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        without = KeysWithout(rest.keys, Category.FAILED_ROWS_SAMPLE, KeyDeletedError)

        report = compact(opened(rest.store, without))

        lost = {file.key for file in manifests[-1].files if file.category is Category.FAILED_ROWS_SAMPLE}
        assert len(report.snapshots) == 1
        assert lost <= {file.key for file in rest.repository.latest().files}
        assert verify(rest.repository).findings == ()

    def test_a_chain_that_lacks_its_anchor_is_not_built_upon(self, rest: Rest, manifests: list[Manifest]) -> None:
        rest.path(f"manifests/{HOURS:010d}").unlink()

        with pytest.raises(SnapshotCorruptError, match="does not contain the anchor"):
            compact(rest.repository, anchors=[Anchor(HOURS, manifests[-1].sha256)])

    def test_a_reader_cannot_compact(self, rest: Rest) -> None:
        with pytest.raises(ConfigurationError, match="No signing key"):
            compact(opened(rest.store, rest.keys, signing=None))

    def test_an_empty_store_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SnapshotNotFoundError, match="holds no snapshot"):
            compact(local_rest(tmp_path).repository)


class TestRaces:
    def test_a_sync_that_loses_to_it_reads_the_warehouse_once(
        self, rest: Rest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        captures = counted(monkeypatch, capture, "_capture")
        before_first(monkeypatch, capture, "commit", lambda: compact(rest.repository))

        taken = sync(rest, tmp_path, HOURS + 1)

        assert (taken.kind, taken.sequence, len(captures)) == ("incremental", HOURS + 2, 1)
        assert len(taken.files) == len(taken.new_files) + len(rest.repository.find(sequence_id(rest, HOURS + 1)).files)
        assert read_all(rest.repository.source(), "dbt_run_results").num_rows == 5 * (HOURS + 1)
        assert verify(rest.repository, snapshot="all").findings == ()

    def test_merged_files_go_into_the_list_of_a_sync_that_came_first(
        self, rest: Rest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before_first(monkeypatch, compaction, "write_manifest", lambda: sync(rest, tmp_path, HOURS + 1))

        report = compact(rest.repository)

        newest = rest.repository.latest()
        assert (report.snapshots, newest.sequence) == ((newest.snapshot_id,), HOURS + 2)
        assert read_all(rest.repository.source(), "dbt_run_results").num_rows == 5 * (HOURS + 1)
        assert verify(rest.repository, snapshot="all").findings == ()

    def test_it_gives_up_and_leaves_nothing_where_a_full_snapshot_came_first(
        self, rest: Rest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def take_full() -> None:
            taken.append(sync(rest, tmp_path, HOURS + 1, full_every_days=0))

        taken: list[Manifest] = []
        before = data_files(rest)
        before_first(monkeypatch, compaction, "write_manifest", take_full)

        report = compact(rest.repository)

        assert report.snapshots == ()
        assert data_files(rest) == before | {file.key for file in taken[0].files}


class TestMaintain:
    def test_it_compacts_writes_missing_pages_and_prunes(
        self, rest: Rest, manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index, "LISTED", index.LEVELS[-1:])
        rest.path(index_key(4, 0)).unlink()

        report = maintain(rest.repository, Retention(keep_last=2))

        assert report.prune is not None
        # The compaction has the time and the rows of the snapshot before it, and takes its place.
        assert [kept.sequence for kept in report.prune.kept] == [HOURS + 1, HOURS - 1]
        assert (report.compaction.files, report.pages) == (72, 1)
        assert verify(rest.repository, snapshot="all").findings == ()

    def test_results_of_a_snapshot_that_a_compaction_replaced_stay(self, rest: Rest, manifests: list[Manifest]) -> None:
        origin = {"store": rest.store.uri, "snapshot_id": manifests[-1].snapshot_id}
        rows = pa.table({"full_table_name": ["A"], "column_name": [None]}, RESULT_SCHEMA)
        for run in ("first", "newest"):
            result = write_result(
                rest.repository, "metrics", rows.to_reader(), run_key=run, origin=origin, parameters={}
            )
        compact(rest.repository)

        for now in (LATER, LATER + timedelta(days=2)):
            report = prune(rest.repository, Retention(keep_last=1), now=now)

        assert (len(report.kept), report.results) == (1, 0)
        assert rest.store.get(result.key) is not None

    def test_a_scheduled_one_prunes_with_every_sixth_snapshot(self, rest: Rest, tmp_path: Path) -> None:
        reports = [maintain(rest.repository, Retention(), prune_now=False) for _ in range(2)]

        # The sixth snapshot came with the first one, which made a seventh.
        assert [report.prune is not None for report in reports] == [True, False]

    def test_the_command_prints_what_it_did(
        self, rest: Rest, airflow_connection: Callable[..., str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        airflow_connection("store", local_store(rest.store.uri, MASTER_KEYS))

        statuses = [main(["store", "maintain", "--store-conn-id", "store", *flags]) for flags in ([], ["--json"])]

        text, facts = capsys.readouterr().out.split("{", 1)
        assert statuses == [0, 0]
        assert "merged 72 files into 12, wrote 0 index pages" in text
        assert json.loads("{" + facts)["compaction"]["files"] == 0

    def test_the_operator_returns_what_it_did(self, rest: Rest, airflow_connection: Callable[..., str]) -> None:
        from airflow_provider_elementary.operators.snapshot import ElementaryMaintainStoreOperator

        airflow_connection("store", local_store(rest.store.uri, MASTER_KEYS))
        operator = ElementaryMaintainStoreOperator(task_id="maintain", store_conn_id="store", keep_last="3")

        returned = operator.execute({})

        newest = rest.repository.latest()
        assert returned["compaction"]["head"] == {"sequence": HOURS + 1, "sha256": newest.sha256}
        assert (returned["prune"]["kept"], returned["prune"]["waiting"]) == (3, 4)


class KeysWithout:
    """Master keys without that of one category.

    :param error: what asking for it raises.
    """

    def __init__(self, keys: Any, category: Category, error: type[KeyUnavailableError]) -> None:
        self._keys, self._category, self._error = keys, category, error

    def unwrap(self, category: Category, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        if category is self._category:
            raise self._error("no key")
        plaintext: bytes = self._keys.unwrap(category, wrapped, context)
        return plaintext

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)


def sequence_id(rest: Rest, number: int) -> str:
    return rest.repository.read_signed(number).document.snapshot_id


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[None]:
    """Count the calls of a function."""
    calls: list[None] = []
    before_each(monkeypatch, module, name, lambda: calls.append(None))
    return calls


def before_first(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], object]) -> None:
    """Let something happen before the first call of a function."""
    left = [act]
    before_each(monkeypatch, module, name, lambda: left.pop()() if left else None)


def before_each(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], object]) -> None:
    real = getattr(module, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        act()
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, wrapped)
