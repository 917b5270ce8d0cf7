"""Writers of one store exclude each other, on S3 and in a directory; a store where they cannot is refused."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from airflow_provider_elementary.exceptions import ObjectNotFoundError, StoreError, StoreRefusedError
from airflow_provider_elementary.snapshots import Store, open_store
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from tests.servers.faulty import Answer, Fault, FaultyAws, Request, breaks_off, loses_the_answer, refuses
from tests.support.signing import created, entry, new_signer

if TYPE_CHECKING:
    pass

PATIENT = Config(retries={"mode": "standard", "max_attempts": 3})
#: Parts of 5 MiB, of which two go up at a time.
LARGE = os.urandom(17 * 1024 * 1024)


def without(header: str) -> Fault:
    """Do as a look-alike that takes no notice of a condition."""

    def fault(request: Request, ask: Any) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name != header}
        answer: Answer = ask(replace(request, headers=headers))
        return answer

    return fault


def takes_bare_etags_only(request: Request, ask: Any) -> Answer:
    """Do as Ceph 16, which compares the ETag without quotes."""
    etag = request.headers.get("if-match")
    if etag is None:
        answer: Answer = ask(request)
    elif '"' in etag:
        answer = refuses(412, "PreconditionFailed")(request, ask)
    else:
        answer = ask(replace(request, headers={**request.headers, "if-match": f'"{etag}"'}))
    return answer


def refuses_conditions(request: Request, ask: Any) -> Answer:
    """Do as a server that does not know If-Match."""
    if "if-match" in request.headers:
        return refuses(501, "NotImplemented")(request, ask)
    answer: Answer = ask(request)
    return answer


@pytest.fixture
def on_s3(faulty: FaultyAws) -> S3Store:
    return S3Store(faulty.server.client("s3", config=PATIENT), faulty.behind.create_bucket(), "e")


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "file":
        return open_store((tmp_path / "store").as_uri())
    on_s3: S3Store = request.getfixturevalue("on_s3")
    return on_s3


def create(store: Store, key: str, content: bytes) -> None:
    with store.create(key) as file:
        file.write(content)


def etag(store: Store, key: str) -> str:
    found = store.get_capped(key, 0)
    assert found is not None
    return found.etag


class TestEveryStore:
    def test_an_object_is_replaced_while_it_is_the_one_that_was_read(self, store: Store) -> None:
        store.put("manifests/1.json", b"foreign")
        seen = etag(store, "manifests/1.json")

        first = store.replace("manifests/1.json", b"ours", seen)
        second = store.replace("manifests/1.json", b"other", seen)

        assert (first, second) == (True, False)
        assert store.get("manifests/1.json") == b"ours"

    def test_an_object_that_was_removed_is_not_replaced(self, store: Store) -> None:
        store.put("manifests/1.json", b"foreign")
        seen = etag(store, "manifests/1.json")
        store.delete("manifests/1.json")

        assert not store.replace("manifests/1.json", b"ours", seen)
        assert store.get("manifests/1.json") is None

    def test_of_writers_that_replace_at_once_one_wins(self, store: Store) -> None:
        store.put("manifests/1.json", b"foreign")
        seen = etag(store, "manifests/1.json")
        contents = [b"writer %d" % number for number in range(8)]

        with ThreadPoolExecutor(8) as writers:
            won = list(writers.map(lambda content: store.replace("manifests/1.json", content, seen), contents))

        assert won.count(True) == 1
        assert store.get("manifests/1.json") == contents[won.index(True)]

    def test_of_writers_that_create_at_once_one_wins(self, store: Store) -> None:
        contents = [b"writer %d" % number for number in range(8)]

        with ThreadPoolExecutor(8) as writers:
            won = list(writers.map(lambda content: store.put_if_absent("manifests/1.json", content), contents))

        assert won.count(True) == 1
        assert store.get("manifests/1.json") == contents[won.index(True)]

    @pytest.mark.parametrize("name", ["x\x85y", "\x1b[2Jx", "\u202ex", "\u2028x"], ids=ascii)
    def test_a_name_that_would_forge_what_is_printed_is_not_listed(self, store: Store, name: str) -> None:
        for key in ("manifests/1", f"manifests/{name}", "manifests/ünïcode"):
            store.put(key, b"foreign")

        assert {found.key for found in store.list("manifests/")} == {"manifests/1", "manifests/ünïcode"}

    def test_the_probe_accepts_it_and_leaves_nothing_behind(self, store: Store) -> None:
        assert store.probe()
        assert list(store.list("")) == []

    def test_a_capped_read_returns_the_first_bytes_and_the_size(self, store: Store) -> None:
        store.put("manifests/1.json", b"0123456789")

        part, whole = store.get_capped("manifests/1.json", 4), store.get_capped("manifests/1.json", 10)

        assert part is not None
        assert whole is not None
        assert (part.content, part.size, part.is_whole) == (b"0123", 10, False)
        assert (whole.content, whole.size, whole.is_whole) == (b"0123456789", 10, True)
        assert part.etag == whole.etag

    def test_an_empty_object_is_read_whole(self, store: Store) -> None:
        store.put("manifests/1.json", b"")

        found = store.get_capped("manifests/1.json", 10)

        assert found is not None
        assert (found.content, found.is_whole) == (b"", True)

    def test_what_is_not_there_is_none_or_an_error_of_its_own(self, store: Store) -> None:
        assert store.get_capped("manifests/1.json", 10) is None
        with pytest.raises(ObjectNotFoundError, match="holds no object data/1"):
            store.get_range("data/1", 0, 10)

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [(0, 4, b"0123"), (6, 4, b"6789"), (8, 10, b"89"), (10, 1, b""), (99, 1, b""), (0, 11, b"0123456789")],
    )
    def test_a_range_ends_where_the_object_ends(self, store: Store, start: int, length: int, expected: bytes) -> None:
        store.put("data/1", b"0123456789")

        assert store.get_range("data/1", start, length) == expected

    @pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "in parts"])
    def test_a_late_attempt_does_not_replace_a_file(self, store: Store, content: bytes) -> None:
        create(store, "data/1", content)

        with pytest.raises(StoreError, match=r"data/1 in .* exists"):
            create(store, "data/1", content[::-1])

        assert store.get("data/1") == content
        assert [found.key for found in store.list("")] == ["data/1"]

    def test_many_objects_are_deleted_and_absent_ones_are_no_error(self, store: Store) -> None:
        for number in range(3):
            store.put(f"data/{number}", b"content")

        failed = store.delete_many(["data/0", "data/2", "data/99"])

        assert list(failed) == []
        assert [found.key for found in store.list("")] == ["data/1"]

    def test_deleting_nothing_is_no_request(self, store: Store) -> None:
        assert list(store.delete_many([])) == []


class TestLookAlikes:
    def test_one_that_ignores_if_none_match_is_refused(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        faulty.plan(without("if-none-match"))

        with pytest.raises(StoreRefusedError, match=r"ignores If-None-Match.*Use a store that supports conditional"):
            on_s3.probe()

        assert list(on_s3.list("")) == []

    def test_no_store_is_created_on_one_that_ignores_if_none_match(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        faulty.plan(without("if-none-match"))

        with pytest.raises(StoreRefusedError, match="ignores If-None-Match"):
            created(on_s3, entry(new_signer()))

        assert list(on_s3.list("")) == []

    def test_one_that_does_not_know_if_none_match_is_refused(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        faulty.plan(refuses(501, "NotImplemented"), "PutObject")

        with pytest.raises(StoreRefusedError, match="does not support a request"):
            on_s3.probe()

    def test_one_that_wants_the_etag_without_quotes_is_used_so(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        faulty.plan(takes_bare_etags_only)
        on_s3.put("manifests/1.json", b"foreign")

        assert on_s3.probe()
        assert on_s3.replace("manifests/1.json", b"ours", etag(on_s3, "manifests/1.json"))
        assert on_s3.get("manifests/1.json") == b"ours"

    @pytest.mark.parametrize("fault", [without("if-match"), refuses_conditions], ids=["ignores", "refuses"])
    def test_one_without_if_match_is_accepted_and_replaces_nothing(
        self, faulty: FaultyAws, on_s3: S3Store, fault: Fault
    ) -> None:
        faulty.plan(fault)
        on_s3.put("manifests/1.json", b"foreign")

        assert not on_s3.probe()
        with pytest.raises(StoreRefusedError, match=r"manifests/1\.json in .* does not support If-Match"):
            on_s3.replace("manifests/1.json", b"ours", etag(on_s3, "manifests/1.json"))

        assert on_s3.get("manifests/1.json") == b"foreign"


class TestAnswersThatGotLost:
    def test_a_replacement_that_was_made_counts(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        on_s3.probe()
        on_s3.put("manifests/1.json", b"foreign")
        seen = etag(on_s3, "manifests/1.json")
        faulty.plan(loses_the_answer, "PutObject", times=1)

        assert on_s3.replace("manifests/1.json", b"ours", seen)

    @pytest.mark.parametrize(
        ("content", "operation"), [(b"small", "PutObject"), (LARGE, "CompleteMultipartUpload")], ids=["small", "large"]
    )
    def test_a_file_that_was_created_counts(
        self, faulty: FaultyAws, on_s3: S3Store, content: bytes, operation: str
    ) -> None:
        faulty.plan(loses_the_answer, operation, times=1)

        create(on_s3, "data/1", content)

        assert on_s3.get("data/1") == content

    def test_a_capped_answer_that_breaks_off_is_asked_for_again(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        on_s3.put("manifests/1.json", b"content" * 1000)
        faulty.plan(breaks_off, "GetObject", times=2)

        found = on_s3.get_capped("manifests/1.json", 10_000)

        assert found is not None
        assert found.content == b"content" * 1000

    def test_two_that_were_both_refused_retry(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        faulty.plan(refuses(409, "ConditionalRequestConflict"), "PutObject", times=1)

        assert on_s3.put_if_absent("manifests/1.json", b"ours")

    def test_an_object_that_never_comes_to_be_is_a_conflict_to_retry(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        faulty.plan(refuses(409, "ConditionalRequestConflict"), "PutObject")

        with pytest.raises(StoreError, match=r"refused 3 times to create manifests/1\.json") as raised:
            on_s3.put_if_absent("manifests/1.json", b"ours")

        assert not raised.value.permanent


class TestRequests:
    def test_a_capped_read_is_one_request_and_transfers_no_more(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        on_s3.put("manifests/1.json", b"content")
        faulty.requests.clear()

        on_s3.get_capped("manifests/1.json", 3)
        on_s3.get_range("manifests/1.json", 0, 8)

        assert [request.operation for request in faulty.requests] == ["GetObject", "GetObject"]

    def test_a_thousand_objects_are_deleted_by_one_request(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        on_s3.delete_many([f"data/{number}" for number in range(1_001)])

        assert len(faulty.requests) == 2

    def test_what_s3_did_not_delete_is_returned_with_its_reason(self, faulty: FaultyAws, on_s3: S3Store) -> None:
        body = (
            b'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Error><Key>e/data/2</Key>'
            b"<Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
        )
        faulty.plan(lambda request, ask: Answer(200, [("Content-Type", "application/xml")], body))

        [failed] = on_s3.delete_many(["data/1", "data/2"])

        assert (failed.key, failed.reason) == ("data/2", "AccessDenied")
