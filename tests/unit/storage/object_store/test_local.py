"""A local store follows no link, reads nothing but regular files and writes for its owner only."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError, ElementaryError, StoreError, StoreRefusedError
from airflow_provider_elementary.storage.object_store import local
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.object_store.store import Store

OUTSIDE = b"content of a file outside"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_bytes(OUTSIDE)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store")
    store.put("data/there", b"there")
    return store


def link_to_file(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "file")


def link_to_directory(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def broken_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "nothing")


def pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def directory(path: Path, outside: Path) -> None:
    path.mkdir()
    (path / "inside").write_bytes(b"inside")


def unix_socket(path: Path, outside: Path) -> None:
    # The path of a socket is limited to about 100 bytes.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


ODD: list[Callable[[Path, Path], None]] = [
    link_to_file,
    link_to_directory,
    broken_link,
    pipe,
    directory,
    unix_socket,
]
USES: dict[str, Callable[[Store], object]] = {
    "get": lambda store: store.get("data/out/file"),
    "get_capped": lambda store: store.get_capped("data/out/file", 100),
    "get_range": lambda store: store.get_range("data/out/file", 0, 100),
    "put": lambda store: store.put("data/out/file", b"forged"),
    "put_if_absent": lambda store: store.put_if_absent("data/out/new", b"forged"),
    "replace": lambda store: store.replace("data/out/file", b"forged", "etag"),
    "create": lambda store: store.create("data/out/new").__enter__(),
    "delete": lambda store: store.delete("data/out/file"),
    "list": lambda store: list(store.list("data/out/")),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_no_directory_is_reached_through_a_link(
    store: LocalStore, outside: Path, use: Callable[[Store], object]
) -> None:
    (store.root / "data" / "out").symlink_to(outside)

    with pytest.raises(StoreRefusedError, match=r"out on the way to .* is a link .*: remove it\."):
        use(store)

    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"file": OUTSIDE}


@pytest.mark.parametrize("key", ["../outside/file", "data/../../outside/file", "/etc/passwd", "", "data//there", "./x"])
@pytest.mark.parametrize("use", ["get", "delete", "put"])
def test_a_name_outside_the_store_is_refused(store: LocalStore, outside: Path, use: str, key: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: store.get(key),
        "delete": lambda: store.delete(key),
        "put": lambda: store.put(key, b"forged"),
    }

    with pytest.raises(ConfigurationError, match="is not inside the store"):
        calls[use]()

    assert (outside / "file").read_bytes() == OUTSIDE


@pytest.mark.parametrize("make", ODD)
class TestWhatIsNoRegularFile:
    """It counts as an object without content: it is not listed, and our own takes its place."""

    @pytest.fixture
    def name(self, store: LocalStore, outside: Path, make: Callable[[Path, Path], None]) -> str:
        (store.root / "manifests").mkdir()
        make(store.root / "manifests" / "8.json", outside)
        return "manifests/8.json"

    def test_it_is_read_as_empty(self, store: LocalStore, name: str) -> None:
        found = store.get_capped(name, 100)

        assert found is not None
        assert found.content == b""
        assert store.get_range(name, 0, 100) == b""

    def test_it_is_not_listed(self, store: LocalStore, name: str) -> None:
        assert name not in [found.key for found in store.list("")]

    def test_it_excludes_a_new_object(self, store: LocalStore, outside: Path, name: str) -> None:
        assert not store.put_if_absent(name, b"ours")
        assert (outside / "file").read_bytes() == OUTSIDE

    def test_it_is_replaced(self, store: LocalStore, outside: Path, name: str) -> None:
        found = store.get_capped(name, 100)
        assert found is not None

        assert store.replace(name, b"ours", found.etag)

        assert store.get(name) == b"ours"
        assert (outside / "file").read_bytes() == OUTSIDE


def test_deleting_a_link_leaves_what_it_names(store: LocalStore, outside: Path) -> None:
    (store.root / "data" / "link").symlink_to(outside / "file")

    store.delete("data/link")

    assert (outside / "file").read_bytes() == OUTSIDE
    assert [found.key for found in store.list("")] == ["data/there"]


def test_a_draft_that_is_a_link_is_discarded_and_not_followed(store: LocalStore, outside: Path) -> None:
    from datetime import UTC, datetime, timedelta

    (store.root / "data" / ".partial-1").symlink_to(outside / "file")

    store.discard_unfinished(datetime.now(UTC) + timedelta(hours=1))

    assert (outside / "file").read_bytes() == OUTSIDE


def test_the_store_itself_may_be_reached_through_a_link(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(store.root)

    assert LocalStore(tmp_path / "mounted").get("data/there") == b"there"


def test_files_and_directories_are_for_their_owner_whatever_the_umask(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    before = os.umask(0)
    try:
        store.put("manifests/1.json", b"content")
        store.put_if_absent("manifests/2.json", b"content")
        with store.create("data/deep/file") as file:
            file.write(b"content")
        found = store.get_capped("manifests/1.json", 0)
        assert found is not None
        store.replace("manifests/1.json", b"other", found.etag)
    finally:
        os.umask(before)

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [store.root, *store.root.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


def test_a_directory_nested_very_deeply_stops_no_listing(store: LocalStore) -> None:
    folder = os.open(store.root, os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d", dir_fd=folder)
        deeper = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)

    assert [found.key for found in store.list("")] == ["data/there"]


@pytest.mark.parametrize("name", [b"data/\xff\xfe", b"data/new\nline", b"data/\x1b[31m"])
def test_a_name_that_cannot_be_printed_is_not_listed(store: LocalStore, name: bytes) -> None:
    (Path(os.fsdecode(os.path.join(os.fsencode(store.root), name)))).write_bytes(b"")

    assert [found.key for found in store.list("")] == ["data/there"]


def test_what_cannot_be_deleted_is_returned_and_the_rest_is_deleted(store: LocalStore, outside: Path) -> None:
    (store.root / "link").symlink_to(outside)

    [failed] = store.delete_many(["link/file", "data/there"])

    assert (failed.key, list(store.list(""))) == ("link/file", [])
    assert "is a link" in failed.reason


def test_a_store_whose_directory_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ElementaryError, match="is a file and not a directory"):
        LocalStore(tmp_path / "file").put("manifests/1.json", b"content")


def test_a_lock_that_another_process_holds_is_waited_for_within_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    store.put("a", b"1")
    monkeypatch.setattr(local, "LOCK_SECONDS", 0.2)

    with (tmp_path / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match=r"\.lock is locked by another process for more than 0\.2 s"):
            store.replace("a", b"2", "of another")
