"""Every AWS client of a store uses TLS and verifies the certificate, however its endpoint was named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session

from airflow_provider_elementary.exceptions import ConfigurationError, StoreRefusedError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.snapshots import KmsKeys, open_store
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from airflow_provider_elementary.storage.signers import ask_kms
from airflow_provider_elementary.storage.tls import require_tls

Connect = Callable[[str, Mapping[str, object]], str]

REGION = "eu-central-1"
PLAIN = "http://minio.internal:9000"
S3 = {"uri": "s3://bucket/prefix", "kms_key_id": "alias/elementary"}
OWN = {"conn_type": "elementary_store", "login": "id", "password": "secret", "extra": {**S3, "region_name": REGION}}
OVER_AWS = {"conn_type": "elementary_store", "extra": {**S3, "aws_conn_id": "aws"}}
ROLE = "arn:aws:iam::123456789012:role/elementary"
NO_TLS = r"The (S3|KMS|STS) endpoint http://minio\.internal has no TLS\. Use an https endpoint"
NOT_VERIFIED = r"The certificate of .* is not verified\. Name the file of its authority"
#: botocore refuses an empty name of a file ; earlier versions verified nothing then.
NO_FILE = rf"{NOT_VERIFIED}|No client of AWS \w+ can be made"


def use(hook: ElementaryStoreHook) -> None:
    """Make the clients that every task makes, and ask none of them."""
    _ = hook.repository.store
    _ = hook.open_keys()


@pytest.fixture(params=["own credentials", "AWS connection"])
def hook(request: pytest.FixtureRequest, airflow_connection: Connect) -> ElementaryStoreHook:
    if request.param == "own credentials":
        return ElementaryStoreHook(airflow_connection("a_store", OWN))
    airflow_connection("aws", aws())
    return ElementaryStoreHook(airflow_connection("a_store", OVER_AWS))


def aws(**extra: object) -> dict[str, object]:
    return {"conn_type": "aws", "login": "id", "password": "secret", "extra": {"region_name": REGION, **extra}}


def test_the_usual_endpoints_are_accepted(hook: ElementaryStoreHook) -> None:
    use(hook)


@pytest.mark.parametrize(
    "variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_STS"]
)
def test_a_plain_endpoint_in_the_environment_is_refused(
    hook: ElementaryStoreHook, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, PLAIN)

    with pytest.raises(StoreRefusedError, match=NO_TLS):
        use(hook)


@pytest.mark.parametrize("service", ["s3", "kms", "sts"])
def test_a_plain_endpoint_in_the_aws_configuration_file_is_refused(
    hook: ElementaryStoreHook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: str
) -> None:
    file = tmp_path / "config"
    file.write_text(f"[default]\nservices = ours\n[services ours]\n{service} =\n  endpoint_url = {PLAIN}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))

    with pytest.raises(StoreRefusedError, match=NO_TLS):
        use(hook)


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_an_empty_bundle_that_switches_the_check_off_is_refused(
    hook: ElementaryStoreHook, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, "")

    with pytest.raises((StoreRefusedError, ConfigurationError), match=NO_FILE):
        use(hook)


@pytest.mark.parametrize(
    "extra",
    [
        {"endpoint_url": PLAIN},
        {"service_config": {"s3": {"endpoint_url": PLAIN}}},
        {"service_config": {"kms": {"endpoint_url": PLAIN}}},
        {"service_config": {"sts": {"endpoint_url": PLAIN}}},
        {"service_config": {"sts": {"endpoint_url": PLAIN}}, "role_arn": ROLE},
        {"service_config": {"sts": {"endpoint_url": PLAIN}}, "assume_role_method": "assume_role", "role_arn": ROLE},
    ],
)
def test_a_plain_endpoint_in_the_aws_connection_is_refused(
    airflow_connection: Connect, extra: dict[str, object]
) -> None:
    airflow_connection("aws", aws(**extra))

    with pytest.raises(StoreRefusedError, match=NO_TLS):
        use(ElementaryStoreHook(airflow_connection("a_store", OVER_AWS)))


@pytest.mark.parametrize("verify", [False, "", 0])
def test_an_aws_connection_that_does_not_verify_is_refused(airflow_connection: Connect, verify: object) -> None:
    airflow_connection("aws", aws(verify=verify))

    with pytest.raises((StoreRefusedError, ConfigurationError), match=NO_FILE):
        use(ElementaryStoreHook(airflow_connection("a_store", OVER_AWS)))


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS"])
def test_a_store_opened_with_the_environments_credentials_is_refused_too(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv(variable, PLAIN)

    with pytest.raises(StoreRefusedError, match=NO_TLS):
        open_store("s3://bucket/prefix")


CLIENTS: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({"endpoint_url": PLAIN}, NO_TLS),
    "without ssl": ({"use_ssl": False}, r"endpoint http://.* has no TLS"),
    "not verified": ({"verify": False}, NOT_VERIFIED),
    "not verified, by number": ({"verify": 0}, NOT_VERIFIED),
}
USES: dict[str, tuple[str, Callable[[Any], object]]] = {
    "store": ("s3", lambda client: S3Store(client, "bucket", "prefix")),
    "store by its URI": ("s3", lambda client: open_store("s3://bucket/prefix", s3_client=client)),
    "keys": ("kms", lambda client: KmsKeys(client, "alias/elementary")),
    "signer": ("kms", lambda client: ask_kms(client, "sign", "alias/elementary")),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", USES)
def test_a_client_that_was_made_elsewhere_is_refused(name: str, client: str) -> None:
    (service, call), (options, message) = USES[name], CLIENTS[client]
    made = Session("id", "secret", region_name=REGION).client(service, **options)

    with pytest.raises(StoreRefusedError, match=message):
        call(made)


def test_a_file_of_an_authority_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("")

    require_tls(Session("id", "secret", region_name=REGION).client("s3", verify=str(file)))
