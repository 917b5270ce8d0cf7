"""A store in memory that counts its requests, and a writer of long chains that reads no warehouse."""

from __future__ import annotations

import hashlib
import io
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import BinaryIO
from unittest.mock import patch

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ObjectNotFoundError
from airflow_provider_elementary.snapshots import Keys, LocalKeys, Manifest, Repository, find_manifest
from airflow_provider_elementary.snapshots.capture.commit import commit
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.maintenance import compaction
from airflow_provider_elementary.snapshots.maintenance.compaction import CompactionReport, compact
from airflow_provider_elementary.snapshots.maintenance.mergeable import MERGED, Merge
from airflow_provider_elementary.snapshots.manifest import FileEntry, TableEntry
from airflow_provider_elementary.storage.keys import Purpose, WrappedKey
from airflow_provider_elementary.storage.layout import data_file
from airflow_provider_elementary.storage.object_store.store import Fetched, StoredObject, UndeletedObject
from tests.support.signing import opened

_LISTED = 1_000
#: A chain of a year ends before today, as what the real writer adds to it has to.
BEGAN = datetime(2025, 1, 1)
TABLES = ("dbt_invocations", "dbt_run_results", "elementary_test_results", "data_monitoring_metrics")
#: New files of a synthetic snapshot: about those of an hourly sync of a small project.
FILES = tuple((table, category) for table in TABLES for category in list(Category)[:3])
#: What is in each of them.
_CONTENT = b"x" * 10
_CONTENT_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


class Objects(dict[str, bytes]):
    """Objects by name, whose names below a prefix are found without looking at all of them."""

    def __init__(self, objects: Mapping[str, bytes] | None = None) -> None:
        super().__init__(objects or {})
        self._names = sorted(self)

    def __setitem__(self, key: str, content: bytes) -> None:
        if key not in self:
            insort(self._names, key)
        super().__setitem__(key, content)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        del self._names[bisect_left(self._names, key)]

    def below(self, prefix: str, after: str = "") -> list[str]:
        first = max(bisect_left(self._names, prefix), bisect_right(self._names, after))
        return self._names[first : bisect_left(self._names, f"{prefix}\U0010ffff")]


class CountingStore:
    """Objects in memory; counts requests and bytes as S3 would charge them."""

    uri = "s3://counted/store"

    def __init__(self, objects: Mapping[str, bytes] | None = None) -> None:
        self.objects = Objects(objects)
        self.requests: Counter[str] = Counter()
        self.bytes = 0
        self.written = 0
        #: Of the requests, those for a range of an object: of a file.
        self.ranges = 0

    def reset(self) -> None:
        self.requests.clear()
        self.bytes = self.written = self.ranges = 0

    @property
    def total(self) -> int:
        return sum(self.requests.values())

    def describe(self) -> dict[str, str]:
        return {"at_rest": "memory", "in_transit": "memory"}

    def put(self, key: str, content: bytes) -> None:
        self._count("put", content)
        self.objects[key] = content

    def put_if_absent(self, key: str, content: bytes) -> bool:
        self._count("put", content)
        if key not in self.objects:
            self.objects[key] = content
        return self.objects[key] is content

    def replace(self, key: str, content: bytes, etag: str) -> bool:
        self._count("put", content)
        if key not in self.objects or _etag(self.objects[key]) != etag:
            return False
        self.objects[key] = content
        return True

    def get(self, key: str) -> bytes | None:
        return self._count("get", self.objects.get(key))

    def get_capped(self, key: str, limit: int) -> Fetched | None:
        found = self._count("get", self.objects.get(key))
        return None if found is None else Fetched(found[:limit], _etag(found), len(found))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        if key not in self.objects:
            raise ObjectNotFoundError(self.uri, key)
        self.ranges += 1
        return self._count("get", self.objects[key][start : start + length]) or b""

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        found = self.objects.below(prefix, after)
        for place, key in enumerate(found or [""]):
            if place % _LISTED == 0:
                self._count("list", b"")
            if key:
                yield StoredObject(key, len(self.objects[key]))

    def delete(self, key: str) -> None:
        self._count("delete", b"")
        self._remove(key)

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        for first in range(0, len(keys), _LISTED):
            self._count("delete", b"")
            for key in keys[first : first + _LISTED]:
                self._remove(key)
        return ()

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        target = io.BytesIO()
        yield target
        self.put(key, target.getvalue())

    def probe(self) -> bool:
        return True

    def clock_difference(self) -> timedelta | None:
        return timedelta(0)

    def protection(self, key: str) -> str:
        return "memory"

    def discard_unfinished(self, before: datetime, *, dry_run: bool = False) -> Sequence[str]:
        return ()

    def _remove(self, key: str) -> None:
        if key in self.objects:
            del self.objects[key]

    def _count(self, kind: str, content: bytes | None) -> bytes | None:
        self.requests[kind] += 1
        self.bytes += len(content or b"")
        self.written += len(content or b"") if kind == "put" else 0
        return content


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class SyntheticChain:
    """Commits hourly snapshots of made-up files by the writer's own commit, full ones weekly.

    :param syncs: how many there are already.
    :param keys: the master keys that a snapshot names, where a writer of real ones is to continue the chain.
    """

    def __init__(
        self, store: CountingStore, newest: Manifest | None = None, syncs: int = 0, keys: Keys | None = None
    ) -> None:
        self.store = store
        self.newest = newest
        self.syncs = syncs
        self._keys = keys
        self._wrapped = {category.value: self._wrap(category) for category in Category}

    @property
    def ends(self) -> datetime:
        """When the next sync is due."""
        return BEGAN + timedelta(hours=self.syncs)

    def repository(self) -> Repository:
        """Return the repository as the next task opens it; that the store is there is not of its requests."""
        counted = self.store.requests.copy()
        repository = opened(self.store, self._keys or LocalKeys({}))
        self.store.requests = counted
        return repository

    def grow(self, number: int) -> None:
        """Commit snapshots until there are that many."""
        while (self.newest.sequence if self.newest else 0) < number:
            self.commit(self.repository())

    def commit(self, repository: Repository) -> Manifest:
        """Commit one snapshot."""
        place = self.syncs
        taken_at = self.ends
        snapshot_id = f"{taken_at:%Y%m%dT%H%M%SZ}-{place:08x}"
        base = None if self.newest is None or place % 168 == 0 else _Base(self.newest)
        new = [_file(snapshot_id, table, category, taken_at) for table, category in FILES]
        for file in new:
            self.store.put(file.key, _CONTENT)
        manifest = Manifest(
            snapshot_id=snapshot_id,
            sequence=0,
            kind="incremental" if base else "full",
            created_at=taken_at.isoformat(),
            run_key=snapshot_id,
            source={"dialect": "postgres", "schema": "elementary"},
            parent=None,
            tables={
                name: TableEntry(place * 10, (), (), (), ("id", "created_at"), 10, 0, place, BEGAN.isoformat())
                for name in TABLES
            },
            files=(*(base.manifest.files if base else ()), *new),
            keys=self._wrapped,
            policy={},
            exclusions=(),
            access=None,
            protection=self.store.describe(),
            versions={},
        )
        plan = Plan(self.newest, base, None)  # type: ignore[arg-type]
        committed = commit(repository, manifest, plan)
        assert committed is not None
        self.newest = committed
        self.syncs += 1
        return committed

    def _wrap(self, category: Category) -> WrappedKey:
        if self._keys is None:
            return WrappedKey("local:1", "AAAA")
        return self.repository().keys.new_data_key(category, Purpose.SNAPSHOT).wrapped

    def compact(self, repository: Repository) -> CompactionReport:
        """Merge small files as a maintenance does, each by one request; what is in them is made up."""
        with patch.object(compaction, "_merge", self._merge), patch.object(compaction, "_without_key", return_value=()):
            newest = Anchor(self.newest.sequence, self.newest.sha256) if self.newest is not None else None
            report = compact(repository, anchors=[newest] if newest is not None else ())
        if report.head is not None:
            counted = (self.store.requests.copy(), self.store.bytes)
            self.newest = find_manifest(repository)
            self.store.requests, self.store.bytes = counted
        return report

    def _merge(self, repository: Repository, source: object, merge: Merge, snapshot_id: str) -> list[FileEntry]:
        for file in merge.files:
            self.store.get_range(file.key, 0, file.size)
        firsts = {file.category: file for file in reversed(merge.files)}
        merged = [
            replace(
                file,
                key=data_file(snapshot_id, file.table, file.category, MERGED),
                snapshot_id=snapshot_id,
                part=MERGED,
            )
            for file in firsts.values()
        ]
        for file in merged:
            self.store.put(file.key, _CONTENT)
        return merged


class _Base:
    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest


def _file(snapshot_id: str, table: str, category: Category, taken_at: datetime) -> FileEntry:
    return FileEntry(
        key=data_file(snapshot_id, table, category),
        snapshot_id=snapshot_id,
        table=table,
        category=category,
        columns=("id", "created_at"),
        by_rows=False,
        rows=10,
        size=len(_CONTENT),
        sha256=_CONTENT_SHA256,
        footer_size=0,
        footer_sha256="",
        row_groups=(),
        min_watermark=taken_at.isoformat(),
        max_watermark=taken_at.isoformat(),
    )
