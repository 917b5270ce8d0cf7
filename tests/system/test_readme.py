"""What the README shows runs as it stands there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.sample import build_sample
from tests.support.connections import duckdb_file, s3_store
from tests.support.dag_runs import run_parsed_dag

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

README = (Path(__file__).parents[2] / "README.md").read_text()

Connect = Callable[[str, Mapping[str, object]], str]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.dag
@pytest.mark.usefixtures("airflow_db")
def test_the_dag_in_15_lines_runs_on_s3(aws_server: AwsServer, tmp_path: Path, airflow_connection: Connect) -> None:
    [block] = blocks("python")
    aws_server.reset()
    aws_server.create_bucket("my-bucket")
    aws_server.create_key("elementary")
    kms = aws_server.client("kms")
    signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]
    kms.create_alias(AliasName="alias/elementary-signing", TargetKeyId=signing["KeyId"])
    created = s3_store(
        aws_server, "s3://my-bucket/elementary", "alias/elementary", signing_kms_key_id="alias/elementary-signing"
    )
    airflow_connection("aws_default", aws_server.airflow_connection())
    [store] = [block for block in blocks("sh") if "elementary_store" in block]
    shown = store.split("'")[1].replace("<printed by store init>", created["extra"]["store_id"])
    airflow_connection("elementary_store_default", json.loads(shown))
    airflow_connection("elementary_default", duckdb_file(build_sample(tmp_path / "sample.duckdb")))
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "readme.py").write_text(block)

    outcome = run_parsed_dag(tmp_path / "dags", "elementary", {})

    assert outcome.states == {"snapshot": "success", "anomalies": "success"}
    assert set(outcome.returned["snapshot"]["tables"]) == set(TABLES)
    assert len(block.strip().splitlines()) <= 15


@pytest.mark.parametrize("block", blocks("sh"))
def test_a_connection_in_the_readme_is_one_that_airflow_reads(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import BaseHook

    name, value = re.fullmatch(r"export (\w+)='(.*)'\n", block, flags=re.DOTALL).groups()  # type: ignore[union-attr]
    monkeypatch.setenv(name, value)

    connection = BaseHook.get_connection(name.removeprefix("AIRFLOW_CONN_").lower())

    declared: dict[str, Any] = json.loads(value)
    assert connection.conn_type == declared["conn_type"]
    assert connection.extra_dejson == declared.get("extra", {})


@pytest.mark.parametrize("target", re.findall(r"\]\(((?:docs|[A-Z]+)[^)#]*)\)", README))
def test_a_file_that_the_readme_links_to_is_there(target: str) -> None:
    assert (Path(__file__).parents[2] / target).is_file()
