"""Turns the errors of boto3's S3 client into those of a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    ObjectNotFoundError,
    StoreError,
    StoreRefusedError,
)

#: Codes of an object that is not there.
ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_CONDITION_FAILED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_REFUSED = frozenset(
    {"AccessDenied", "AllAccessDisabled", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "401"}
)
_OTHER_REGION = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
)
# The server computes no SHA-256 of what is uploaded, or another one.
_CHECKSUM = frozenset({"BadDigest", "InvalidDigest", "MissingContentLength", "XAmzContentSHA256Mismatch"})
_FULL = frozenset({"QuotaExceeded", "InsufficientCapacity", "XMinioStorageFull", "507"})
_UNSUPPORTED = frozenset({"NotImplemented", "501", "MethodNotAllowed", "405"})
_BEYOND_THE_END = frozenset({"InvalidRange", "416"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_KMS_BUSY = frozenset({"KMS.ThrottlingException", "KMS.KMSInternalException", "KMS.DependencyTimeoutException"})


class ConditionFailedError(StoreError):
    """Another object is there than the request allows, or a concurrent request was faster."""


class BeyondTheEndError(StoreError):
    """The object ends before the range begins."""


class UnsupportedError(StoreRefusedError):
    """The server does not know this kind of request."""


class NoUploadError(StoreError):
    """There is no such upload in parts, or no longer."""


@contextmanager
def s3_failures(uri: str, key: str, kms_key_id: str | None) -> Iterator[None]:
    """Raise the errors of a request as errors of our own.

    :param uri: the store.
    :param key: the object.
    :param kms_key_id: the KMS key that the store encrypts with.
    """
    try:
        yield
    except ClientError as error:
        raise _explain(uri, key, kms_key_id, error.response.get("Error", {}).get("Code", "Unknown")) from None
    except BotoCoreError as error:
        raise StoreError(
            f"{uri} did not answer for {key} ({type(error).__name__}). Nothing was committed. Check the "
            "endpoint, the credentials and the network, and retry."
        ) from None
    except (KeyError, ValueError):
        # A header or a field that S3 always sends is missing, or is none.
        raise StoreError(
            f"{uri} answered for {key} in another way than S3 does. Nothing was committed. Look for a proxy that "
            "rewrites answers, or use another server."
        ) from None


def _explain(uri: str, key: str, kms_key_id: str | None, code: str) -> Exception:
    if code in ABSENT:
        return ObjectNotFoundError(uri, key)
    if code in _CONDITION_FAILED:
        return ConditionFailedError(f"{key} in {uri} exists. Nothing was replaced or committed; retry.")
    if code in _BEYOND_THE_END:
        return BeyondTheEndError(f"{key} in {uri} is shorter than it was. Restore it from a replica.")
    if code in _UNSUPPORTED:
        return UnsupportedError(
            f"{uri} does not support a request that was made for {key} ({code}). Use a store that supports "
            "conditional writes, or update its server."
        )
    if code == "NoSuchUpload":
        return NoUploadError(
            f"The upload of {key} to {uri} was aborted before it was complete. Do not let anything, such as a "
            "lifecycle rule of the bucket, abort uploads that are younger than a day; then retry."
        )
    if code == "InvalidObjectState":
        return StoreRefusedError(
            f"{key} in {uri} is archived, so its signature cannot be checked. Restore it from the archive, or remove "
            "it if no writer of the store wrote it; then retry."
        )
    if code == "InvalidRequest":
        return StoreRefusedError(
            f"{uri} refused the request for {key} ({code}), as it does for an object that was encrypted with a key of "
            "somebody else. Remove the object if no writer of the store wrote it; then retry."
        )
    if code == "RequestTimeTooSkewed":
        return StoreRefusedError(
            f"{uri} refused the request for {key}, as this machine's clock differs too much from the server's. Set the "
            "clock, and retry."
        )
    if code in _EXPIRED:
        return StoreError(
            f"The credentials for {uri} expired before {key} was written ({code}). Nothing was committed. Let "
            "the AWS connection assume a role, whose sessions are renewed, and retry."
        )
    if code.startswith("KMS.") and code not in _KMS_BUSY:
        return KeyUnavailableError(
            f"{uri} cannot encrypt with {kms_key_id} ({code}). Check that the key exists in "
            "the bucket's region and is enabled."
        )
    if code in _REFUSED:
        return StoreRefusedError(
            f"Access to {key} in {uri} failed: {code}. Check that the bucket exists and that the "
            "credentials may list, read and write below the prefix, and use the KMS key. If this object alone is "
            "refused, find out who wrote it, and remove it."
        )
    if code in _OTHER_REGION:
        return StoreRefusedError(
            f"{uri} is not served by this endpoint ({code}, asked for {key}): the bucket is in another region. Set "
            "region_name of the AWS connection to the bucket's region, and endpoint_url to its endpoint."
        )
    if code in _CHECKSUM:
        return StoreError(
            f"{uri} refused {key}, as its SHA-256 checksum is another one there or is not supported ({code}). Nothing "
            "was committed. Retry; if it happens again, use a store that supports checksums of uploads, without a "
            "proxy that rewrites them."
        )
    if code in _FULL:
        return StoreError(
            f"{uri} has no space left for {key} ({code}). Nothing was committed. Free space or raise the quota, and "
            "retry."
        )
    return StoreError(
        f"{uri} answered {code} for {key}. Nothing was committed; retry. If it happens again, look up this code in the "
        "documentation of the store's server."
    )
