"""Tests lists of an S3 bucket, whole and in order, and what requests ask of the server."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.stub import Stubber

from airflow_provider_elementary.exceptions import StoreError, StoreRefusedError
from airflow_provider_elementary.storage.object_store.s3 import S3Store


@pytest.fixture
def client() -> Any:
    session: Any = boto3.session.Session("key", "secret", region_name="eu-central-1")
    return session.client("s3", endpoint_url="https://localhost")


@pytest.fixture
def answers(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber


def page(*names: str, **facts: Any) -> dict[str, Any]:
    return {"Contents": [{"Key": name, "Size": 1} for name in names], **facts}


def listed(client: Any, answers: Stubber, *pages: dict[str, Any], after: str = "") -> list[str]:
    for answer in pages:
        answers.add_response("list_objects_v2", answer)
    return [found.key for found in S3Store(client, "bucket", "elementary").list("manifests/", after)]


def test_names_of_another_place_are_passed_over(client: Any, answers: Stubber) -> None:
    names = ("elementary", "elementary/", "elementary/manifests/1", "elementary/store.json", "other/manifests/2")

    assert listed(client, answers, page(*names)) == ["manifests/1"]


def test_what_a_server_lists_in_spite_of_start_after_is_left_out(client: Any, answers: Stubber) -> None:
    names = [f"elementary/manifests/{number}" for number in (1, 2, 3)]

    assert listed(client, answers, page(*names), after="manifests/2") == ["manifests/3"]


@pytest.mark.parametrize("names", [("2", "1"), ("1", "1")], ids=["out of order", "twice"])
def test_a_server_that_lists_in_no_order_is_refused(client: Any, answers: Stubber, names: tuple[str, str]) -> None:
    first, second = (page(f"elementary/manifests/{name}") for name in names)

    with pytest.raises(StoreRefusedError, match="does not list manifests/ in the order of names"):
        listed(client, answers, first | {"IsTruncated": True, "NextContinuationToken": "more"}, second)


def test_letters_that_servers_order_in_different_ways_stop_nobody(client: Any, answers: Stubber) -> None:
    names = ("elementary/manifests/1", "elementary/manifests/\U0001f642", "elementary/manifests/\uff5a")

    assert len(listed(client, answers, page(*names))) == 3


def test_a_part_of_a_list_is_no_list(client: Any, answers: Stubber) -> None:
    with pytest.raises(StoreError, match="lists only a part of manifests/"):
        listed(client, answers, page("elementary/manifests/1", IsTruncated=True))


def test_a_name_without_a_size_is_an_error_in_words(client: Any, answers: Stubber) -> None:
    with pytest.raises(StoreError, match="in another way than S3 does"):
        listed(client, answers, {"Contents": [{"Key": "elementary/manifests/1"}]})


class _Body(BytesIO):
    """The body of an answer, as urllib3 hands it over."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


@pytest.mark.parametrize(("size", "is_asked"), [(0, False), (64 * 1024, False), (64 * 1024 + 1, True)])
def test_no_small_body_waits_until_the_server_wants_it(client: Any, size: int, is_asked: bool) -> None:
    sent: list[AWSPreparedRequest] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, {"x-amz-server-side-encryption": "AES256"}, _Body())

    client.meta.events.register("before-send.s3", answer)
    S3Store(client, "bucket", "elementary").put("manifests/1", bytes(size))

    [request] = sent
    assert ("Expect" in request.headers) is is_asked
