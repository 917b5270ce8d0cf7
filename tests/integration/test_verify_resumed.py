"""A verification that was broken off continues where it was, and believes nothing that changed since."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError, StoreError
from airflow_provider_elementary.snapshots import LocalKeys, Manifest
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import VerifyReport, verify
from airflow_provider_elementary.snapshots.verify.checked_before import CheckedBefore
from airflow_provider_elementary.storage.layout import DATA
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.outcomes import Outcome
from tests.support.signing import STORE_ID, opened
from tests.support.stores import Rest, copied, grow, local_rest
from tests.support.tampering import flip

T = TypeVar("T")
#: Files that are checked before an attempt is broken off.
CHECKED = 5
KEYS = LocalKeys.generate()


class _BrokenOffError(Exception):
    """What ends an attempt."""


def broken_off(items: Collection[T], doing: str) -> Iterable[T]:
    """Return the first items, then end the attempt."""
    for place, item in enumerate(items):
        if place == CHECKED:
            raise _BrokenOffError
        yield item


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the data files that are read from now on."""
    keys: list[str] = []
    get_range = LocalStore.get_range

    def counted(store: LocalStore, key: str, start: int, length: int) -> bytes:
        if key.startswith(DATA) and not start:
            keys.append(key)
        return get_range(store, key, start, length)

    monkeypatch.setattr(LocalStore, "get_range", counted)
    return keys


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    found = local_rest(tmp_path)
    return Rest(found.store, LocalKeys(KEYS), found.folder)


@pytest.fixture
def manifests(rest: Rest, tmp_path: Path) -> list[Manifest]:
    return grow(rest, tmp_path, [3, 4])


@pytest.fixture
def checked(rest: Rest, manifests: list[Manifest], tmp_path: Path) -> Path:
    """Return the file of an attempt that was broken off."""
    path = tmp_path / "checked"
    with pytest.raises(_BrokenOffError):
        verify(rest.repository, snapshot="all", progress=broken_off, checked=path)
    return path


def names_in(path: Path) -> list[str]:
    return [json.loads(line)[0] for line in path.read_text().splitlines()[1:]]


def resumed(rest: Rest, path: Path) -> VerifyReport:
    return verify(rest.repository, snapshot="all", checked=path)


def test_the_next_attempt_reads_what_the_one_before_did_not(rest: Rest, checked: Path, read: list[str]) -> None:
    known = names_in(checked)
    assert len(known) == CHECKED
    read.clear()

    report = resumed(rest, checked)

    whole = verify(rest.repository, snapshot="all")
    assert report.sound
    assert (report.files, report.size, report.opened, report.rows) == (
        whole.files,
        whole.size,
        whole.opened,
        whole.rows,
    )
    assert set(known).isdisjoint(read[: report.files - CHECKED])
    assert report.notes[0].startswith(f"{CHECKED} files were read by attempts that were broken off, since 20")
    assert not checked.exists()


@pytest.mark.parametrize("harm", ["changed", "removed", "changed to a file of its time"])
def test_what_was_harmed_since_is_found(rest: Rest, checked: Path, harm: str) -> None:
    [victim, *_] = names_in(checked)
    path = rest.folder / victim
    facts = path.stat()
    if harm == "removed":
        path.unlink()
    else:
        flip(path)
    if harm == "changed to a file of its time":
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    report = resumed(rest, checked)

    assert report.outcome is Outcome.DAMAGED
    assert [finding.object for finding in report.findings] == [victim]


def test_what_is_harmed_is_found_again_by_each_attempt(rest: Rest, manifests: list[Manifest], tmp_path: Path) -> None:
    first = next(iter(manifests[0].files)).key
    flip(rest.folder / first)
    path = tmp_path / "checked"
    with pytest.raises(_BrokenOffError):
        verify(rest.repository, snapshot="all", progress=broken_off, checked=path)

    assert [finding.object for finding in resumed(rest, path).findings] == [first]


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[:-30],
        lambda text: text + "[" * 100_000,
        lambda text: text + '["data/x", 1, null, [], {}]\nnull\n\x00\n{"a": 1}\n',
    ],
    ids=["half a line", "a long line", "lines of other kinds"],
)
def test_lines_that_nobody_wrote_are_passed_over(rest: Rest, checked: Path, harm: Callable[[str], str]) -> None:
    checked.write_text(harm(checked.read_text()))

    report = resumed(rest, checked)

    assert report.sound
    assert "files were read by attempts" in report.notes[0]


def test_what_was_checked_a_day_ago_is_read_again(rest: Rest, checked: Path, read: list[str]) -> None:
    header, *lines = checked.read_text().splitlines()
    old, *others = ([*json.loads(line)] for line in lines)
    old[-1] -= 24 * 3600 + 60
    checked.write_text("\n".join([header, *map(json.dumps, [old, *others]), ""]))
    read.clear()

    report = resumed(rest, checked)

    assert old[0] in read
    assert {name for name, *_ in others}.isdisjoint(read)
    assert report.notes[0].startswith(f"{CHECKED - 1} files were read by attempts")


def test_an_attempt_after_half_a_line_keeps_what_it_checks(rest: Rest, checked: Path) -> None:
    checked.write_text(checked.read_text()[:-30])

    with pytest.raises(_BrokenOffError):
        verify(rest.repository, snapshot="all", progress=broken_off, checked=checked)

    assert len({json.loads(line)[0] for line in checked.read_text().splitlines()[1:] if line.endswith("]")}) == CHECKED


def test_files_count_only_for_keys_that_open_them(rest: Rest, checked: Path) -> None:
    other = opened(rest.store, LocalKeys(LocalKeys.generate()))

    report = verify(other, snapshot="all", checked=checked)

    assert report.opened == 0
    assert report.outcome is verify(other, snapshot="all").outcome is Outcome.CANNOT_TELL


def test_files_of_a_copy_elsewhere_do_not_count(rest: Rest, checked: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    copy = copied(rest, tmp_path / "elsewhere")

    with pytest.raises(ConfigurationError, match="is of the verification of file://"):
        resumed(copy, checked)


def test_two_verifications_do_not_use_one_file(rest: Rest, checked: Path) -> None:
    with checked.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="Another verification uses"):
            resumed(rest, checked)

    assert resumed(rest, checked).sound


def test_a_full_disk_ends_no_verification(rest: Rest, checked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    add, failing = CheckedBefore.add, SimpleNamespace(write=full)

    def without_room(before: CheckedBefore, *given: Any, **named: Any) -> None:
        if before._target is not None:
            before._target = cast(Any, failing)
        add(before, *given, **named)

    monkeypatch.setattr(CheckedBefore, "add", without_room)

    assert resumed(rest, checked).sound


def test_what_fails_at_the_end_leaves_the_file(rest: Rest, checked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise StoreError("The store does not answer.")

    monkeypatch.setattr("airflow_provider_elementary.snapshots.verify._without_pruned", failing)
    with pytest.raises(StoreError):
        resumed(rest, checked)

    assert len(names_in(checked)) > CHECKED


def test_a_pipe_is_refused(rest: Rest, manifests: list[Manifest], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ConfigurationError, match="is no file"):
        resumed(rest, tmp_path / "pipe")


def test_a_file_that_expires_meanwhile_is_not_missing(
    rest: Rest, manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC) + timedelta(days=20)
    kept = Retention(keep_last=2, category_days={Category.TABLE_METRICS: 1})
    prune(rest.repository, kept, now=now)
    doomed = {
        file.key for manifest in manifests for file in manifest.files if file.category is Category.TABLE_METRICS
    } & {found.key for found in rest.store.list(DATA)}
    assert doomed
    get_range = LocalStore.get_range

    def after_the_prune(store: LocalStore, key: str, start: int, length: int) -> bytes:
        # Listed before, and deleted by the prune a day later.
        if key in doomed:
            store.delete(key)
        return get_range(store, key, start, length)

    monkeypatch.setattr(LocalStore, "get_range", after_the_prune)

    assert verify(rest.repository, snapshot="all").findings == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "is not one of checked files"),
        ("[" * 5_000, "is not one of checked files"),
        ("[]", "is not one of checked files"),
        ('{"uri": "another"}', "is of the verification of another"),
    ],
)
def test_a_file_of_something_else_is_refused_and_stays(
    rest: Rest, manifests: list[Manifest], tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "other"
    path.write_text(content)

    with pytest.raises(ConfigurationError, match=said):
        resumed(rest, path)

    assert path.read_text() == content


def test_hashes_alone_do_not_stand_for_decrypted_files(rest: Rest, manifests: list[Manifest], tmp_path: Path) -> None:
    path = tmp_path / "checked"
    with pytest.raises(_BrokenOffError):
        verify(opened(rest.store), snapshot="all", progress=broken_off, checked=path)

    with pytest.raises(ConfigurationError, match="other choices"):
        resumed(rest, path)


def test_a_file_that_others_may_write_to_is_refused(rest: Rest, checked: Path) -> None:
    checked.chmod(0o662)
    with pytest.raises(ConfigurationError, match="Others than you may write"):
        resumed(rest, checked)

    checked.chmod(0o600)
    link = checked.with_name("link")
    link.symlink_to(checked)
    with pytest.raises(ConfigurationError, match="not a link"):
        resumed(rest, link)


def test_on_the_command_line_it_needs_all_snapshots(
    rest: Rest, checked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = {"uri": rest.store.uri, "store_id": STORE_ID, "secret_keys": dict(KEYS)}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "elementary_store", "extra": extra}))
    verified = ["snapshot", "verify", "--store-conn-id", "store", "--resume", str(checked)]

    assert main(verified) != 0
    assert "Give the file of checked files with" in capsys.readouterr().err
    assert main([*verified, "--snapshot", "all"]) == Outcome.NOT_ANCHORED.exit_status
    assert f"note: {CHECKED} files were read by attempts" in capsys.readouterr().out
