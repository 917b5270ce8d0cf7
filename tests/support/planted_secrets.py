"""Plants secrets and searches for what is left of them."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.connections import snowflake_reader
from tests.support.datasets import write_snowflake
from tests.support.little_project import small_world

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.snowflake import SnowflakeServer


def create_user(aws_server: AwsServer, name: str, actions: list[str]) -> tuple[str, str]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return aws_server.create_user(f"{name}-{uuid.uuid4().hex[:8]}", policy)


def private_key(passphrase: str) -> str:
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()),
        )
        .decode()
    )


def snowflake_by_key(server: SnowflakeServer, key: str, passphrase: str) -> dict[str, Any]:
    """Return an ``elementary`` connection as its form makes it: empty fields included."""
    name = f"SECRETS_{uuid.uuid4().hex[:8].upper()}"
    write_snowflake(small_world(), server, name)
    reader = snowflake_reader(server, name)
    return {
        "conn_type": "elementary",
        "host": server.host,
        "port": server.port,
        "login": reader["login"],
        "password": passphrase,
        "extra": {
            "warehouse_kind": "snowflake",
            "elementary_database": name,
            "elementary_schema": "ELEMENTARY",
            "account": reader["extra"]["account"],
            "role": reader["extra"]["role"],
            "warehouse": reader["extra"]["warehouse"],
            "private_key_content": key,
            "private_key_file": None,
            "authenticator": None,
            "sslmode": None,
            "sslrootcert": "",
            "iam": None,
            "allowed_addresses": "",
            "insecure_mode": True,
        },
    }


def spellings(secret: str) -> set[bytes]:
    """Return how a secret may be written: as it is, in a URI, in JSON, in Python, in base64."""
    written = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return {spelling.encode() for spelling in written} | {b64encode(secret.encode()).rstrip(b"=")}


def found_in(content: Mapping[str, bytes], secrets: Mapping[str, str]) -> set[tuple[str, str]]:
    return {
        (where, what)
        for what, secret in secrets.items()
        for spelling in spellings(secret)
        for where, searched in content.items()
        if spelling in searched
    }
