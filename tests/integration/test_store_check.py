"""What a store's credentials and keys can do is proved: by reading for the Test button, with probes on a worker."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, open_store
from airflow_provider_elementary.snapshots.store_check import check_store
from tests.support.connections import local_store, s3_store
from tests.support.signing import opened
from tests.support.stores import Rest, local_rest, take, world_after

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

Connect = Callable[[str, Mapping[str, object]], str]

MASTER_KEYS = LocalKeys.generate()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    directory = tmp_path_factory.mktemp("original")
    rest = Rest(local_rest(directory).store, LocalKeys(MASTER_KEYS), directory / "store")
    return rest, [take(rest, directory / "warehouse.duckdb", world_after(3))]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, dict[str, tuple[str, str]]]]:
    """Run ``store check``; return its exit status, and of each check its status and evidence."""

    def run(conn_id: str) -> tuple[int, dict[str, tuple[str, str]]]:
        status = main(["store", "check", "--store-conn-id", conn_id, "--json"])
        report = json.loads(capsys.readouterr().out)
        return status, {found["name"]: (found["status"], found["evidence"]) for found in report["findings"]}

    return run


def statuses(findings: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return {name: status for name, (status, _) in findings.items()}


KEYS_PASS = {f"key of {category.value}": "pass" for category in Category}


class TestOfALocalStore:
    def test_a_sound_store_passes_and_no_probe_is_left(
        self, rest: Rest, check: Any, airflow_connection: Connect
    ) -> None:
        before = {found.key for found in rest.store.list("")}

        status, findings = check(airflow_connection("store", local_store(rest.store.uri, MASTER_KEYS)))

        passing = dict.fromkeys(("read", "put-if-absent", "encryption", "delete"), "pass")
        assert (status, statuses(findings)) == (0, {**passing, **KEYS_PASS, "signature": "pass"})
        assert {found.key for found in rest.store.list("")} == before

    def test_a_category_without_a_key_fails(self, check: Any, tmp_path: Path, airflow_connection: Connect) -> None:
        some = {name: key for name, key in MASTER_KEYS.items() if name != "query_logs"}

        status, findings = check(airflow_connection("store", local_store(tmp_path / "store", some)))

        assert status == 1
        assert findings["key of query_logs"][0] == "fail"
        assert "No master key for Query logs" in findings["key of query_logs"][1]

    def test_a_store_that_replaces_what_is_there_fails_and_the_probe_is_removed(self, tmp_path: Path) -> None:
        class Replacing(type(open_store((tmp_path / "store").as_uri()))):  # type: ignore[misc]
            def put_if_absent(self, key: str, content: bytes) -> bool:
                self.put(key, content)
                return True

        store = Replacing(tmp_path / "store")

        report = check_store(opened(store, LocalKeys(MASTER_KEYS)))

        failed = [found for found in report.findings if found.status == "fail"]
        assert [found.name for found in failed] == ["put-if-absent"]
        assert "ignores If-None-Match" in failed[0].evidence
        assert [found.key for found in store.list("")] == ["store.json"]

    def test_people_read_a_table(self, rest: Rest, airflow_connection: Connect, capsys: Any) -> None:
        airflow_connection("elementary_store_default", local_store(rest.store.uri, MASTER_KEYS))

        assert main(["store", "check"]) == 0
        assert "put-if-absent" in capsys.readouterr().out


class TestOnS3:
    @pytest.fixture
    def bucket(self, aws_server: AwsServer, airflow_connection: Connect) -> str:
        airflow_connection("aws", aws_server.airflow_connection())
        return aws_server.create_bucket()

    def test_encryption_keys_and_signature_are_proved(
        self, bucket: str, aws_server: AwsServer, check: Any, airflow_connection: Connect
    ) -> None:
        key = aws_server.create_key()
        kms = aws_server.client("kms")
        signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["Arn"]
        connection = s3_store(aws_server, f"s3://{bucket}/elementary", key, signing_kms_key_id=signing)

        status, findings = check(airflow_connection("store", connection))

        assert (status, set(statuses(findings).values())) == (0, {"pass"})
        assert findings["encryption"][1] == f"at rest: SSE-KMS with {key}; on the way: TLS, verified"
        listed = aws_server.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
        assert [found["Key"] for found in listed] == ["elementary/store.json"]

    def test_a_missing_key_fails_by_name(
        self, bucket: str, aws_server: AwsServer, check: Any, airflow_connection: Connect
    ) -> None:
        keys = {"category_kms_key_ids": {"metadata": "alias/no-such-key"}}
        connection = s3_store(aws_server, f"s3://{bucket}/elementary", aws_server.create_key(), **keys)

        status, findings = check(airflow_connection("store", connection))

        assert status == 1
        assert [name for name, found in findings.items() if found[0] == "fail"] == ["key of metadata"]
        assert "alias/no-such-key" in findings["key of metadata"][1]

    def test_credentials_that_may_only_read_pass_the_test_and_fail_the_check(
        self, bucket: str, aws_server: AwsServer, check: Any, airflow_connection: Connect
    ) -> None:
        reader = _user(aws_server, ["s3:ListBucket", "s3:GetObject", "kms:Decrypt"])
        airflow_connection("aws_reader", aws_server.airflow_connection(*reader))
        connection = s3_store(
            aws_server, f"s3://{bucket}/elementary", aws_server.create_key(), aws_conn_id="aws_reader"
        )
        airflow_connection("store", connection)

        with aws_server.enforcing():
            works, message = ElementaryStoreHook("store").test_connection()
            status, findings = check("store")

        assert works, message
        assert "write: not tried" in message
        assert status == 1
        assert statuses(findings)["read"] == "pass"
        assert statuses(findings)["put-if-absent"] == "fail"
        assert statuses(findings)["encryption"] == "not applicable"

    @pytest.mark.parametrize(
        ("spec", "usage"), [("ECC_NIST_P256", "SIGN_VERIFY"), ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")]
    )
    def test_a_reader_is_proved_to_sign_nothing_unless_kms_lets_it(
        self, bucket: str, aws_server: AwsServer, airflow_connection: Connect, capsys: Any, spec: str, usage: str
    ) -> None:
        kms, key = aws_server.client("kms"), aws_server.create_key()
        signing = kms.create_key(KeyUsage=usage, KeySpec=spec)["KeyMetadata"]["Arn"]
        uri = f"s3://{bucket}/elementary"
        connection = s3_store(aws_server, uri, key, aws_conn_id="aws_reader", signing_kms_key_id=signing)
        del connection["extra"]["signing_kms_key_id"]
        airflow_connection("store", connection)
        found = []

        for actions in (["s3:ListBucket", "s3:GetObject"], ["s3:ListBucket", "s3:GetObject", "kms:*"]):
            airflow_connection("aws_reader", aws_server.airflow_connection(*_user(aws_server, actions)))
            with aws_server.enforcing():
                status = main(["store", "check", "--reader", "--json", "--store-conn-id", "store"])
            findings = {each["name"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
            found.append((status, findings["cannot sign"]["status"], findings["cannot sign"]["evidence"]))

        assert found[0] == (0, "pass", f"KMS refused key {signing}"), found[0][2]
        assert found[1][:2] == (1, "fail")
        assert f"can sign with KMS key {signing}" in found[1][2]

    def test_own_credentials_in_the_connection_open_the_store(
        self, bucket: str, aws_server: AwsServer, check: Any, airflow_connection: Connect
    ) -> None:
        login, password = _user(aws_server, ["s3:*", "kms:*"])
        own = {"region_name": aws_server.region, "endpoint_url": aws_server.endpoint_url, "verify": str(aws_server.ca)}
        connection = s3_store(aws_server, f"s3://{bucket}/own", aws_server.create_key(), aws_conn_id="", **own)
        connection |= {"login": login, "password": password}

        with aws_server.enforcing():
            status, findings = check(airflow_connection("store", connection))

        assert (status, statuses(findings)["put-if-absent"]) == (0, "pass"), findings


class TestTheTestButton:
    def test_it_says_what_it_read_and_opened_and_writes_nothing(self, rest: Rest, airflow_connection: Connect) -> None:
        before = {path: path.stat().st_mtime_ns for path in rest.folder.rglob("*")}
        airflow_connection("store", local_store(rest.store.uri, MASTER_KEYS))

        works, message = ElementaryStoreHook("store").test_connection()

        assert works
        assert "read 1 snapshot; the keys open 6 of 6 categories of the newest; write: not tried" in message
        assert {path: path.stat().st_mtime_ns for path in rest.folder.rglob("*")} == before

    @pytest.mark.parametrize(
        ("extra", "message"),
        [
            ({"secret_keys": None}, "no keys named, so only manifests can be read; write: not tried"),
            (
                {"secret_keys": {"metadata": MASTER_KEYS["metadata"]}},
                "the keys open 1 of 6 categories of the newest (not",
            ),
        ],
    )
    def test_a_reader_with_fewer_keys_sees_how_many_open(
        self, rest: Rest, airflow_connection: Connect, extra: dict[str, Any], message: str
    ) -> None:
        connection = local_store(rest.store.uri)
        airflow_connection("store", {**connection, "extra": {**connection["extra"], **extra}})

        works, said = ElementaryStoreHook("store").test_connection()

        assert (works, message in said) == (True, True), said

    def test_keys_that_open_nothing_do_not_pass(self, rest: Rest, airflow_connection: Connect) -> None:
        airflow_connection("store", local_store(rest.store.uri))

        works, message = ElementaryStoreHook("store").test_connection()

        assert not works
        assert "does not open what" in message

    def test_the_id_that_airflow_makes_up_is_not_shown(self, airflow_connection: Connect) -> None:
        airflow_connection("tmp4f0c", {"conn_type": "elementary_store", "extra": {}})

        works, message = ElementaryStoreHook("tmp4f0c").test_connection()

        assert (works, message) == (
            False,
            "No uri in the extra of this connection. Name the store: s3://bucket/prefix or file:///absolute/directory.",
        )


def _user(aws_server: AwsServer, actions: list[str]) -> tuple[str, str]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return aws_server.create_user(f"store-check-{uuid.uuid4().hex[:8]}", policy)
