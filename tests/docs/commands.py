"""Checks that a command on a page exists, with the program's own parser."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import shlex
from collections.abc import Callable, Iterator
from importlib.metadata import metadata
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.docs.blocks import ROOT

_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)


def check_shell(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check every command of a block."""
    for words in commands(source):
        while words and _ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        if words:
            known = _CHECKS.get(words[0])
            assert known is not None, f"no check for {words[0]!r}: say `not run: why` in a comment before the block"
            known(words[1:], monkeypatch)


def commands(source: str) -> Iterator[list[str]]:
    """Yield the words of each command."""
    without_comments = re.sub(r"(^|\s)#\s[^\n]*", r"\1", source.replace("\\\n", " "))
    lexer = shlex.shlex(without_comments, posix=True, punctuation_chars="\n;|&<>")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if set(word) <= set("\n;|&"):
            if words:
                yield words
            words = []
        elif set(word) <= set("<>"):
            # What follows is a file, not an argument.
            words.append(">")
        else:
            words.append(word)


def check_own_command(words: list[str], monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Let the parser of ``airflow-elementary`` read the words; a redirected output is no argument."""
    from airflow_provider_elementary.cli import main

    _parsed(main._parser(), words[: words.index(">")] if ">" in words else words)


def check_export(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Airflow read the connection, or find the option."""
    for word in words:
        name, _, value = word.partition("=")
        if name.startswith("AIRFLOW_CONN_"):
            _check_connection(name, value, monkeypatch)
        elif name.startswith("AIRFLOW__"):
            _check_option(*name.removeprefix("AIRFLOW__").lower().split("__"))


def _check_connection(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import BaseHook

    monkeypatch.setenv(name, value)
    connection = BaseHook.get_connection(name.removeprefix("AIRFLOW_CONN_").lower())

    declared: dict[str, Any] = json.loads(value)
    assert connection.conn_type == declared["conn_type"]
    assert connection.extra_dejson == declared.get("extra", {})


def _check_option(section: str, option: str) -> None:
    from airflow.configuration import conf

    from airflow_provider_elementary.get_provider_info import get_provider_info

    ours = get_provider_info()["config"]
    assert option in ours.get(section, {}).get("options", {}) or conf.has_option(section, option)


def _check_airflow(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.cli.cli_parser import get_parser

    _parsed(get_parser(), words)


def _check_pip(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert words[0] == "install"
    for word in words[1:]:
        if word.startswith("-"):
            continue
        requirement = Requirement(word)
        if requirement.name == "airflow-provider-elementary":
            assert requirement.extras <= set(metadata(requirement.name).get_all("Provides-Extra") or ())


def _check_make(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(words) <= set(targets)


def _check_python(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]) is not None
    else:
        assert (ROOT / words[0]).is_file()


def _parsed(parser: Any, words: list[str]) -> None:
    said = io.StringIO()
    status: int | str | None = None
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            parser.parse_args(words)
        except SystemExit as end:
            # --help and --version exit with status 0.
            status = end.code
    assert not status, said.getvalue()


_CHECKS: dict[str, Callable[[list[str], pytest.MonkeyPatch], None]] = {
    "airflow": _check_airflow,
    "airflow-elementary": check_own_command,
    "export": check_export,
    "make": _check_make,
    "pip": _check_pip,
    "python": _check_python,
}
