"""Runs moto's S3, KMS, STS, IAM and Secrets Manager over TLS.

What moto does not do, so that no test relies on it: bucket-policy conditions, wrong checksums, disabled keys and
``ExpectedBucketOwner`` are not refused, and SSE is a label on bytes that are stored unencrypted.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import requests
from botocore.config import Config
from botocore.loaders import create_loader

from tests.servers import HOST, free_port, is_listening, running
from tests.servers.certificates import Certificates

REGION = "eu-central-1"
#: The root credentials of moto's only account; it checks none until :meth:`AwsServer.enforcing`.
ACCESS_KEY = "testing"
SECRET_KEY = "testing"
#: Keeps what botocore knows of endpoints and services: reading it takes longer than all else that makes a client.
_LOADER = create_loader()


@dataclass(frozen=True)
class AwsServer:
    """A running AWS look-alike.

    :param endpoint_url: where all its services answer; https.
    :param ca: the authority that signed its certificate, in PEM.
    """

    endpoint_url: str
    ca: Path
    region: str = REGION

    def client(
        self,
        service: str,
        *,
        access_key: str = ACCESS_KEY,
        secret_key: str = SECRET_KEY,
        session_token: str | None = None,
        config: Config | None = None,
    ) -> Any:
        """Return a boto3 client of one service that verifies the server's certificate."""
        core = botocore.session.get_session()
        core.register_component("data_loader", _LOADER)
        session: Any = boto3.session.Session(
            botocore_session=core,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=session_token,
            region_name=self.region,
        )
        return session.client(service, endpoint_url=self.endpoint_url, verify=str(self.ca), config=config)

    def create_bucket(self, name: str | None = None) -> str:
        """Create a bucket, under a new name where none is given, and return its name."""
        bucket = name or f"bucket-{uuid.uuid4().hex[:12]}"
        self.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self.region})
        return bucket

    def create_key(self, alias: str | None = None) -> str:
        """Create a symmetric KMS key, with an alias (without ``alias/``) where one is given, and return its ARN."""
        kms = self.client("kms")
        key = kms.create_key(Description="made by a test")["KeyMetadata"]
        if alias:
            kms.create_alias(AliasName=f"alias/{alias}", TargetKeyId=key["KeyId"])
        return str(key["Arn"])

    def create_user(self, name: str, policy: str) -> tuple[str, str]:
        """Create an IAM user with one inline policy (JSON) and return its access key id and secret.

        moto reads actions and resources of a policy and ignores its conditions.
        """
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    @contextmanager
    def enforcing(self) -> Iterator[None]:
        """Check signatures and identity policies of every call inside the block; nothing is checked outside it."""
        self._post("reset-auth", "0")
        try:
            yield
        finally:
            self._post("reset-auth", "inf")

    def reset(self) -> None:
        """Remove every bucket, key, user and secret."""
        self._post("reset")

    def airflow_connection(
        self, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY, **extra: object
    ) -> dict[str, object]:
        """Return what ``AIRFLOW_CONN_<ID>`` holds as JSON.

        With ``role_arn`` in ``extra`` the amazon provider asks the real STS, whatever ``endpoint_url`` says, so STS has
        its own entry in ``service_config``.
        """
        return {
            "conn_type": "aws",
            "login": access_key,
            "password": secret_key,
            "extra": {
                "region_name": self.region,
                "endpoint_url": self.endpoint_url,
                "verify": str(self.ca),
                "service_config": {"sts": {"endpoint_url": self.endpoint_url}},
                **extra,
            },
        }

    def _post(self, action: str, body: str = "") -> None:
        response = requests.post(f"{self.endpoint_url}/moto-api/{action}", data=body, verify=str(self.ca), timeout=30)
        response.raise_for_status()


@contextmanager
def moto_server(directory: Path, certificates: Certificates) -> Iterator[AwsServer]:
    """Run moto's server until the block ends; its state ends with it.

    :param directory: where its log goes.
    :param certificates: what the server shows.
    """
    port = free_port()
    shown = ["-c", str(certificates.certificate), "-k", str(certificates.key)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    with running(
        [sys.executable, "-m", "tests.servers.moto_by_key", "-H", HOST, "-p", str(port), *shown],
        log=directory / "moto.log",
        is_ready=lambda: is_listening(port),
        environment=inherited,
        directory=Path(__file__).parents[2],
    ):
        yield AwsServer(endpoint_url=f"https://{HOST}:{port}", ca=certificates.ca)
