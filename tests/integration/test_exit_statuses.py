"""Every command ends with the status of its outcome, and with --json prints one JSON document and nothing else."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from airflow_provider_elementary.cli import exits, main
from airflow_provider_elementary.cli.output import print_json
from airflow_provider_elementary.exceptions import AccessDeniedError, SnapshotCorruptError
from airflow_provider_elementary.snapshots import LocalKeys, Manifest
from airflow_provider_elementary.storage.layout import manifest_key
from tests.support.command_outcomes import FINDING, FINE, NOT_DONE, OUTCOMES, USAGE
from tests.support.connections import duckdb_file, local_store, s3_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.stores import Rest, grow, local_rest, take, world_after

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

Connect = Callable[[str, Mapping[str, object]], str]
Output = pytest.CaptureFixture[str]

MASTER_KEYS = LocalKeys.generate()
PASSWORD = "AWS-secret-that-nobody-prints"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the arguments of the commands name."""
    folder = tmp_path_factory.mktemp("outcomes")
    rest = Rest(local_rest(folder).store, LocalKeys(MASTER_KEYS), folder / "store")
    manifests: list[Manifest] = grow(rest, folder, [6, 7, 8])
    (folder / "damaged").mkdir()
    damaged = Rest(local_rest(folder / "damaged").store, LocalKeys(MASTER_KEYS), folder / "damaged" / "store")
    for manifest in grow(damaged, folder / "damaged", [6, 8]):
        for file in manifest.files:
            damaged.path(file.key).write_bytes(b"forged")
    for name in ("broken", "odd"):
        (folder / name).mkdir()
    broken = Rest(local_rest(folder / "broken").store, LocalKeys(MASTER_KEYS), folder / "broken" / "store")
    grow(broken, folder / "broken", [6, 7, 8])
    broken.path(manifest_key(2)).write_bytes(b"forged")
    odd = Rest(local_rest(folder / "odd").store, LocalKeys(MASTER_KEYS), folder / "odd" / "store")
    take(odd, folder / "odd" / "warehouse.duckdb", small_world(28))
    (folder / "store_path").mkdir()
    (folder / "store_path" / "keys.json").write_text("{}")
    write_duckdb(world_after(8), folder / "tight.duckdb")
    write_duckdb(world_after(8), folder / "wide.duckdb")
    with duckdb.connect(str(folder / "wide.duckdb")) as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.users (email text)")
    return {
        "folder": str(folder),
        "sound": rest.store.uri,
        "damaged": damaged.store.uri,
        "broken": (folder / "broken" / "store").as_uri(),
        "odd": (folder / "odd" / "store").as_uri(),
        "empty": (folder / "empty").as_uri(),
        "unwritable": (folder / "store_path" / "keys.json" / "below").as_uri(),
        "ftp": "ftp://host/store",
        "store_path": str(folder / "store_path"),
        "first": manifests[0].snapshot_id,
        "tight": "tight",
        "wide": "wide",
        "missing": "missing",
        "driverless": "driverless",
    }


@pytest.fixture
def connections(places: dict[str, str], airflow_connection: Connect) -> None:
    folder = Path(places["folder"])
    for name in ("sound", "damaged", "broken", "odd", "empty", "unwritable", "ftp"):
        airflow_connection(name, local_store(places[name], MASTER_KEYS))
    airflow_connection("no_keys", {"conn_type": "elementary_store", "extra": {"uri": places["sound"]}})
    airflow_connection("other_keys", local_store(places["sound"]))
    for name in ("tight", "wide", "missing"):
        airflow_connection(name, duckdb_file(folder / f"{name}.duckdb"))
    airflow_connection("driverless", {"conn_type": "vertica", "host": "db.example.com", "password": PASSWORD})


def commands(parser: argparse.ArgumentParser | None = None, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command that the parser knows."""
    parser = parser or main._parser()
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for name, child in action.choices.items():
            yield from commands(child, (*words, name))
    if not below or parser.get_default("command"):
        yield " ".join(words)


def has_json(command: str) -> bool:
    parser = main._parser()
    for word in command.split():
        (action,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
        if word not in action.choices:
            return False
        parser = action.choices[word]
    return "--json" in parser._option_string_actions


def test_the_outcomes_of_every_command_are_listed() -> None:
    assert set(OUTCOMES) == set(commands())


@pytest.mark.parametrize(
    ("command", "expected", "words"),
    [(command, *outcome) for command, outcomes in OUTCOMES.items() for outcome in outcomes],
)
def test_a_command_ends_with_the_status_of_its_outcome(
    command: str, expected: int, words: str, places: dict[str, str], connections: None, capsys: Output
) -> None:
    status = main.main([*command.split(), *(word.format(**places) for word in words.split())])

    printed = capsys.readouterr()
    assert status == expected, printed.out + printed.err
    assert "Traceback" not in printed.out + printed.err
    assert PASSWORD not in printed.out + printed.err
    if status in (USAGE, NOT_DONE):
        assert printed.err


def test_an_abbreviated_option_is_wrong_usage(capsys: Output) -> None:
    assert main.main(["snapshot", "list", "--store", "sound"]) == USAGE
    assert "unrecognized arguments: --store sound" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["", "no-such-command", "snapshot", "snapshot no-such-action", "keys"])
def test_an_unknown_command_is_wrong_usage(words: str, capsys: Output) -> None:
    assert main.main(words.split()) == USAGE
    assert "usage: airflow-elementary" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "no-such-command", "snapshot", *commands()])
@pytest.mark.parametrize("words", ["--json", "--json --no-such-option", "--no-such-option=1 --json"])
def test_wrong_usage_is_one_json_document_too(command: str, words: str, capsys: Output) -> None:
    words = "--json --no-such-option" if has_json(command) and words == "--json" else words

    assert main.main([*command.split(), *words.split()]) == USAGE

    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert (error["exit_status"], error["kind"]) == (USAGE, "InvalidArgumentsError")
    assert printed.err.startswith("usage: airflow-elementary")
    assert printed.err.endswith(f"airflow-elementary: {error['message']}\n")


@pytest.mark.parametrize("words", ["--help", "--version", "snapshot --help", "anomalies --help"])
def test_help_is_fine(words: str, capsys: Output) -> None:
    assert main.main(words.split()) == FINE
    assert capsys.readouterr().out


def printing(*arguments: object, **options: object) -> None:
    """Do what libraries do: print, log, and write to the descriptor of standard output."""
    print("a library prints")
    os.write(1, b"a library in C prints\n")
    logging.getLogger("library").warning("a library logs")


def can_fail(command: str) -> bool:
    return any(expected == NOT_DONE for expected, _ in OUTCOMES[command])


@pytest.mark.parametrize("command", [command for command in commands() if has_json(command) and can_fail(command)])
def test_a_failure_is_one_json_document_too(
    command: str, places: dict[str, str], connections: None, capsys: Output
) -> None:
    words = next(words for expected, words in OUTCOMES[command] if expected == NOT_DONE)

    status = main.main([*command.split(), *(word.format(**places) for word in words.split()), "--json"])

    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert error["exit_status"] == status == NOT_DONE
    assert f"airflow-elementary: {error['message']}" in printed.err


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (KeyError(PASSWORD), NOT_DONE, "The command ended in an unexpected KeyError"),
        (OSError(28, "No space left on device", "/data/file"), NOT_DONE, "/data/file: No space left on device."),
        (ImportError("no", name="adbc_driver_postgresql"), NOT_DONE, "module adbc_driver_postgresql is not installed"),
        (AccessDeniedError("Denied."), FINDING, "Denied."),
        (SnapshotCorruptError("Changed."), FINDING, "Changed."),
        (exits.UsageError("Wrong."), USAGE, "Wrong."),
    ],
)
def test_an_error_of_any_kind_has_a_status_and_a_sentence(
    error: Exception, expected: int, message: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(arguments: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(main, "_example_dags", fails)

    assert main.main(["example-dags"]) == expected
    printed = capsys.readouterr().err
    assert message in printed
    assert PASSWORD not in printed


def test_what_json_cannot_represent_is_null(capsys: Output) -> None:
    print_json({"score": float("inf"), "values": [float("nan"), 1.5], "at": {1: "one"}})

    assert json.loads(capsys.readouterr().out) == {"score": None, "values": [None, 1.5], "at": {"1": "one"}}


_RUN_EACH = """
import json, os, sys
from pathlib import Path
from tests.integration.test_exit_statuses import printing
from airflow_provider_elementary.cli import main, access
from airflow_provider_elementary.cli import airflow_context as connections
from airflow_provider_elementary.cli import options as store

look = connections.enable_metadata_db_connections
def noisy():
    look()
    printing()
store.enable_metadata_db_connections = access.enable_metadata_db_connections = noisy
for number, words in enumerate(json.loads(Path(sys.argv[1]).read_text())):
    with open(f"{sys.argv[1]}.{number}", "wb") as file:
        os.dup2(file.fileno(), 1)
        status = main.main(words)
        sys.stdout.flush()
    Path(f"{sys.argv[1]}.{number}.status").write_text(str(status))
"""


def test_standard_output_is_one_json_document_whatever_libraries_print_and_log(
    aws_server: AwsServer, places: dict[str, str], connections: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An AWS connection with login and password is one of which Airflow's hook logs a line."""
    aws = aws_server.airflow_connection()
    monkeypatch.setenv("AIRFLOW_CONN_AWS", json.dumps(aws))
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "INFO")
    bucket, key = aws_server.create_bucket(), aws_server.create_key()
    monkeypatch.setenv("AIRFLOW_CONN_ON_S3", json.dumps(s3_store(aws_server, f"s3://{bucket}/elementary", key)))
    store = ["--store-conn-id", "on_s3", "--json"]
    runs = [
        ["check-access", "--conn-id", "wide", "--json"],
        ["store", "init", "--uri", (tmp_path / "new").as_uri(), "--keys-file", str(tmp_path / "keys.json"), "--json"],
        ["store", "check", *store],
        ["snapshot", "take", *store, "--conn-id", "tight"],
        ["snapshot", "list", *store],
        ["snapshot", "verify", *store],
        ["snapshot", "restore", *store, "--to", str(tmp_path / "back.duckdb")],
        ["snapshot", "prune", *store, "--keep-last", "1"],
        ["store", "maintain", *store],
        ["snapshot", "diff", "latest", *store],
        ["anomalies", *store],
        ["incidents", *store],
        ["doctor", *store, "--conn-id", "tight"],
        ["audit", *store],
        ["lint", *store],
        ["backtest", *store],
        ["summary", *store],
        ["grants", "postgres", "--json"],
        ["query-history", "grants", "postgres", "--json"],
        ["keys", "generate", "--file", str(tmp_path / "new-keys.json"), "--json"],
        ["example-dags", "--json"],
        ["table", "dbt_invocations", "--limit", "1", *store[:-1]],
    ]
    (tmp_path / "runs").write_text(json.dumps(runs))

    ended = subprocess.run(
        [sys.executable, "-c", _RUN_EACH, str(tmp_path / "runs")],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr[-3000:]
    statuses = [int((tmp_path / f"runs.{number}.status").read_text()) for number in range(len(runs))]
    documents: list[Any] = [json.loads((tmp_path / f"runs.{number}").read_text()) for number in range(len(runs))]
    assert statuses == [FINDING, *[FINE] * (len(runs) - 1)]
    assert {run[1] if run[0] in ("snapshot", "store", "keys") else run[0] for run in runs} >= {
        # An answer needs an incident, whose id is not known here; usage and show a stored history (unit tests of cli);
        # a rotation a second key.
        command.split()[-1]
        for command in commands()
        if has_json(command)
        and command not in ("incidents answer", "query-history usage", "query-history show", "store rotate-signing-key")
    }
    assert documents[3]["sequence"] == 1
    [summary] = [document for run, document in zip(runs, documents, strict=True) if run[0] == "summary"]
    assert summary["snapshot"]["sequence"] == 1
    assert [each["incident_id"] for each in summary["incidents"]] == [each["incident_id"] for each in documents[11]]
    for printed in ("a library prints", "a library in C prints", "a library logs", "AWS Connection"):
        assert printed in ended.stderr
