"""The access check on real DuckDB files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_elementary.access import AccessReport, check_access, grants
from airflow_provider_elementary.access.check.session import StatementDeniedError

LOCKED = {"enable_external_access": "false", "lock_configuration": "true"}


class DuckDBSession:
    """A session as the access check wants it, over a DuckDB connection."""

    adapter = dialect = "duckdb"
    database: str | None = None
    schema = "elementary"
    placeholder = "?"
    transport = None

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, list(parameters)).fetchall()
        except (duckdb.PermissionException, duckdb.CatalogException) as error:
            raise StatementDeniedError(type(error).__name__) from None


def write_file(path: Path, *statements: str) -> Path:
    """Write a file with one table of Elementary's."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA elementary; CREATE TABLE elementary.dbt_models AS SELECT 'a' AS unique_id")
        for statement in statements:
            connection.execute(statement)
    return path


def check(
    path: Path, *, read_only: bool = True, config: dict[str, str] | None = None, **arguments: Any
) -> AccessReport:
    settings: dict[str, Any] = LOCKED if config is None else config
    with duckdb.connect(str(path), read_only=read_only, config=settings) as connection:
        return check_access(DuckDBSession(connection), **arguments)


def test_a_locked_file_with_the_schema_alone_passes_every_check(tmp_path: Path) -> None:
    report = check(write_file(tmp_path / "one.duckdb"))

    assert [
        (finding.name, finding.evidence)
        for finding in report.findings
        if finding.status not in ("pass", "not applicable")
    ] == []
    report.require()
    assert re.fullmatch(r"(\d+) of \1 checks pass", report.headline)


def test_transport_does_not_apply_since_there_is_no_network(tmp_path: Path) -> None:
    report = check(write_file(tmp_path / "one.duckdb"), allowed_addresses=["10.0.0.0/8"])

    names = ("link-encrypted", "tls-version", "certificate-verified", "client-address")
    assert {report.finding(name).evidence for name in names} == {"local file, no network"}


def test_another_schema_with_tables_fails_and_the_remediation_is_a_file_of_its_own(tmp_path: Path) -> None:
    report = check(write_file(tmp_path / "one.duckdb", "CREATE SCHEMA raw", "CREATE TABLE raw.users (id int)"))

    assert {finding.name for finding in report.failed} == {"reads-outside-schema", "canary-reads"}
    assert "file of its own" in report.finding("reads-outside-schema").remediation


@pytest.mark.parametrize(
    ("config", "failed"),
    [
        (
            {"lock_configuration": "true"},
            {"foreign-servers", "server-functions", "untrusted-languages", "canary-reads"},
        ),
        ({"enable_external_access": "false"}, {"foreign-servers", "server-functions", "untrusted-languages"}),
    ],
    ids=["external access", "not locked"],
)
def test_a_session_that_is_not_locked_fails(tmp_path: Path, config: dict[str, str], failed: set[str]) -> None:
    report = check(write_file(tmp_path / "one.duckdb"), config=config)

    assert {finding.name for finding in report.failed} == failed


def test_a_session_that_may_write_fails(tmp_path: Path) -> None:
    report = check(write_file(tmp_path / "one.duckdb"), read_only=False)

    assert {finding.name for finding in report.failed} == {
        "writes-inside-schema",
        "writes-outside-schema",
        "creates-objects",
    }


def test_another_file_that_is_attached_fails(tmp_path: Path) -> None:
    path, other = write_file(tmp_path / "one.duckdb"), write_file(tmp_path / "other.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute(f"ATTACH '{other}' (READ_ONLY)")
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
        report = check_access(DuckDBSession(connection))

    assert [finding.name for finding in report.failed] == ["other-databases"]


def test_a_file_without_the_schema_fails(tmp_path: Path) -> None:
    path = tmp_path / "empty.duckdb"
    duckdb.connect(str(path)).close()

    assert "schema-readable" in {finding.name for finding in check(path).failed}


def test_a_probe_that_the_file_does_not_hold_proves_nothing(tmp_path: Path) -> None:
    report = check(write_file(tmp_path / "one.duckdb"), probes=["raw.users"])

    assert [finding.name for finding in report.unknown] == ["canary-reads"]


def test_the_statements_of_grants_make_a_file_that_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    statements = grants("duckdb", role="readers", user="airflow", schema="elementary")
    with duckdb.connect("warehouse.duckdb") as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.users (id int); CREATE SCHEMA elementary")
        for name in {line.split(".")[2].rstrip(";") for line in statements if line.startswith("DROP TABLE")}:
            connection.execute(f"CREATE TABLE elementary.{name} (id int)")
        for statement in statements * 2:
            connection.execute(statement)

    assert check(Path("elementary.duckdb")).failed == ()
