"""Each code that S3 or a look-alike answers becomes an error that says what it means and what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    ObjectNotFoundError,
    StoreError,
    StoreRefusedError,
)
from airflow_provider_elementary.storage.object_store.s3_errors import (
    ConditionFailedError,
    UnsupportedError,
    s3_failures,
)


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("NoSuchKey", ObjectNotFoundError, ""),
        ("ConditionalRequestConflict", ConditionFailedError, "retry"),
        ("NotImplemented", UnsupportedError, "supports conditional writes"),
        ("MethodNotAllowed", UnsupportedError, "supports conditional writes"),
        ("AccessDenied", StoreRefusedError, "may list, read and write"),
        ("AllAccessDisabled", StoreRefusedError, "may list, read and write"),
        ("NoSuchBucket", StoreRefusedError, "the bucket exists"),
        ("PermanentRedirect", StoreRefusedError, "region_name"),
        ("AuthorizationHeaderMalformed", StoreRefusedError, "region_name"),
        ("BadDigest", StoreError, "supports checksums"),
        ("MissingContentLength", StoreError, "supports checksums"),
        ("XMinioStorageFull", StoreError, "Free space"),
        ("QuotaExceeded", StoreError, "raise the quota"),
        ("KMS.DisabledException", KeyUnavailableError, "is enabled"),
        ("ExpiredToken", StoreError, "assume a role"),
        ("RequestTimeTooSkewed", StoreRefusedError, "Set the clock"),
        ("SlowDown", StoreError, "retry"),
        ("SomethingNew", StoreError, "answered SomethingNew"),
    ],
)
def test_a_code_of_the_server_becomes_its_meaning_and_a_remedy(code: str, kind: type[Exception], remedy: str) -> None:
    refused = ClientError({"Error": {"Code": code, "Message": "SECRET"}}, "PutObject")

    with pytest.raises(kind) as caught, s3_failures("s3://b/e", "head", "alias/k"):
        raise refused

    assert type(caught.value) is kind
    assert remedy in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_an_error_without_a_code_is_one_of_the_store() -> None:
    with pytest.raises(StoreError, match="answered Unknown"), s3_failures("s3://b/e", "head", "alias/k"):
        raise ClientError({}, "PutObject")
