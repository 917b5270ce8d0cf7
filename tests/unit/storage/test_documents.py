"""Every document of a store is read as it was written, or refused with an error of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.access.check.report import AccessReport
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError, SnapshotCorruptError
from airflow_provider_elementary.snapshots.manifest import ConsistencyEntry, Parent
from airflow_provider_elementary.snapshots.manifest_document import MANIFEST
from airflow_provider_elementary.snapshots.prune_record import RECORD as RECORDS
from airflow_provider_elementary.snapshots.prune_record import ExpiredFile, PruneRecord, Tombstone
from airflow_provider_elementary.storage import documents
from airflow_provider_elementary.storage.layout import access_folder, result_files, result_series, series_key
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.records.report_log import record
from airflow_provider_elementary.storage.records.results import find_result
from tests.support.signing import SIGNER, STORE_ID, opened, signed
from tests.unit.snapshots.test_manifest import WHOLE as BASE
from tests.unit.storage.records.test_report_log import MONDAY, TUESDAY

#: No message repeats it, wherever it stands.
SECRET = "4111-1111"
POINT = ConsistencyEntry("2026-11-22T00:00:00", None, "2026-11-21T23:00:00", None, 3600.0, 21600.0, ("run-1",), 1)
WHOLE = replace(
    BASE,
    consistency=POINT,
    full_at="2026-11-22T00:00:00",
    access=MONDAY.to_dict(),
)
RECORD = PruneRecord(
    sequence=1,
    created_at="2026-11-22T00:00:00",
    parent=None,
    head=Parent(3, "ab" * 32),
    retention={"keep_last": 1},
    snapshots=(Tombstone(1, "20261122T000000Z-00000000", "2026-11-22T00:00:00", "cd" * 32, None),),
    expired=(ExpiredFile("data/x", "ef" * 32, Category.METADATA, "2026-11-22T00:00:00+00:00"),),
)
RESULT = {
    "key": series_key(result_series("metrics", "s"), 1),
    "kind": "metrics",
    "series": "s",
    "run_key": "dag/run",
    "created_at": "2026-11-22T00:00:00+00:00",
    "origin": {"snapshot_id": "x"},
    "parameters": {"days": 28},
    "files": [
        {
            "key": result_files("metrics", "s", "dag/run") + "f",
            "category": "table_metrics",
            "rows": 1,
            "size": 2,
            "sha256": "ab",
            "footer_size": 1,
            "footer_sha256": "cd",
            "row_groups": [],
        }
    ],
    "keys": {"table_metrics": {"master_key_id": "local:1", "ciphertext": "AAAA"}},
    "previous": None,
    "previous_run": None,
    "format_version": 2,
}


@dataclass(frozen=True)
class Kind:
    """One kind of document: what one of it looks like, and what reads it."""

    valid: bytes
    read: Callable[[bytes, Path], Any]
    required: str
    number: str | None = None


RESULT_NAME = series_key(result_series("metrics", "s"), 1)


def _result(content: bytes, folder: Path) -> Any:
    repository = opened(LocalStore(folder))
    repository.store.put(RESULT_NAME, signed(SIGNER, STORE_ID, RESULT_NAME, content))
    return find_result(repository, RESULT_NAME)


def _report(content: bytes, folder: Path) -> Any:
    repository = opened(LocalStore(folder))
    name = series_key(access_folder("dwh"), 1)
    repository.store.put(name, signed(SIGNER, STORE_ID, name, content))
    return record(repository, TUESDAY, subject="dwh", run_key="tuesday").previous


def _kept_report(folder: Path) -> bytes:
    repository = opened(LocalStore(folder))
    stored = repository.store.get(record(repository, MONDAY, subject="dwh", run_key="monday").key) or b""
    return stored.partition(b"\n")[2]


@pytest.fixture(params=["manifest", "prune record", "result", "access report"])
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kind:
    return {
        "manifest": Kind(
            MANIFEST.write(WHOLE), lambda content, _: MANIFEST.write(MANIFEST.read(content, "m")), "added", "sequence"
        ),
        "prune record": Kind(
            RECORDS.write(RECORD), lambda content, _: RECORDS.write(RECORDS.read(content, "p")), "head", "sequence"
        ),
        "result": Kind(
            json.dumps(RESULT, sort_keys=True, separators=(",", ":")).encode(), _result, "origin", "format_version"
        ),
        "access report": Kind(
            _kept_report(tmp_path_factory.mktemp("kept")),
            _report,
            "report",
            "format_version",
        ),
    }[request.param]


def refusal(kind: Kind, content: bytes, folder: Path) -> str:
    with pytest.raises(SnapshotCorruptError) as caught:
        kind.read(content, folder)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_a_valid_document_is_read(kind: Kind, tmp_path: Path) -> None:
    kind.read(kind.valid, tmp_path)


def test_manifests_and_prune_records_come_back_as_the_same_bytes() -> None:
    assert MANIFEST.write(MANIFEST.read(MANIFEST.write(WHOLE), "m")) == MANIFEST.write(WHOLE)
    assert RECORDS.write(RECORDS.read(RECORDS.write(RECORD), "p")) == RECORDS.write(RECORD)
    assert (MANIFEST.read(MANIFEST.write(WHOLE), "m"), RECORDS.read(RECORDS.write(RECORD), "p")) == (
        WHOLE,
        RECORD,
    )


def test_the_bytes_of_a_prune_record() -> None:
    assert RECORDS.write(RECORD).decode() == (
        '{"created_at":"2026-11-22T00:00:00","expired":[{"category":"metadata","expired_at":"2026-11-22T00:00:00+00:00",'
        '"key":"data/x","sha256":"'
        + "ef" * 32
        + '"}],"format_version":2,"head":{"sequence":3,"sha256":"'
        + "ab" * 32
        + '"},"parent":null,"retention":{"keep_last":1},"sequence":1,"snapshots":[{"created_at":"2026-11-22T00:00:00",'
        '"parent":null,"sequence":1,"sha256":"' + "cd" * 32 + '","snapshot_id":"20261122T000000Z-00000000"}]}'
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b" ", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\x80\x81", "it is not JSON"),
        (b'{"a": "\\ud800"}', "it is not JSON"),
        (b"[" * 200_000, "it is not JSON"),
        (b'{"a":' * 200_000, "it is not JSON"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b"7", "it is not a JSON object"),
        (f'"{SECRET}"'.encode(), "it is not a JSON object"),
        (f'{{"{SECRET}": 1}}'.encode(), "field"),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_what_is_no_document_is_refused(kind: Kind, tmp_path: Path, content: bytes, fault: str) -> None:
    assert fault in refusal(kind, content, tmp_path)


def test_what_is_larger_than_4_mib_is_refused() -> None:
    with pytest.raises(SnapshotCorruptError, match="it is larger than 4 MiB"):
        MANIFEST.read(b"x" * (documents.MAX_BYTES + 1), "m")


def test_a_missing_field_is_named(kind: Kind, tmp_path: Path) -> None:
    if not kind.required:
        pytest.skip("every field of this document may be missing")
    facts = json.loads(kind.valid)
    del facts[kind.required]

    assert f"field {kind.required} is missing." in refusal(kind, json.dumps(facts).encode(), tmp_path)


def test_a_further_field_is_refused(kind: Kind, tmp_path: Path) -> None:
    facts = {**json.loads(kind.valid), "more": SECRET}

    assert "field more is not known" in refusal(kind, json.dumps(facts).encode(), tmp_path)


@pytest.mark.parametrize(
    "value", [[SECRET], {SECRET: SECRET}, True, 7, 7.5, SECRET], ids=lambda value: str(type(value))
)
def test_a_field_of_another_type_is_refused_in_every_place(kind: Kind, tmp_path: Path, value: Any) -> None:
    facts = json.loads(kind.valid)
    for number, (name, old) in enumerate(facts.items()):
        if type(value) is type(old) or (isinstance(old, float) and isinstance(value, int | float)):
            continue
        if isinstance(old, dict) and isinstance(value, dict):
            continue
        content = json.dumps({**facts, name: value}).encode()
        folder = tmp_path / str(number)
        if old is None or (name == "reason" and isinstance(value, str)):
            continue
        refusal(kind, content, folder)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_json_does_not_know_is_refused_in_every_place(kind: Kind, tmp_path: Path, constant: str) -> None:
    facts = json.loads(kind.valid)
    for number, name in enumerate(facts):
        for value in ("@", {"x": "@"}, ["@"]):
            content = json.dumps({**facts, name: value}).replace('"@"', constant).encode()
            refusal(kind, content, tmp_path / f"{number}{type(value).__name__}")


@pytest.mark.parametrize("digits", [20, 5_000])
def test_a_huge_number_is_refused_in_every_place(kind: Kind, tmp_path: Path, digits: int) -> None:
    facts = json.loads(kind.valid)
    for number, name in enumerate(facts):
        for value in ("@", {"x": "@"}):
            content = json.dumps({**facts, name: value}).replace('"@"', "9" * digits).encode()
            refusal(kind, content, tmp_path / f"{number}{type(value).__name__}")


def test_a_field_that_comes_twice_is_refused(kind: Kind, tmp_path: Path) -> None:
    facts = json.loads(kind.valid)
    name, value = next(iter(facts.items()))
    twice = f'{{"{name}": {json.dumps(value)}, {json.dumps(facts)[1:]}'

    assert "a field comes twice" in refusal(kind, twice.encode(), tmp_path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda facts: facts["added"].update(rows=["1"]), "field added.rows.0 has another type"),
        (lambda facts: facts["added"].update(rows=[True]), "field added.rows.0 has another type"),
        (lambda facts: facts["added"].update(category=[SECRET]), "field added.category.0 has another type or value"),
        (lambda facts: facts["added"].update(max_watermark=[SECRET]), "field added.max_watermark.0 has another"),
        (lambda facts: facts["added"].update({SECRET: 1}), "field added.(unprintable) is not known"),
        (lambda facts: facts["added"].pop("size"), "field added has another type or value"),
        (lambda facts: facts["added"].update(size=[]), "field added has another type or value"),
        (lambda facts: facts["parent"].update(x=1), "field parent.x is not known"),
        (
            lambda facts: facts["consistency"].update(window_from="2026-11-22T00:00:00+00:00"),
            "field consistency.window_from has",
        ),
        (
            lambda facts: facts["tables"]["metadata"].update(settled_from=SECRET),
            "field tables.metadata.settled_from has",
        ),
        (lambda facts: facts["generation"].update(x=1), "field generation.x is not known"),
        (lambda facts: facts.update(kind=7), "field kind has another type"),
        (lambda facts: facts.update(kind=SECRET), "field kind has another type or value"),
        (lambda facts: facts.update(created_at=SECRET), "field created_at has another type or value"),
        (lambda facts: facts.update(source={"a": {"a": float("nan")}}), "a number is too large"),
    ],
)
def test_a_manifest_says_where_it_is_not_valid(tmp_path: Path, change: Callable[[Any], Any], fault: str) -> None:
    facts = json.loads(MANIFEST.write(WHOLE))
    change(facts)

    with pytest.raises(SnapshotCorruptError) as caught:
        MANIFEST.read(json.dumps(facts).encode(), "manifests/7.json")

    assert f"manifests/7.json is not a valid manifest: {fault}" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_document_too_large_to_be_read_is_not_written() -> None:
    with pytest.raises(ConfigurationError, match="and at most 4,194,304 can be read"):
        MANIFEST.write(replace(WHOLE, run_key="x" * documents.MAX_BYTES))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_could_not_be_read_again_is_not_written(value: float | str) -> None:
    with pytest.raises(ConfigurationError, match="A manifest cannot be written with a number that is not finite"):
        MANIFEST.write(replace(WHOLE, source={"failed_rows_days": value}))


@pytest.mark.parametrize("change", [{"findings": 1}, {"roles": "x"}, {"checked_at": 7}, {"more": SECRET}])
def test_an_access_report_out_of_a_dictionary_is_strict_too(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        AccessReport.from_dict({**MONDAY.to_dict(), **change})

    assert SECRET not in str(caught.value)
