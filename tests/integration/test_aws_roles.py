"""Tests that the documented roles are enough for a sync, a read and the page, and for nothing else.

The look-alike reads actions, and the resources of S3; not those of KMS, nor conditions, nor the policies of keys.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.exceptions import KeyUnavailableError, StoreRefusedError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.snapshots import Repository
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.storage.layout import manifest_key
from tests.docs.conftest import take_snapshot, write_results
from tests.support.aws_policies import FACTS, policy
from tests.support.page import api_server
from tests.support.page_answers import signed_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.aws import AwsServer

Connect = Callable[[str, Mapping[str, object]], str]

pytestmark = pytest.mark.s3


@dataclass(frozen=True)
class Account:
    """A bucket, its keys, and users with the policies of the documented roles."""

    server: AwsServer
    facts: Mapping[str, str]
    credentials: Mapping[str, tuple[str, str]]

    def client(self, role: str, service: str) -> Any:
        access_key, secret_key = self.credentials[role]
        return self.server.client(service, access_key=access_key, secret_key=secret_key)

    def connections(self, role: str, store_id: str | None, connect: Connect) -> str:
        """Make the connections of a role and return the id of its store's."""
        aws = connect(f"aws_{role.replace('-', '_')}", self.server.airflow_connection(*self.credentials[role]))
        extra = {"uri": f"s3://{self.facts['bucket']}/{self.facts['prefix']}", "aws_conn_id": aws}
        keys = {"kms_key_id": self.facts["data_key_arn"], "signing_kms_key_id": self.facts["signing_key_arn"]}
        extra |= keys | ({"store_id": store_id} if store_id else {})
        return connect(f"store_{role.replace('-', '_')}", {"conn_type": "elementary_store", "extra": extra})


@pytest.fixture(scope="module")
def account(aws_server: AwsServer) -> Account:
    kms = aws_server.client("kms")
    signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["Arn"]
    names = {"bucket": aws_server.create_bucket(), "data_key_arn": aws_server.create_key(), "signing_key_arn": signing}
    facts = {**FACTS, **names}
    # The look-alike knows no KMS key by its resource.
    filled = {**facts, "data_key_arn": "*", "signing_key_arn": "*"}
    users = {role: f"{role}-{uuid.uuid4().hex[:8]}" for role in ("writer", "analyst", "api-server")}
    credentials = {role: aws_server.create_user(user, policy(role, filled)) for role, user in users.items()}
    aws_server.client("iam").put_user_policy(
        UserName=users["writer"], PolicyName="creator", PolicyDocument=policy("creator", filled)
    )
    return Account(aws_server, facts, credentials)


@pytest.fixture(scope="module")
def api(airflow_db: None) -> Iterator[Any]:
    with api_server() as app:
        yield app


def test_the_documented_roles_are_enough_and_can_do_no_more(
    account: Account,
    api: Any,
    tmp_path: Path,
    airflow_connection: Connect,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sample = build_sample(tmp_path / "observability.duckdb")
    with account.server.enforcing():
        created = main(
            ["store", "init", "--json", "--store-conn-id", account.connections("writer", None, airflow_connection)]
        )
        printed = capsys.readouterr().out
        assert created == 0, printed
        store_id = json.loads(printed)["store_id"]
        names = {role: account.connections(role, store_id, airflow_connection) for role in account.credentials}
        repositories = {role: ElementaryStoreHook(name).repository for role, name in names.items()}
        checked = main(["store", "check", "--store-conn-id", names["writer"]])
        taken = [take_snapshot(sample, repositories["writer"], f"roles/{run}") for run in range(2)]
        pruned = prune(repositories["writer"], Retention(keep_last=1))
        write_results(repositories["analyst"])
        monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", names["api-server"])
        shown = signed_in(api, "admin").get("/elementary/tables")
        for role in ("analyst", "api-server"):
            with pytest.raises((StoreRefusedError, KeyUnavailableError)):
                take_snapshot(sample, repositories[role], f"roles/{role}")
            with pytest.raises(StoreRefusedError):
                repositories[role].store.delete(manifest_key(2))
        with pytest.raises(StoreRefusedError):
            _write(repositories["api-server"])
        refused = [_refused(account, role, *what) for role in account.credentials for what in _FORBIDDEN]

    assert checked == 0
    assert [manifest.sequence for manifest in taken] == [1, 2]
    assert len(pruned.kept) == 1
    assert shown.status_code == 200
    assert "orders" in shown.text
    assert all(refused)


#: What nobody of the three may do.
_FORBIDDEN = (
    ("s3", "put_object", {"Key": "elsewhere/a", "Body": b"1"}),
    ("s3", "get_object", {"Key": "elsewhere/a"}),
    ("s3", "put_bucket_policy", {"Policy": "{}"}),
    ("s3", "delete_bucket", {}),
    ("kms", "schedule_key_deletion", {}),
    ("kms", "put_key_policy", {"PolicyName": "default", "Policy": "{}"}),
    ("kms", "create_grant", {"GranteePrincipal": FACTS["airflow_arn"], "Operations": ["Decrypt"]}),
)


def _refused(account: Account, role: str, service: str, call: str, arguments: Mapping[str, Any]) -> bool:
    place = {"Bucket": account.facts["bucket"]} if service == "s3" else {"KeyId": account.facts["data_key_arn"]}
    with pytest.raises(ClientError) as refusal:
        getattr(account.client(role, service), call)(**place, **arguments)
    return "AccessDenied" in str(refusal.value)


def _write(repository: Repository) -> None:
    repository.store.put("results/metrics/forged", b"{}")
