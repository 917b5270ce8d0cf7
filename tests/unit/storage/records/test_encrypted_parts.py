"""Parts inside a result are read by who has the keys of all their categories."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import KeyUnavailableError, SnapshotCorruptError
from airflow_provider_elementary.snapshots import LocalKeys, Repository, open_store
from airflow_provider_elementary.storage.layout import is_result
from airflow_provider_elementary.storage.records import encrypted_parts
from airflow_provider_elementary.storage.records.encrypted_parts import open_parts, write_parts
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import newest_result
from tests.support.signing import opened

CATEGORIES = (Category.METADATA, Category.TABLE_METRICS)
PARTS = {"facts": b"what is shown first", "tests": b"the rest" * 1000, "runs": b"a little more"}


@pytest.fixture
def keys() -> dict[str, str]:
    return LocalKeys.generate()


@pytest.fixture
def repository(tmp_path: Path, keys: dict[str, str]) -> Repository:
    return opened(open_store((tmp_path / "store").as_uri()), LocalKeys(keys))


def write(repository: Repository, run_key: str = "run") -> Result:
    written = write_parts(
        repository, "summaries", PARTS, CATEGORIES, run_key=run_key, origin={}, parameters={"of": "a test"}
    )
    assert written is not None
    return written


def test_parts_are_read_as_they_were_written(repository: Repository) -> None:
    write(repository)
    found = newest_result(repository, "summaries", "")
    assert found is not None

    parts = open_parts(repository, found)

    assert {name: parts.read(name) for name in PARTS} == PARTS
    assert parts.read("another") is None


@pytest.mark.parametrize("missing", CATEGORIES)
def test_who_lacks_the_key_of_one_category_reads_nothing(
    repository: Repository, keys: dict[str, str], missing: Category
) -> None:
    result = write(repository)
    some = {name: key for name, key in keys.items() if name != missing.value}
    with pytest.raises(KeyUnavailableError):
        open_parts(opened(repository.store, LocalKeys(some)), result)


def test_what_was_changed_or_renamed_is_refused(repository: Repository) -> None:
    parts = open_parts(repository, write(repository))
    encrypted = base64.b64decode(parts.encrypted["facts"])
    changed = base64.b64encode(encrypted[:-1] + bytes([encrypted[-1] ^ 1])).decode()
    for other in (
        {"facts": changed},
        {"facts": parts.encrypted["tests"]},
        {"facts": ""},
        {"facts": "é"},
        {"facts": "A"},
    ):
        with pytest.raises(SnapshotCorruptError):
            replace(parts, encrypted=other).read("facts")


@pytest.mark.parametrize("forged", [[], "facts", {"facts": 1}, {"facts": None}])
def test_parts_that_are_no_texts_are_refused(repository: Repository, forged: object) -> None:
    result = write(repository)
    with pytest.raises(SnapshotCorruptError):
        open_parts(repository, replace(result, parameters={"parts": forged}))


def test_the_two_newest_runs_are_kept(repository: Repository) -> None:
    written = [write(repository, run_key) for run_key in ("one", "two", "two", "three")]

    left = [found.key for found in repository.store.list("results/summaries/") if is_result(found.key)]

    assert sorted(left) == sorted(result.key for result in written[2:])


def test_what_does_not_fit_is_left_out(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encrypted_parts, "_MOST_BYTES", 150)
    parts = open_parts(repository, write(repository))
    assert (parts.read("facts"), parts.read("tests")) == (PARTS["facts"], None)
    monkeypatch.setattr(encrypted_parts, "_MOST_BYTES", 1)
    assert write_parts(repository, "summaries", PARTS, CATEGORIES, run_key="", origin={}, parameters={}) is None


def test_what_no_reader_would_unpack_is_left_out(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encrypted_parts, "_MOST_PLAIN_BYTES", len(PARTS["tests"]) - 1)

    assert list(open_parts(repository, write(repository)).encrypted) == ["facts", "runs"]
