"""A store in memory that counts its requests, and a writer of long chains that reads no warehouse."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import BinaryIO

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ObjectNotFoundError
from airflow_provider_elementary.snapshots import Manifest, Repository
from airflow_provider_elementary.snapshots.capture.commit import commit
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.manifest import FileEntry, TableEntry
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.storage.layout import data_file
from airflow_provider_elementary.storage.store import Fetched, StoredObject, UndeletedObject
from tests.support.signing import opened

_LISTED = 1_000
BEGAN = datetime(2026, 1, 1)
TABLES = ("dbt_invocations", "dbt_run_results", "elementary_test_results", "data_monitoring_metrics")
#: New files of a synthetic snapshot: about those of an hourly sync of a small project.
FILES = tuple((table, category) for table in TABLES for category in list(Category)[:3])


class CountingStore:
    """Objects in memory; counts requests and bytes as S3 would charge them."""

    uri = "s3://counted/store"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()
        self.bytes = 0

    def reset(self) -> None:
        self.requests.clear()
        self.bytes = 0

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
        return self.objects.setdefault(key, content) is content

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
            raise ObjectNotFoundError(f"{key} is missing")
        return self._count("get", self.objects[key][start : start + length]) or b""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        found = sorted(key for key in self.objects if key.startswith(prefix))
        for place, key in enumerate(found or [""]):
            if place % _LISTED == 0:
                self._count("list", b"")
            if key:
                yield StoredObject(key, len(self.objects[key]))

    def delete(self, key: str) -> None:
        self._count("delete", b"")
        self.objects.pop(key, None)

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        for first in range(0, len(keys), _LISTED):
            self._count("delete", b"")
            for key in keys[first : first + _LISTED]:
                self.objects.pop(key, None)
        return ()

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        target = io.BytesIO()
        yield target
        self.put(key, target.getvalue())

    def probe(self) -> bool:
        return True

    def clock_difference(self) -> timedelta | None:
        return None

    def protection(self, key: str) -> str:
        return "memory"

    def discard_unfinished(self, before: datetime, *, dry_run: bool = False) -> Sequence[str]:
        return ()

    def _count(self, kind: str, content: bytes | None) -> bytes | None:
        self.requests[kind] += 1
        self.bytes += len(content or b"")
        return content


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class SyntheticChain:
    """Commits hourly snapshots of made-up files by the writer's own commit, full ones weekly."""

    def __init__(self, store: CountingStore) -> None:
        self.store = store
        self.newest: Manifest | None = None

    def repository(self) -> Repository:
        """Return the repository as the next task opens it."""
        return opened(self.store)

    def grow(self, number: int) -> None:
        """Commit snapshots until there are that many."""
        while (self.newest.sequence if self.newest else 0) < number:
            self.commit(self.repository())

    def commit(self, repository: Repository) -> Manifest:
        """Commit one snapshot."""
        place = self.newest.sequence if self.newest else 0
        taken_at = BEGAN + timedelta(hours=place)
        snapshot_id = f"{taken_at:%Y%m%dT%H%M%SZ}-{place:08x}"
        base = None if self.newest is None or place % 168 == 0 else _Base(self.newest)
        new = [_file(snapshot_id, table, category, taken_at) for table, category in FILES]
        self.store.objects.update((file.key, b"x" * file.size) for file in new)
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
            keys={category.value: WrappedKey("local:1", "AAAA") for category in Category},
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
        return committed


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
        size=10,
        sha256=hashlib.sha256(f"{snapshot_id}{table}{category}".encode()).hexdigest(),
        footer_size=4,
        footer_sha256=hashlib.sha256(snapshot_id.encode()).hexdigest(),
        row_groups=(),
        min_watermark=taken_at.isoformat(),
        max_watermark=taken_at.isoformat(),
    )
