"""The commands on snapshots do what the operators do, and print it for people or as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Store
from airflow_provider_elementary.storage.layout import manifest_key
from tests.support.connections import local_store
from tests.support.datasets import write_duckdb
from tests.support.stores import Rest, grow, local_rest, world_after
from tests.support.tampering import digest_of

Connect = Callable[[str, Mapping[str, object]], str]
Run = Callable[..., tuple[int, str]]

MASTER_KEYS = LocalKeys.generate()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    directory = tmp_path_factory.mktemp("original")
    rest = Rest(local_rest(directory).store, LocalKeys(MASTER_KEYS), directory / "store")
    return rest, grow(rest, directory, [3, 4, 5])


@pytest.fixture
def run(rest: Rest, airflow_connection: Connect, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``airflow-elementary snapshot`` on the store; return its exit status and what it printed."""
    airflow_connection("store", local_store(rest.store.uri, MASTER_KEYS))

    def run(action: str, *arguments: str) -> tuple[int, str]:
        status = main(["snapshot", action, "--store-conn-id", "store", *arguments])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def facts_of(printed: str) -> Any:
    return json.loads(printed)


def test_list_names_every_snapshot_with_its_anchor(run: Run, rest: Rest, manifests: list[Manifest]) -> None:
    status, printed = run("list", "--json")

    listed = facts_of(printed)["snapshots"]
    assert status == 0
    assert [snapshot["snapshot_id"] for snapshot in listed] == [manifest.snapshot_id for manifest in manifests]
    assert listed[1]["manifest_sha256"] == digest_of(rest, 2)


def test_verify_prints_the_anchor_to_keep(run: Run, rest: Rest) -> None:
    status, printed = run("verify", "--snapshot", "all")

    assert status == 0
    assert f"anchor: 3:{digest_of(rest, 3)}" in printed
    assert "not anchored; 3 manifests, 0 pruned" in printed


def test_verify_fails_and_names_what_is_changed(run: Run, rest: Rest, manifests: list[Manifest]) -> None:
    key = manifests[-1].files[0].key
    rest.path(key).write_bytes(b"forged")

    status, printed = run("verify", "--json", "--hashes-only")

    assert status == 1
    assert [(found["damage"], found["object"]) for found in facts_of(printed)["findings"]] == [("changed", key)]


def test_verify_takes_an_anchor(run: Run, rest: Rest) -> None:
    anchor = f"3:{digest_of(rest, 3)}"
    rest.store.delete(manifest_key(3))

    status, printed = run("verify", "--anchor", anchor)

    assert status == 1
    assert "rolled back" in printed


def test_restore_makes_a_duckdb_file(run: Run, tmp_path: Path, manifests: list[Manifest]) -> None:
    path = tmp_path / "back.duckdb"

    status, printed = run("restore", "--to", str(path), "--snapshot", manifests[0].snapshot_id, "--json")

    assert (status, path.exists()) == (0, True)
    assert facts_of(printed)["tables"]["dbt_invocations"] == 3


def test_restore_does_not_overwrite(run: Run, tmp_path: Path) -> None:
    (tmp_path / "back.duckdb").write_text("precious")

    status, printed = run("restore", "--to", str(tmp_path / "back.duckdb"))

    assert (status, (tmp_path / "back.duckdb").read_text()) == (3, "precious")
    assert "Nothing is overwritten" in printed


def test_prune_shows_the_reasons_in_a_dry_run(run: Run, rest: Rest, manifests: list[Manifest]) -> None:
    status, printed = run(
        "prune", "--keep-last", "1", "--category-days", "failed_rows_sample=30", "--dry-run", "--json"
    )

    facts = facts_of(printed)
    assert status == 0
    assert [snapshot["reasons"] for snapshot in facts["snapshots"]] == [["last"], [], []]
    assert len(list(rest.store.list("manifests/"))) == 3


def test_prune_leaves_a_store_that_verifies(run: Run) -> None:
    pruned, _ = run("prune", "--keep-last", "1")
    verified, printed = run("verify")

    assert (pruned, verified) == (0, 0)
    assert "1 manifest, 2 pruned" in printed


def test_diff_counts_rows(run: Run, manifests: list[Manifest]) -> None:
    status, printed = run("diff", manifests[0].snapshot_id, "--json")

    assert status == 0
    assert facts_of(printed)["rows"]["dbt_invocations"] == {"before": 3, "after": 5}


def test_equal_snapshots_have_no_changes(run: Run, manifests: list[Manifest]) -> None:
    snapshot = manifests[1].snapshot_id

    _, printed = run("diff", snapshot, snapshot)

    assert "no changes of the dbt project" in printed
    assert "no change of the number of rows in 17 tables" in printed


@pytest.mark.parametrize(
    ("arguments", "expected", "message"),
    [
        (("verify", "--anchor", "latest"), 2, "--anchor takes a number and a hash, as in 12:"),
        (("prune", "--category-days", "samples=3"), 2, "Write CATEGORY=DAYS with a category of"),
        (("diff", "no such snapshot"), 3, "holds no snapshot no such snapshot"),
        (("restore",), 2, "The restore target is missing or ambiguous"),
    ],
)
def test_an_invalid_argument_is_an_error(run: Run, arguments: tuple[str, ...], expected: int, message: str) -> None:
    status, printed = run(*arguments)

    assert status == expected
    assert message in printed


@pytest.mark.parametrize("action", ["list", "verify", "prune", "diff"])
def test_people_read_tables(run: Run, manifests: list[Manifest], action: str) -> None:
    status, printed = run(action, *([manifests[0].snapshot_id] if action == "diff" else []))

    assert status == 0
    assert not printed.startswith("{")


def test_connections_of_airflows_own_database_are_looked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)

    run("list")

    assert os.environ["_AIRFLOW_PROCESS_CONTEXT"] == "server"


def program(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own, where Airflow sets up its log as it does for people."""
    code = "from airflow_provider_elementary.cli.main import program; program()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_what_is_printed_as_json_is_json_whatever_is_logged(
    rest: Rest, airflow_connection: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "INFO")
    airflow_connection("store", local_store(rest.store.uri, MASTER_KEYS))

    options = ["--keep-last", "1", "--json", "--store-conn-id", "store"]
    ended = program("snapshot", "prune", *options)

    assert json.loads(ended.stdout)["removed"]
    assert "pruned" in ended.stderr


def test_who_stops_reading_the_output_sees_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ended = program("keys", "generate", "--file", str(tmp_path / "keys.json"), stdout=writer)
    os.close(writer)

    assert (ended.returncode, ended.stderr) == (1, "")


def test_an_interrupted_command_ends_with_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(store: Store) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_provider_elementary.snapshots.repository.read_chain", interrupt)

    assert run("list") == (130, "airflow-elementary: interrupted\n")


def test_a_place_without_a_store_is_an_error(run: Run, tmp_path: Path, airflow_connection: Connect) -> None:
    airflow_connection("nowhere", {"conn_type": "elementary_store", "extra": {"uri": (tmp_path / "nowhere").as_uri()}})

    status, printed = run("verify", "--hashes-only", "--store-conn-id", "nowhere")

    assert (status, "is not a store: there is no store.json" in printed) == (3, True)


def test_an_empty_store_is_an_error(run: Run, tmp_path: Path, airflow_connection: Connect) -> None:
    airflow_connection("empty", local_store(tmp_path / "empty"))

    status, printed = run("verify", "--hashes-only", "--store-conn-id", "empty")

    assert (status, "holds no snapshot. Run the snapshot task first, and check the URI" in printed) == (3, True)


class TestAStoreThatIsNotPinned:
    """Whatever is read of it may be anybody's, and what is printed says so."""

    @pytest.fixture
    def run(self, rest: Rest, airflow_connection: Connect, capsys: pytest.CaptureFixture[str]) -> Run:
        connection = local_store(rest.store.uri, MASTER_KEYS)
        extra = {name: value for name, value in dict(connection["extra"]).items() if name != "store_id"}  # type: ignore[call-overload]
        airflow_connection("store", {**connection, "extra": extra})

        def run(action: str, *arguments: str) -> tuple[int, str]:
            status = main(["snapshot", action, "--store-conn-id", "store", *arguments])
            return status, capsys.readouterr().out

        return run

    @pytest.mark.parametrize("arguments", [["list"], ["diff", "{first}"], ["restore", "--to", "{path}"]], ids=" ".join)
    def test_is_unproved_in_text_and_json(
        self, arguments: list[str], run: Run, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        def filled(name: str) -> list[str]:
            return [each.format(first=manifests[0].snapshot_id, path=tmp_path / name) for each in arguments]

        printed, facts = run(*filled("text.duckdb")), run(*filled("json.duckdb"), "--json")

        assert "unproved: the connection names no store_id" in printed[1].replace("\n", " ")
        assert facts_of(facts[1])["unproved"].startswith("unproved: the connection names no store_id")
        assert (printed[0], facts[0]) == (0, 0)


def test_what_is_read_of_a_pinned_store_is_not_called_unproved(run: Run, manifests: list[Manifest]) -> None:
    assert facts_of(run("list", "--json")[1])["unproved"] is None
    assert "unproved" not in run("list")[1]


def test_take_with_an_anchor_that_is_hidden_commits_a_full_snapshot_and_fails(
    run: Run, rest: Rest, manifests: list[Manifest], airflow_connection: Connect, tmp_path: Path
) -> None:
    warehouse = write_duckdb(world_after(6), tmp_path / "warehouse.duckdb")
    conn_id = airflow_connection("warehouse", {"conn_type": "elementary_duckdb", "host": str(warehouse)})
    rest.path(manifest_key(3)).unlink()

    status, printed = run("take", "--conn-id", conn_id, "--anchor", f"3:{manifests[-1].sha256}")

    assert status == 1
    assert "in full and with new data keys" in printed.replace("\n", " ")
    assert rest.path(manifest_key(4)).exists()
