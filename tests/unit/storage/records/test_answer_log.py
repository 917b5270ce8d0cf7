"""Answers in the store: signed, numbered, never replaced, bounded; what others write is passed over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError, SnapshotCorruptError
from airflow_provider_elementary.snapshots import Repository, open_store
from airflow_provider_elementary.storage.documents import MAX_BYTES
from airflow_provider_elementary.storage.records import answer_log
from airflow_provider_elementary.storage.records.answer_log import append_answer, read_answers
from airflow_provider_elementary.storage.records.answers import Answer
from tests.support.signing import SIGNER, STORE_ID, opened, signed

ONE = Answer("one", "0" * 16, "acknowledge", "ada", "2026-11-04T12:00:00")
TWO = replace(ONE, answer_id="two", answer="note", note="it is the loader")
FIRST, SECOND = "feedback/9999999998", "feedback/9999999997"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return opened(open_store(tmp_path.as_uri()))


def keys(repository: Repository) -> list[str]:
    return [found.key for found in repository.store.list("feedback/")]


def test_answers_are_read_in_the_order_in_which_they_were_given(repository: Repository) -> None:
    assert read_answers(repository) == ()

    append_answer(repository, ONE)
    append_answer(repository, TWO)

    assert read_answers(repository) == (ONE, TWO)
    assert keys(repository) == [SECOND, FIRST]


def test_an_answer_that_is_given_twice_is_kept_once(repository: Repository) -> None:
    first = append_answer(repository, ONE)

    assert first[0] == ONE
    assert append_answer(repository, replace(ONE, answered_at="2026-11-05T12:00:00")) == first
    assert keys(repository) == [FIRST]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"answers":[],"format_version":2}', b"x" * (MAX_BYTES + 1)])
def test_an_answer_that_others_wrote_is_passed_over(content: bytes, repository: Repository) -> None:
    append_answer(repository, ONE)
    repository.store.put(SECOND, content)

    assert read_answers(repository) == (ONE,)
    append_answer(repository, TWO)
    assert read_answers(repository) == (ONE, TWO)
    assert len(list(repository.store.list("quarantine/"))) == 1


def test_earlier_answers_put_in_place_of_the_newest_are_passed_over(repository: Repository) -> None:
    append_answer(repository, ONE)
    append_answer(repository, TWO)
    repository.store.put(SECOND, repository.store.get(FIRST) or b"")

    assert read_answers(repository) == (ONE,)


@pytest.mark.parametrize(
    "body",
    [
        b'{"answers":[],"before":0,"format_version":3}',
        b'{"answers":[{"answer":"delete"}],"before":0,"format_version":2}',
        b'{"answers":"all","before":0,"format_version":2}',
        b'{"answers":[],"before":0,"format_version":2,"run":"rm"}',
    ],
)
def test_a_signed_document_that_is_none_stops(body: bytes, repository: Repository) -> None:
    repository.store.put(FIRST, signed(SIGNER, STORE_ID, FIRST, body))

    with pytest.raises(SnapshotCorruptError, match=FIRST):
        read_answers(repository)


def test_the_oldest_answers_are_dropped_where_there_are_too_many(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_log, "MOST_ANSWERS", 1)
    append_answer(repository, ONE)
    append_answer(repository, TWO)

    assert read_answers(repository) == (TWO,)


def test_the_oldest_answers_are_dropped_where_they_do_not_fit_one_document(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_log, "_MOST_BYTES", 300)
    append_answer(repository, ONE)
    append_answer(repository, TWO)

    assert read_answers(repository) == (TWO,)


def test_answers_that_have_an_effect_are_not_dropped_for_others(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_log, "MOST_ANSWERS", 2)
    muted = replace(ONE, answer="mute", until="2026-12-31T00:00:00")
    over = replace(ONE, answer_id="over", answer="mute", until="2026-11-01T00:00:00")
    append_answer(repository, muted)
    append_answer(repository, over)
    append_answer(repository, TWO)

    assert read_answers(repository) == (muted, TWO)
    resolved = replace(ONE, answer_id="three", answer="resolve")
    append_answer(repository, resolved)
    with pytest.raises(ConfigurationError, match="2 answers that have an effect are kept, and no more fit"):
        append_answer(repository, replace(TWO, answer_id="four"))
    assert read_answers(repository) == (muted, resolved)


def test_a_reader_without_a_signing_key_answers_nothing(tmp_path: Path) -> None:
    reader = opened(open_store(tmp_path.as_uri()), signing=None)

    with pytest.raises(ConfigurationError, match="No signing key"):
        append_answer(reader, ONE)


def test_more_objects_of_others_than_are_passed_over_are_named(repository: Repository) -> None:
    append_answer(repository, ONE)
    for number in range(257):
        repository.store.put(f"feedback/{9_999_999_000 + number}", b"{}")

    with pytest.raises(SnapshotCorruptError, match=r"More than 256 objects of feedback/ .* Remove them"):
        read_answers(repository)
