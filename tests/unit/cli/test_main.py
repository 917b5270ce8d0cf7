"""Each command explains itself, and the console script ends with the command's status."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from airflow_provider_elementary.cli.examples import subcommands
from airflow_provider_elementary.cli.main import _parser, main

#: A thread that is left in a native reader, which calls back into Python, as one whose driver was given up.
_LEAVES_A_THREAD = """
import sys, threading, time
import pyarrow as pa
from airflow_provider_elementary.cli import main

def command(arguments):
    started, batch = threading.Event(), pa.record_batch({"a": [1]})

    def batches():
        while True:
            started.set()
            time.sleep(0.001)
            yield batch

    reader = pa.RecordBatchReader.from_batches(batch.schema, batches())
    threading.Thread(target=reader.read_all, daemon=True).start()
    started.wait()
    return 3

main._example_dags = command
sys.argv = ["airflow-elementary", "example-dags"]
"""


def status_of(end: str) -> int:
    script = _LEAVES_A_THREAD + end
    return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=120).returncode


def test_a_thread_left_in_a_native_reader_does_not_change_the_exit_status() -> None:
    assert status_of("main.program()") == 3


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python 3.14 lets such threads hang")
def test_python_aborts_where_the_interpreter_is_shut_down_around_such_a_thread() -> None:
    assert status_of("sys.exit(main.main())") < 0


def _actions(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    (found,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return found


def test_the_help_of_snapshot_names_its_actions_and_no_other() -> None:
    commands = _actions(_parser())
    (text,) = (each.help for each in commands._choices_actions if each.dest == "snapshot")

    named = re.findall(r"\w+", (text or "").removesuffix(" snapshots").replace(" and ", ", "))

    assert sorted(named) == sorted(_actions(commands.choices["snapshot"]).choices)


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a command and those below it."""
    yield parser
    for actions, name, _ in subcommands(parser):
        yield from _commands(actions.choices[name])


COMMANDS = {command.prog: command for command in _commands(_parser())}
#: Those that do something; ``incidents`` also has an action.
ACTING = sorted(name for name, command in COMMANDS.items() if command.get_default("command"))
#: They speak a protocol, and run a DAG.
WITHOUT_JSON = {"airflow-elementary mcp", "airflow-elementary demo"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does_and_each_argument_has_help(name: str) -> None:
    command = COMMANDS[name]

    assert re.match(r"[A-Z].*\.", command.description or "")
    assert [each.dest for each in command._actions if not each.help and each.metavar not in ("ACTION", "COMMAND")] == []


@pytest.mark.parametrize("name", ACTING)
def test_the_example_of_each_command_is_accepted(name: str) -> None:
    _, _, example = (COMMANDS[name].description or "").partition("Example: airflow-elementary ")

    assert example.startswith(name.removeprefix("airflow-elementary "))
    assert _parser().parse_args(shlex.split(example)).command is COMMANDS[name].get_default("command")


def test_every_command_prints_json_but_those_that_serve_or_demonstrate() -> None:
    without = {name for name in ACTING if not any("--json" in each.option_strings for each in COMMANDS[name]._actions)}

    assert without == WITHOUT_JSON


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sumary"], "Did you mean 'summary'?"),
        (["snapshot", "lst"], "Did you mean 'list'?"),
        (["anomalies", "--method", "robst"], "Did you mean 'robust'?"),
        (
            ["table", "dbt_invocation"],
            "'dbt_invocation'. Did you mean 'dbt_invocations'? The tables are: ",
        ),
        (["snapshot", "list", "--store-con-id", "x"], "arguments: --store-con-id x. Did you mean '--store-conn-id'?"),
        (["grants", "postgress"], "No grants are known for 'postgress'. Did you mean 'postgres'? Known: "),
        (["zzz"], "invalid choice: 'zzz'"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert ("Did you mean" in said) == ("Did you mean" in printed)


def test_an_unknown_option_is_answered_with_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snapshot", "list", "--colour"]) == 2
    assert capsys.readouterr().err.startswith("usage: airflow-elementary snapshot list ")
