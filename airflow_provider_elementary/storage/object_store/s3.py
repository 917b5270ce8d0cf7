"""Keeps a store in an S3 bucket."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from io import BytesIO
from typing import Any, BinaryIO, cast

from botocore.exceptions import (
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from airflow_provider_elementary.exceptions import (
    ObjectNotFoundError,
    StoreError,
    StoreRefusedError,
)
from airflow_provider_elementary.storage.object_store.probe import probe_key, require_one_winner
from airflow_provider_elementary.storage.object_store.s3_errors import (
    ABSENT,
    BeyondTheEndError,
    ConditionFailedError,
    NoUploadError,
    UnsupportedError,
    s3_failures,
)
from airflow_provider_elementary.storage.object_store.s3_transfer import Upload
from airflow_provider_elementary.storage.object_store.store import Fetched, StoredObject, UndeletedObject
from airflow_provider_elementary.storage.tls import require_tls
from airflow_provider_elementary.timeouts import AWS_REQUEST_SECONDS
from airflow_provider_elementary.times import utc_now, without_zone

# botocore retries a request, but not the reading of an answer that breaks off.
_READ_PAUSES = (0.5, 1.0, 2.0)
# The most objects that one request deletes.
_DELETED_AT_ONCE = 1_000
# After this many refusals, another writer cannot be the reason.
_CONFLICTS = 3
# Up to this size, bytes that are sent in vain cost less than to ask first whether the server takes them.
_SMALL_BYTES = 64 * 1024
_BROKEN_OFF = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class S3Store:
    """A store under a prefix of an S3 bucket.

    :param client: a boto3 S3 client, as the amazon provider's hook makes it.
    :param bucket: the bucket.
    :param prefix: the prefix, without slashes at its ends; may be empty.
    :param kms_key_id: the KMS key for SSE-KMS; without one, SSE-S3.
    :raises StoreRefusedError: the endpoint is plain HTTP, or its certificate is not verified.
    """

    def __init__(self, client: Any, bucket: str, prefix: str, *, kms_key_id: str | None = None) -> None:
        self.uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._kms_key_id = kms_key_id
        #: An upload could not be aborted in time; the next one is not waited for.
        self.is_silent = False
        require_tls(client)
        self._clock_difference: timedelta | None = None
        client.meta.events.register("after-call.s3", self._note_date)
        client.meta.events.register("before-sign.s3", _send_at_once)

    def describe(self) -> dict[str, str]:
        """Return how objects are protected."""
        at_rest = f"SSE-KMS with {self._kms_key_id}" if self._kms_key_id else "SSE-S3"
        return {"kind": "S3", "at_rest": f"{at_rest}, and client-side encryption", "in_transit": "TLS, verified"}

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        """Open a new object; small ones are put whole, larger ones in parts, aborted when the block raises."""
        upload = Upload(self, key)
        try:
            yield cast(BinaryIO, upload)
            upload.complete()
        except BaseException:
            upload.abort()
            raise

    def put(self, key: str, content: bytes) -> None:
        """Write a small object, replacing what is there."""
        self._put(key, content)

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write a small object unless one is there; S3 itself decides who is first.

        Where an answer got lost and the request was made again, the object that is there may be ours.
        """
        for _ in range(_CONFLICTS):
            try:
                self._put(key, content, IfNoneMatch="*")
            except ConditionFailedError:
                # Two that come at once may both be refused: then nothing is there.
                if (found := self.get_capped(key, len(content))) is not None:
                    return found.is_whole and found.content == content
            else:
                return True
        raise StoreError(f"{self.uri} refused {_CONFLICTS} times to create {key}, which does not exist. Retry.")

    def replace(self, key: str, content: bytes, etag: str) -> bool:
        """Replace a small object if it still has this ETag."""
        if (spelling := self._etag_spelling) is None:
            raise StoreRefusedError(
                f"{key} in {self.uri} is not an object of this store's writers, and the server does not support "
                "If-Match, so nobody can safely replace it. Inspect the object, remove it, and retry."
            )
        try:
            self._put(key, content, IfMatch=spelling(etag))
        except (ConditionFailedError, ObjectNotFoundError):
            found = self.get_capped(key, len(content))
            return found is not None and found.is_whole and found.content == content
        return True

    def get(self, key: str) -> bytes | None:
        """Return a small object."""
        try:
            return self._read(key).content
        except ObjectNotFoundError:
            return None

    def get_capped(self, key: str, limit: int) -> Fetched | None:
        """Return the first bytes of an object; what is larger is not transferred."""
        try:
            return self._read(key, limit)
        except ObjectNotFoundError:
            return None

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return bytes of an object."""
        try:
            return self._read(key, Range=f"bytes={start}-{start + length - 1}").content
        except BeyondTheEndError:
            return b""

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield the objects whose key starts with ``prefix`` and comes after another one."""
        start = {"StartAfter": self._prefix + after} if after else {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix, **start
        )
        last = ""
        with self.failures(prefix):
            for page in pages:
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(self._prefix)
                    # A name that cannot be printed is none of ours, and would forge lines of a log or report. Servers
                    # order names beyond ASCII in different ways, and none of ours has such letters.
                    if not (key.startswith(prefix) and key.isprintable()):
                        continue
                    if key.isascii():
                        if key <= last:
                            raise StoreRefusedError(self._unordered(prefix))
                        last = key
                    if key > after:
                        yield StoredObject(key, found["Size"], found.get("ETag", ""))
                if page.get("IsTruncated") and not page.get("NextContinuationToken"):
                    raise StoreError(f"{self.uri} lists only a part of {prefix}. Nothing was committed. Retry.")

    def _unordered(self, prefix: str) -> str:
        return (
            f"{self.uri} does not list {prefix} in the order of names, so nothing shows what is newest. Use a "
            "general purpose bucket, or another server: directory buckets (S3 Express) list in any order."
        )

    def delete(self, key: str) -> None:
        """Delete an object."""
        with self.failures(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        """Delete objects, a thousand by a request; S3 answers 200 and names those that it did not delete."""
        failed: list[UndeletedObject] = []
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            named = [{"Key": self._prefix + key} for key in keys[start : start + _DELETED_AT_ONCE]]
            with self.failures(keys[start]):
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": named, "Quiet": True})
            failed += [
                UndeletedObject(error.get("Key", "").removeprefix(self._prefix), error.get("Code", "no reason"))
                for error in answer.get("Errors", ())
                if error.get("Code") not in ABSENT
            ]
        return failed

    def probe(self) -> bool:
        """Try If-None-Match with two writers at once, and If-Match with the right and with a wrong ETag."""
        require_one_winner(self)
        return self._etag_spelling is not None

    def clock_difference(self) -> timedelta | None:
        """Return the difference to the header Date of the last answer."""
        return self._clock_difference

    def _note_date(self, parsed: dict[str, Any], **facts: Any) -> None:
        headers = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        with suppress(AttributeError, TypeError, ValueError):
            self._clock_difference = utc_now() - without_zone(parsedate_to_datetime(headers.get("date")))

    def protection(self, key: str) -> str:
        """Return the server-side encryption of an object, as S3 reports it.

        :raises StoreRefusedError: it is not the one that was asked for.
        """
        with self.failures(key):
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        self._require_protected(key, head)
        named = head.get("SSEKMSKeyId", "")
        wanted = self._kms_key_id or ""
        if ":key/" in wanted and named != wanted:
            raise StoreRefusedError(f"{key} in {self.uri} is encrypted with {named}, not with {wanted}.")
        return f"SSE-KMS with {named}" if self._kms_key_id else "SSE-S3"

    def discard_unfinished(self, before: datetime, *, dry_run: bool = False) -> Sequence[str]:
        """Abort uploads in parts that were begun before a time and never completed."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=self._prefix)
        with self.failures(self._prefix):
            found = [upload for page in pages for upload in page.get("Uploads", ()) if upload["Initiated"] < before]
        keys = [upload["Key"].removeprefix(self._prefix) for upload in found]
        if not dry_run:
            for key, upload in zip(keys, found, strict=True):
                self.abort_multipart(key, upload["UploadId"])
        return keys

    def create_whole(self, key: str, content: bytes) -> None:
        """Put an object that has to be new.

        :raises StoreError: another one is there.
        """
        if not self.put_if_absent(key, content):
            raise StoreError(f"{key} in {self.uri} exists. Nothing was replaced or committed; retry.")

    def start_multipart(self, key: str) -> str:
        """Begin an upload in parts and return its id."""
        with self.failures(key):
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket, Key=self._prefix + key, ChecksumAlgorithm="SHA256", **self._protection()
            )
            self._require_protected(key, answer)
            upload_id: str = answer["UploadId"]
            return upload_id

    def put_part(self, key: str, upload_id: str, number: int, content: bytes) -> dict[str, Any]:
        """Upload one part and return what completing needs to know of it."""
        checksum = _checksum(content)
        with self.failures(key):
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._prefix + key,
                UploadId=upload_id,
                PartNumber=number,
                Body=content,
                ChecksumSHA256=checksum,
            )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[dict[str, Any]]) -> None:
        """Make an upload in parts an object, unless one is there."""
        try:
            with self.failures(key):
                self._client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": [*parts]},
                    IfNoneMatch="*",
                )
        except (NoUploadError, ConditionFailedError):
            # The answer got lost, the request was made again, and the first one had done it.
            if not self._holds(key, parts):
                raise

    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Give the parts of an unfinished upload back."""
        with self.failures(key):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._prefix + key, UploadId=upload_id)

    def _holds(self, key: str, parts: Sequence[dict[str, Any]]) -> bool:
        """Return whether an object is there that was made of these parts, by S3's checksum of their checksums."""
        digests = b"".join(base64.b64decode(part["ChecksumSHA256"]) for part in parts)
        try:
            with self.failures(key):
                head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key, ChecksumMode="ENABLED")
        except ObjectNotFoundError:
            return False
        return str(head.get("ChecksumSHA256", "")).partition("-")[0] == _checksum(digests)

    @cached_property
    def _etag_spelling(self) -> Callable[[str], str] | None:
        """How this server wants an ETag in If-Match; None where it takes no notice of it. Ceph 16 wants no quotes."""
        key = probe_key()
        try:
            self.put(key, b"first")
            for spelling in (_quoted, _bare):
                found = self.get_capped(key, 0)
                if found is not None and self._replaces(key, spelling(found.etag)):
                    return None if self._replaces(key, spelling("0" * 32)) else spelling
            return None
        finally:
            self.delete(key)

    def _replaces(self, key: str, condition: str) -> bool:
        try:
            self._put(key, b"second", IfMatch=condition)
        except (ConditionFailedError, UnsupportedError):
            return False
        return True

    def _read(self, key: str, limit: int | None = None, **selection: str) -> Fetched:
        pauses, began = iter(_READ_PAUSES), time.monotonic()
        while True:
            with self.failures(key):
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key, **selection)
                body, size = answer["Body"], answer["ContentLength"]
                try:
                    content: bytes = body.read(limit) if limit != 0 else b""
                    if len(content) < (expected := size if limit is None else min(size, limit)):
                        raise IncompleteReadError(actual_bytes=len(content), expected_bytes=expected)
                    return Fetched(content, answer["ETag"], size)
                except _BROKEN_OFF:
                    if (pause := next(pauses, None)) is None or time.monotonic() - began >= AWS_REQUEST_SECONDS:
                        raise
                finally:
                    # Without it, the rest of a larger object would be waited for.
                    body.close()
            time.sleep(pause)

    def _put(self, key: str, content: bytes, **conditions: str) -> None:
        with self.failures(key):
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=content,
                ChecksumSHA256=_checksum(content),
                **self._protection(),
                **conditions,
            )
            self._require_protected(key, answer)

    def _protection(self) -> dict[str, Any]:
        if self._kms_key_id is None:
            return {"ServerSideEncryption": "AES256"}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms_key_id, "BucketKeyEnabled": True}

    def _require_protected(self, key: str, answer: dict[str, Any]) -> None:
        wanted = self._protection()["ServerSideEncryption"]
        if (found := answer.get("ServerSideEncryption")) != wanted:
            raise StoreRefusedError(
                f"{self.uri} encrypted {key} with {found or 'nothing'} instead of {wanted}. "
                "Use a store that supports server-side encryption."
            )

    def failures(self, key: str) -> AbstractContextManager[None]:
        """Turn what boto3 raises into errors of our own."""
        return s3_failures(self.uri, key, self._kms_key_id)


def _send_at_once(request: Any, **facts: Any) -> None:
    """Send a small body with its headers: botocore waits for the server's "100 Continue" first, one round trip more."""
    if isinstance(request.data, BytesIO) and request.data.getbuffer().nbytes <= _SMALL_BYTES:
        del request.headers["Expect"]


def _quoted(etag: str) -> str:
    return f'"{_bare(etag)}"'


def _bare(etag: str) -> str:
    return etag.strip('"')


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
