"""The commands on access: what they print, and the exit status that a shell script relies on."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pytest

from airflow_provider_elementary.access import AccessReport, grants
from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.sample import build_sample
from tests.support.connections import duckdb_file

Connect = Callable[[str, Mapping[str, object]], str]
Output = pytest.CaptureFixture[str]


class TestGrants:
    def test_the_statements_are_printed_as_python_returns_them(self, capsys: Output) -> None:
        status = main(["grants", "postgres", "--database", "dwh", "--dbt-role", "dbt", "--network", "10.0.0.0/8"])

        assert status == 0
        assert (
            capsys.readouterr().out
            == "\n\n".join(
                grants(
                    "postgres",
                    role="elementary_reader",
                    user="elementary_airflow",
                    schema="elementary",
                    database="dwh",
                    dbt_role="dbt",
                    network=["10.0.0.0/8"],
                )
            )
            + "\n"
        )

    def test_the_public_key_comes_from_a_file(self, tmp_path: Path, capsys: Output) -> None:
        (tmp_path / "key.pub").write_text("-----BEGIN PUBLIC KEY-----\nMIIBIjAN\n-----END PUBLIC KEY-----\n")

        main(
            ["grants", "snowflake", "--database", "DBT", "--warehouse", "WH", "--public-key", str(tmp_path / "key.pub")]
        )

        assert "RSA_PUBLIC_KEY = 'MIIBIjAN'" in capsys.readouterr().out

    def test_a_missing_key_file_is_an_error(self, capsys: Output) -> None:
        status = main(["grants", "snowflake", "--public-key", "/no/such/key.pub"])

        assert status == 2
        assert "The public key file /no/such/key.pub cannot be read" in capsys.readouterr().err

    def test_a_warehouse_without_grants_is_an_error(self, capsys: Output) -> None:
        assert main(["grants", "oracle"]) == 2
        assert "Known: snowflake, postgres" in capsys.readouterr().err


class TestCheckAccess:
    @pytest.fixture
    def sample(self, tmp_path: Path) -> Path:
        return build_sample(tmp_path / "sample.duckdb")

    def test_a_tight_connection_passes(self, sample: Path, airflow_connection: Connect, capsys: Output) -> None:
        conn_id = airflow_connection("sample", duckdb_file(sample))

        status = main(["check-access", "--conn-id", conn_id])

        assert status == 0
        assert re.search(r"\b(\d+) of \1 checks pass", capsys.readouterr().out)

    def test_a_failure_that_was_accepted_is_a_warning_with_its_reason(
        self, sample: Path, airflow_connection: Connect, capsys: Output, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with duckdb.connect(str(sample)) as connection:
            connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.users (email text)")
        conn_id = airflow_connection("sample", duckdb_file(sample))
        monkeypatch.setenv("COLUMNS", "200")
        accepted = ["reads-outside-schema: raw.users=the file is a demo", "canary-reads=the file is a demo"]

        status = main(
            ["check-access", "--conn-id", conn_id, *(word for one in accepted for word in ("--accept-failed", one))]
        )

        shown = capsys.readouterr().out
        assert status == 0
        [(passing, checks)] = re.findall(r"(\d+) of (\d+) checks pass, 2 accepted as a warning", shown)
        assert int(checks) - int(passing) == 2
        assert "Accepted: the file is a demo" in shown

    @pytest.mark.parametrize("reason", ["no-such-check=x", "ownership="])
    def test_an_acceptance_without_a_check_or_a_reason_is_wrong_usage(
        self, sample: Path, airflow_connection: Connect, capsys: Output, reason: str
    ) -> None:
        conn_id = airflow_connection("sample", duckdb_file(sample))

        assert main(["check-access", "--conn-id", conn_id, "--accept-failed", reason]) == 2

    def test_a_connection_that_reads_more_fails_with_the_reason(
        self, sample: Path, airflow_connection: Connect, capsys: Output, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with duckdb.connect(str(sample)) as connection:
            connection.execute('CREATE SCHEMA raw; CREATE TABLE raw."[red]users" (email text)')
        conn_id = airflow_connection("sample", duckdb_file(sample))

        monkeypatch.setenv("COLUMNS", "200")

        status = main(["check-access", "--conn-id", conn_id])

        printed = capsys.readouterr().out
        assert status == 1
        assert "[red]users" in printed
        # What needs attention first.
        assert printed.index("reads-outside-schema") < printed.index("schema-readable")

        main(["check-access", "--conn-id", conn_id, "--format", "markdown"])

        markdown = capsys.readouterr().out.splitlines()
        assert markdown[0].startswith("## Access of ")
        assert markdown[4:6] == ["| check | status | evidence |", "|---|---|---|"]
        statuses = Counter(line.split(" | ")[1] for line in markdown[6:])
        assert list(statuses) == ["fail", "pass", "not applicable"]
        assert list(statuses.elements()) == [line.split(" | ")[1] for line in markdown[6:]]
        assert statuses["fail"] == 2

    def test_the_report_is_printed_as_json(self, sample: Path, airflow_connection: Connect, capsys: Output) -> None:
        conn_id = airflow_connection("sample", duckdb_file(sample))

        main(["check-access", "--conn-id", conn_id, "--json"])

        report = AccessReport.from_dict(json.loads(capsys.readouterr().out))
        assert (report.dialect, report.failed, report.unknown) == ("duckdb", (), ())

    def test_an_unknown_connection_is_an_error(self, capsys: Output) -> None:
        assert main(["check-access", "--conn-id", "nowhere"]) == 3
        assert "Airflow has no connection 'nowhere'" in capsys.readouterr().err
