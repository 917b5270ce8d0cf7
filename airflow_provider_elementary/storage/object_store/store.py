"""Defines ``Store``, the interface of every kind of store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.timeouts import AWS_READ_SECONDS, AWS_REQUEST_SECONDS, CONNECT_SECONDS

if TYPE_CHECKING:
    from botocore.config import Config


@dataclass(frozen=True)
class StoredObject:
    """One object of a store.

    :param key: its name, relative to the store, with ``/`` between the parts.
    :param size: bytes.
    :param version: changes when the object is replaced, where the store lists that; never compared with an ETag.
    """

    key: str
    size: int
    version: str = ""


@dataclass(frozen=True)
class Fetched:
    """What an object held when it was read.

    :param content: its first bytes, as many as were asked for.
    :param etag: by what :meth:`Store.replace` recognises it.
    :param size: all its bytes.
    """

    content: bytes
    etag: str
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return len(self.content) == self.size


@dataclass(frozen=True)
class UndeletedObject:
    """An object that could not be deleted, and why."""

    key: str
    reason: str


class Store(Protocol):
    """A place for whole objects under slash-separated keys; an object appears complete or not at all.

    :param uri: how authors name the store: ``s3://bucket/prefix`` or ``file:///directory``.
    """

    uri: str

    def describe(self) -> dict[str, str]:
        """Return how objects are protected at rest and on the way, for the manifest."""
        ...

    def create(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open a new object for writing; it appears when the block ends well and never when it raises.

        It replaces nothing: where something has its name by then, that stays, and the block raises ``StoreError``.

        :raises StoreRefusedError: the place may not be written, or not as protected as was asked for.
        :raises StoreError: the store failed; a retry may help.
        """
        ...

    def put(self, key: str, content: bytes) -> None:
        """Write a small object, replacing what is there."""
        ...

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write a small object unless one is there already; of several writers exactly one gets True."""
        ...

    def replace(self, key: str, content: bytes, etag: str) -> bool:
        """Replace a small object where it is still the one that was read; else return False.

        :param etag: as :meth:`get_capped` returned it.
        :raises StoreRefusedError: this store cannot compare and replace in one step.
        """
        ...

    def get(self, key: str) -> bytes | None:
        """Return a small object, or None where there is none."""
        ...

    def get_capped(self, key: str, limit: int) -> Fetched | None:
        """Return at most the first ``limit`` bytes of an object, by one request; None where there is none."""
        ...

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return at most ``length`` bytes of an object from ``start`` on, by one request; fewer where it ends sooner.

        :raises ObjectNotFoundError: there is no such object.
        """
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield the objects whose key starts with ``prefix``, in the order of their keys.

        :param after: only those whose key comes after it.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        ...

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        """Delete objects by few requests, and return those that are still there."""
        ...

    def probe(self) -> bool:
        """Find out by trying what concurrent writers can rely on, and return whether :meth:`replace` works.

        :raises StoreRefusedError: :meth:`put_if_absent` lets two writers win; snapshots would be lost.
        """
        ...

    def clock_difference(self) -> timedelta | None:
        """Return how far this machine's clock was ahead of the server's at its last answer; None where none says."""
        ...

    def protection(self, key: str) -> str:
        """Return how the server says that it keeps an object that is there: its own encryption, in words."""
        ...

    def discard_unfinished(self, before: datetime, *, dry_run: bool = False) -> Sequence[str]:
        """Remove what writers that were killed left half-written; readers never saw it, but it takes room.

        :param before: only what was begun before this time, which has a zone: what is younger may still be written.
        :param dry_run: only return them.
        :return: the keys that they were writing, or the names that the unfinished files have.
        """
        ...


def patient_config() -> Config:
    """Return how boto3 clients of a store and its keys wait: ten attempts with a pause that grows to 20 s.

    That is about a minute altogether, as long as a server takes to restart; boto3 by itself gives up within seconds.
    A server that is silent costs more: :func:`limit_retries` bounds what all attempts of a request take together.
    """
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=AWS_READ_SECONDS,
        tcp_keepalive=True,
        retries={"mode": "standard", "max_attempts": 10},
    )


def limit_retries(client: Any, seconds: float = AWS_REQUEST_SECONDS) -> Any:
    """Make a boto3 client repeat no request that began longer ago than this, and return the client.

    :param seconds: an attempt that is under way by then still takes its own time-outs.
    """

    def begin(context: dict[str, Any], **facts: Any) -> None:
        context["elementary_began"] = time.monotonic()

    def stop(request_dict: dict[str, Any], caught_exception: Exception | None, **facts: Any) -> None:
        began = request_dict["context"].get("elementary_began")
        if caught_exception is not None and began is not None and time.monotonic() - began >= seconds:
            raise caught_exception

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"before-call.{service}", begin)
    client.meta.events.register_first(f"needs-retry.{service}", stop)
    return client


def require_store_uri(uri: str) -> None:
    """Refuse a URI that names no kind of store.

    :raises ConfigurationError: it is neither an S3 nor a file URI.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise ConfigurationError(
            "The store's URI is not valid. Use s3://bucket/prefix or file:///absolute/directory."
        ) from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        # The error does not repeat the URI, which may hold a password.
        raise ConfigurationError(
            "The store's URI holds credentials, a query or a fragment. Use s3://bucket/prefix or "
            "file:///absolute/directory, and name credentials in the connection."
        )
    path = unquote(parts.path)
    is_local = (
        parts.scheme == "file" and parts.netloc in ("", "localhost") and path.startswith("/") and "\0" not in path
    )
    if not is_local and not (parts.scheme == "s3" and parts.netloc):
        raise ConfigurationError(f"{uri!r} is not a store. Use s3://bucket/prefix or file:///absolute/directory.")


def open_store(uri: str, *, s3_client: Any = None, kms_key_id: str | None = None) -> Store:
    """Return the store that a URI names.

    :param uri: ``file:///absolute/directory`` or ``s3://bucket/prefix``.
    :param s3_client: for S3, a boto3 client; made from the environment's credentials by default.
    :param kms_key_id: for S3, the KMS key for SSE-KMS; without one, objects are put with SSE-S3.
    :raises ConfigurationError: the URI names no kind of store that is known.
    :raises StoreRefusedError: the endpoint is not protected by TLS.
    """
    require_store_uri(uri)
    parts = urlsplit(uri)
    if parts.scheme == "file":
        from airflow_provider_elementary.storage.object_store.local import LocalStore

        return LocalStore(Path(unquote(parts.path)))
    from airflow_provider_elementary.storage.object_store.s3 import S3Store

    if s3_client is None:
        from boto3.session import Session

        from airflow_provider_elementary.storage.tls import require_tls_of_roles

        session = Session()
        require_tls_of_roles(session)
        s3_client = limit_retries(session.client("s3", config=patient_config()))
    return S3Store(s3_client, parts.netloc, parts.path.strip("/"), kms_key_id=kms_key_id)
