"""Runs a block, or checks it, by its language."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from sqlglot import parse
from sqlglot.errors import SqlglotError

from tests.docs.blocks import ROOT, Block
from tests.docs.commands import check_shell

#: A statement has to be one of these.
_DIALECTS = ("duckdb", "snowflake", "postgres", "redshift", "bigquery", "databricks", "clickhouse", "trino")
#: Languages of blocks that are only shown; a block like ```{toctree} is run by the site's build.
_NOT_CODE = ("", "text", "console")


def is_dag(block: Block) -> bool:
    """Whether it is a file for Airflow's folder of DAGs."""
    return block.language == "python" and re.search(r"\b(DAG|DbtDag)\(|^@dag\b", block.source, re.M) is not None


def has_own_test(block: Block) -> bool:
    """Whether another test, which names it, runs it."""
    return bool(block.name) and any(f'"{block.name}"' in text for text in _test_sources())


def is_run(block: Block) -> bool:
    """Whether it is run here: where its comment asks for it, and Python that is no DAG always."""
    is_plain = block.language == "python" and not is_dag(block) and not block.name
    return block.reason is None and (block.to_run or is_plain)


def is_checked(block: Block) -> bool:
    """Whether it is checked by its language."""
    is_other = block.language == "python" and bool(block.name)
    return block.reason is None and not is_run(block) and not is_other and block.language in CHECKS


@cache
def _test_sources() -> list[str]:
    return [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]


def is_code(block: Block) -> bool:
    """Whether it is meant to be run."""
    return block.language not in _NOT_CODE and not block.language.startswith("{")


def run_python(source: str, folder: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    exec(compile(source, "<block>", "exec"), {"__name__": "__main__"})  # noqa: S102 - that is the test
    return capsys.readouterr().out


def run_dags(source: str, folder: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> str:
    from tests.support.dag_runs import run_parsed_dag

    request.getfixturevalue("airflow_db")
    outcomes = {dag_id: run_parsed_dag(folder / "dags", dag_id, {}) for dag_id in parse_dags(source, folder)}
    assert {dag_id: outcome.state for dag_id, outcome in outcomes.items()} == dict.fromkeys(outcomes, "success")
    return ""


def run_shell(source: str, folder: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> str:
    programs: Path = request.getfixturevalue("programs")
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", source],
        env={**os.environ, "PATH": path, "COLUMNS": "120"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def run_sql(source: str, folder: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> str:
    from airflow_provider_elementary.hooks.elementary import ElementaryHook

    ElementaryHook().query(source).read_all()
    return ""


def parse_dags(source: str, folder: Path) -> list[str]:
    """Let Airflow read the block as a file in a folder of DAGs, and return the DAGs' ids."""
    from airflow.dag_processing.dagbag import DagBag

    (folder / "dags").mkdir()
    (folder / "dags" / "block.py").write_text(source)
    bag = DagBag(str(folder / "dags"))
    assert bag.import_errors == {}
    assert bag.dags
    return list(bag.dags)


def check_sql(source: str) -> None:
    for dialect in _DIALECTS:
        try:
            parse(source, dialect=dialect)
        except SqlglotError:
            continue
        return
    pytest.fail("no known dialect parses it")


def check_configuration(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(source)
    for section in parsed.sections():
        for option in parsed[section]:
            check_shell(f"export AIRFLOW__{section.upper()}__{option.upper()}=1", monkeypatch)


RUNNERS: dict[str, Callable[..., str]] = {"python": run_python, "dag": run_dags, "sh": run_shell, "sql": run_sql}
CHECKS: dict[str, Callable[[str, Path, pytest.MonkeyPatch], object]] = {
    "python": lambda source, folder, _: parse_dags(source, folder),
    "sh": lambda source, _, monkeypatch: check_shell(source, monkeypatch),
    "json": lambda source, *_: json.loads(source),
    "sql": lambda source, *_: check_sql(source),
    "ini": lambda source, _, monkeypatch: check_configuration(source, monkeypatch),
    "yaml": lambda source, *_: yaml.safe_load(source),
    "toml": lambda source, *_: tomllib.loads(source),
}
