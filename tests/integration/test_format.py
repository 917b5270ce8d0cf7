"""What docs/format.md says of the format is enough to read a store: its own code does, with none of the package's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.anomalies.elementary.configured_tests import TESTS
from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.metrics.by_day import update_metrics
from airflow_provider_elementary.snapshots import KmsKeys, LocalKeys, Policy, Repository, open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.maintenance import mergeable
from airflow_provider_elementary.snapshots.maintenance.compaction import compact
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.layout import manifest_key, record_key, signer_key
from airflow_provider_elementary.storage.records.answer_log import append_answer
from airflow_provider_elementary.storage.records.answers import Answer
from airflow_provider_elementary.storage.records.results import read_result
from airflow_provider_elementary.storage.trust import introduce
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.counting_store import BEGAN, CountingStore, SyntheticChain
from tests.support.signing import SIGNER, STORE_ID, entry, new_signer, signed
from tests.support.stores import Rest, grow, local_rest, take, world_after_hours
from tests.support.tampering import edit_signed

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

PAGE = Path(__file__).parents[2] / "docs" / "format.md"
EVERYTHING = Policy(categories=tuple(Category), failed_rows_days=100_000)
OPENING = ("format-documents", "format-manifest", "format-expired")


def run_blocks(*names: str, **scene: Any) -> dict[str, Any]:
    """Run code of the page, block after block, and return the names that it made."""
    scene.setdefault("STORE_ID", STORE_ID)
    blocks = dict(re.findall(r"<!-- name: ([\w-]+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    for name in names:
        exec(compile(blocks[name], f"{PAGE.name}: {name}", "exec"), scene)  # noqa: S102 - our own page
    return scene


def rows_of(table: Any) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in table.to_pylist())


@pytest.fixture(scope="module")
def master_keys() -> dict[str, str]:
    return LocalKeys.generate()


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory, master_keys: dict[str, str]) -> Rest:
    directory = tmp_path_factory.mktemp("format")
    rest = Rest(local_rest(directory).store, LocalKeys(master_keys), directory / "store")
    assert [manifest.kind for manifest in grow(rest, directory, [3, 5], policy=EVERYTHING)] == ["full", "incremental"]
    return rest


@pytest.mark.parametrize("table", TABLES)
def test_plain_pyarrow_reads_every_table(rest: Rest, master_keys: dict[str, str], table: str) -> None:
    scene = run_blocks(*OPENING, "format-unwrap-local", "format-pyarrow", STORE=rest.folder, MASTER_KEYS=master_keys)

    found = scene["read_table"](table)

    assert rows_of(found) == rows_of(read_all(open_snapshot(rest.repository), table))


@pytest.mark.parametrize("table", TABLES)
def test_plain_duckdb_reads_every_table(rest: Rest, master_keys: dict[str, str], table: str) -> None:
    scene = run_blocks(*OPENING, "format-unwrap-local", "format-duckdb", STORE=rest.folder, MASTER_KEYS=master_keys)

    found = scene["connection"].sql(scene["select"](table)).to_arrow_table()

    assert rows_of(found) == rows_of(read_all(open_snapshot(rest.repository), table))


def test_the_keys_open_with_kms_alone(tmp_path: Path, aws_server: AwsServer) -> None:
    kms = aws_server.client("kms")
    rest = Rest(local_rest(tmp_path).store, KmsKeys(kms, aws_server.create_key()), tmp_path / "store")
    grow(rest, tmp_path, [2])

    scene = run_blocks(*OPENING, "format-unwrap-kms", "format-pyarrow", STORE=rest.folder, kms=kms)

    assert scene["read_table"]("dbt_invocations").num_rows == 2


def test_the_chain_is_checked_by_hashes_alone(rest: Rest) -> None:
    run_blocks(*OPENING, "format-chain", STORE=rest.folder)


def test_a_changed_manifest_does_not_pass(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    grow(rest, tmp_path, [2, 3])
    edit_signed(rest, manifest_key(1), lambda facts: facts.update(run_key="another"))

    with pytest.raises(AssertionError, match="manifest 1 was changed"):
        run_blocks(*OPENING, "format-chain", STORE=rest.folder)


def test_a_missing_manifest_does_not_pass_and_a_pruned_one_does(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    grow(rest, tmp_path, [2, 3])
    # The second is full: it does not add to the list of the first.
    grow(rest, tmp_path, [4], policy=EVERYTHING)
    for days in (1, 3):
        prune(rest.repository, Retention(keep_last=1), now=datetime.now(UTC) + timedelta(days=days))

    assert sorted(run_blocks(*OPENING, "format-chain", STORE=rest.folder)["there"]) == [3]
    rest.path(record_key(1)).unlink()
    with pytest.raises(AssertionError, match="manifest 2 is missing"):
        run_blocks(*OPENING, "format-chain", STORE=rest.folder)


def test_what_no_key_of_the_store_signed_is_passed_over(rest: Rest) -> None:
    newest = run_blocks(*OPENING, STORE=rest.folder)["manifest"]
    for name in (manifest_key(9_999_999_999), record_key(9_999_999_999), signer_key(1)):
        rest.store.put(name, b"{}")

    assert run_blocks(*OPENING, "format-chain", STORE=rest.folder)["manifest"] == newest


@pytest.mark.parametrize("revoke", [False, True])
def test_a_store_whose_signing_key_was_replaced_is_read(tmp_path: Path, revoke: bool) -> None:
    rest, signer = local_rest(tmp_path), new_signer()
    [manifest] = grow(rest, tmp_path, [2])
    retired = (SIGNER.key_id,)
    documents = rest.repository.documents
    introduce(
        *(documents, entry(signer)),
        first_number=2,
        head=manifest.sha256,
        retired=retired,
        revoked=retired if revoke else (),
    )
    # The new key signs the next, and the old one only what it may not sign.
    writer = Repository(rest.store, rest.keys, store_id=STORE_ID, signing=signer)
    with WarehouseSource(DuckDBWarehouse(tmp_path / "warehouse.duckdb", "elementary")) as source:
        write_snapshot(source, writer, policy=Policy(failed_rows_days=100_000))
    body = rest.path(manifest_key(2)).read_bytes().partition(b"\n")[2]
    rest.store.put(manifest_key(3), signed(SIGNER, STORE_ID, manifest_key(3), body))

    scene = run_blocks(*OPENING, "format-chain", STORE=rest.folder)

    assert scene["manifest"]["sequence"] == 2
    assert sorted(scene["there"]) == [1, 2]


def test_another_store_is_not_read(rest: Rest) -> None:
    with pytest.raises(AssertionError, match="this is another store"):
        run_blocks(*OPENING, STORE=rest.folder, STORE_ID="ab" * 32)


def test_a_page_of_the_index_finds_a_snapshot_by_its_time(tmp_path: Path) -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(20)
    for name, content in chain.store.objects.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    scene = run_blocks("format-documents", "format-index", STORE=tmp_path)

    def found(hours: float) -> int:
        return int(scene["find_by_time"]((BEGAN + timedelta(hours=hours)).isoformat())["sequence"])

    (tmp_path / manifest_key(9_999_999_999)).write_bytes(b"{}")
    # The newest page ends with number 16. A manifest that a prune removed is not found.
    assert (found(7.5), found(17.5), found(99)) == (8, 18, 20)
    (tmp_path / manifest_key(12)).unlink()
    (tmp_path / manifest_key(18)).unlink()
    assert (found(11.5), found(17.5)) == (11, 17)
    # An older page, of another snapshot of that number.
    facts = (tmp_path / manifest_key(8)).read_bytes().partition(b"\n")[2].replace(b'"epoch":1', b'"epoch":2')
    (tmp_path / manifest_key(8)).write_bytes(signed(SIGNER, STORE_ID, manifest_key(8), facts))
    with pytest.raises(AssertionError, match="the page is of another snapshot"):
        scene["find_by_time"]((BEGAN + timedelta(hours=7, minutes=30)).isoformat())


def test_a_compaction_is_read_as_any_snapshot(
    tmp_path: Path, master_keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = Rest(local_rest(tmp_path).store, LocalKeys(master_keys), tmp_path / "store")
    monkeypatch.setattr(mergeable, "SNAPSHOTS", 2)
    for hours in (1, 2, 3):
        take(rest, tmp_path / "warehouse.duckdb", world_after_hours(hours), overlap=timedelta(minutes=10))
    compact(rest.repository)
    blocks = (*OPENING, "format-unwrap-local", "format-pyarrow", "format-chain", "format-duckdb")

    scene = run_blocks(*blocks, STORE=rest.folder, MASTER_KEYS=master_keys)

    assert scene["manifest"]["kind"] == "compaction"
    expected = rows_of(read_all(open_snapshot(rest.repository), "dbt_run_results"))
    assert rows_of(scene["read_table"]("dbt_run_results")) == expected
    assert rows_of(scene["connection"].sql(scene["select"]("dbt_run_results")).to_arrow_table()) == expected


def test_results_and_answers_are_read(tmp_path: Path, master_keys: dict[str, str]) -> None:
    rest = Rest(local_rest(tmp_path).store, LocalKeys(master_keys), tmp_path / "store")
    [manifest] = grow(rest, tmp_path, [3])
    result = update_metrics(rest.repository, rest.repository.source(manifest), run_key="1", origin={}, tests=TESTS)
    append_answer(rest.repository, Answer("1", "0" * 16, "note", "ada", "2026-11-04T12:00:00", note="the loader"))
    rest.store.put("feedback/0000000001", b"{}")

    scene = run_blocks(*OPENING, "format-unwrap-local", "format-results", STORE=rest.folder, MASTER_KEYS=master_keys)

    assert len(result.saved_files) == 2
    with read_result(rest.repository, result.key) as rows:
        assert rows_of(scene["read_newest_result"]("metrics")) == rows_of(rows.read_all())
    [answer] = scene["read_answers"]()
    assert (answer["note"], answer["until"]) == ("the loader", None)


def test_expired_files_are_left_out(tmp_path: Path, master_keys: dict[str, str]) -> None:
    rest = Rest(local_rest(tmp_path).store, LocalKeys(master_keys), tmp_path / "store")
    grow(rest, tmp_path, [3])
    prune(rest.repository, Retention(category_days={"failed_rows_sample": 1}), now=datetime(2100, 1, 1, tzinfo=UTC))

    scene = run_blocks(*OPENING, "format-unwrap-local", "format-pyarrow", STORE=rest.folder, MASTER_KEYS=master_keys)

    assert "failed_rows_sample" not in {file["category"] for file in scene["files"]}
    assert scene["read_table"]("test_result_rows").num_rows > 0
