"""Shows the snapshot chain, and files, keys and policy of one snapshot."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError, KeyUnavailableError
from airflow_provider_elementary.page.charts import Bar, bars
from airflow_provider_elementary.page.rendering import readable_size
from airflow_provider_elementary.page.store_reader import StoreReader
from airflow_provider_elementary.page.store_status import attempt
from airflow_provider_elementary.page.views.access import AccessState, access_state
from airflow_provider_elementary.page.views.base import ListPage, NotHereError, Request
from airflow_provider_elementary.words import plural

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Manifest

_PAGE = 25
#: Maximum number of listings to check that the files of a snapshot exist: one for each snapshot that wrote some.
_LISTINGS = 50


@dataclass(frozen=True)
class ChainLink:
    """One snapshot of the chain.

    :param link: to the previous snapshot: ``linked``, ``first``, ``broken``, ``linked, pruned`` if a prune record
        proves its removal, or ``missing`` if the previous snapshot is missing without a record.
    :param added: bytes of the files that it wrote; it shares the others with earlier snapshots.
    :param excluded: what the policy excluded or redacted, a sentence each.
    """

    manifest: Manifest
    added: int
    link: str
    categories: Mapping[str, int]
    access: AccessState
    excluded: tuple[str, ...]


@dataclass(frozen=True)
class Snapshots:
    """What the template ``snapshots.html`` shows."""

    uri: str
    snapshots: tuple[ChainLink, ...]
    sizes: tuple[Bar, ...]
    pagination: ListPage
    problems: tuple[str, ...]


@dataclass(frozen=True)
class CategoryState:
    """One category of a snapshot.

    :param readable: whether the page's keys open it: ``yes``, ``no``, or ``no keys named``.
    """

    label: str
    rows: int
    size: int
    files: int
    master_key_id: str
    readable: str


@dataclass(frozen=True)
class SnapshotTable:
    """One table of a snapshot.

    :param columns: those that left the warehouse, by category.
    """

    name: str
    rows: int
    size: int
    files: int
    excluded: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    columns: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class OneSnapshot:
    """What the template ``snapshot.html`` shows.

    :param files_state: whether the store lists the snapshot's files, in a sentence.
    :param is_complete: whether every file exists in its size; None if that was not checked.
    :param problems: of the sync, a sentence each.
    """

    uri: str
    link: ChainLink
    sha256: str
    categories: tuple[CategoryState, ...]
    tables: tuple[SnapshotTable, ...]
    policy: Mapping[str, Any]
    files_state: str
    is_complete: bool | None
    problems: tuple[str, ...]


def build(request: Request) -> Snapshots:
    """Return one page of a store's chain, newest first."""
    problems: list[str] = []
    reader = request.reader
    sequences = attempt(problems, reader.uri, reader.sequences) or []
    page = ListPage(1, _PAGE, len(sequences))
    page = ListPage(min(request.number("page"), page.last), _PAGE, len(sequences))
    newest_first = sequences[::-1]
    # One more than is shown: the parent of the oldest shown.
    wanted = newest_first[(page.number - 1) * _PAGE : page.number * _PAGE + 1]
    pruned = attempt(problems, reader.uri, reader.pruned) or {}
    manifests: dict[int, Manifest] = {}
    for sequence in wanted:
        found = attempt(
            problems,
            reader.uri,
            lambda sequence=sequence: reader.manifest(sequence, newest=sequence == sequences[-1]),  # type: ignore[misc]
        )
        if found is not None:
            manifests[sequence] = found
    links = tuple(_link(manifests[sequence], manifests, pruned) for sequence in wanted[:_PAGE] if sequence in manifests)
    return Snapshots(
        uri=reader.uri,
        snapshots=links,
        sizes=tuple(
            bars(
                [(link.added, f"No. {link.manifest.sequence}: {readable_size(link.added)}") for link in reversed(links)]
            )
        ),
        pagination=page,
        problems=tuple(problems),
    )


def build_one(request: Request) -> OneSnapshot:
    """Return one snapshot.

    :raises NotHereError: the store holds none of that number.
    """
    reader = request.reader
    number = request.number("number", 0)
    sequences = reader.sequences()
    if number not in sequences:
        raise NotHereError(
            f"Snapshot {request.text('number')!r} is not in {reader.uri}. It may have been pruned; see Snapshots for "
            "those that exist."
        )
    manifest = reader.manifest(number, newest=True)
    before = {number: manifest}
    if number - 1 in sequences:
        problems: list[str] = []
        parent = attempt(problems, reader.uri, lambda: reader.manifest(number - 1, newest=True))
        before |= {number - 1: parent} if parent else {}
    files_state, is_complete = _files_state(reader, manifest)
    from airflow_provider_elementary.snapshots.summary import problems as problems_of

    return OneSnapshot(
        uri=reader.uri,
        link=_link(manifest, before, reader.pruned()),
        sha256=manifest.sha256,
        categories=_categories(reader, manifest),
        tables=_tables(manifest),
        policy=manifest.policy,
        files_state=files_state,
        is_complete=is_complete,
        problems=tuple(problems_of(manifest)),
    )


def _link(manifest: Manifest, manifests: Mapping[int, Manifest], pruned: Mapping[int, str]) -> ChainLink:
    rows: Counter[str] = Counter()
    for file in manifest.files:
        rows[file.category.label] += file.rows
    return ChainLink(
        manifest=manifest,
        added=sum(file.size for file in manifest.new_files),
        link=_link_to_parent(manifest, manifests, pruned),
        categories=dict(rows),
        access=access_state(manifest),
        excluded=tuple(exclusion(rule) for rule in manifest.exclusions),
    )


def _link_to_parent(manifest: Manifest, manifests: Mapping[int, Manifest], pruned: Mapping[int, str]) -> str:

    if manifest.parent is None:
        return "first"
    before = manifest.parent.sequence
    if (parent := manifests.get(before)) is not None:
        return "linked" if parent.sha256 == manifest.parent.sha256 else "broken"
    if before in pruned:
        return "linked, pruned" if pruned[before] == manifest.parent.sha256 else "broken"
    return "missing"


def exclusion(rule: Mapping[str, Any]) -> str:
    """Return what a rule excluded or redacted, in words."""
    what = (
        f"{plural(rule['rows'], 'row')} of {rule.get('table')}"
        if "rows" in rule
        else f"{plural(rule.get('values', 0), 'value')} of {rule.get('column')}"
    )
    return f"{what}: {rule.get('rule')}"


def _categories(reader: StoreReader, manifest: Manifest) -> tuple[CategoryState, ...]:
    from airflow_provider_elementary.elementary_schema import Category

    states = []
    for name, wrapped in sorted(manifest.keys.items()):
        category = Category(name)
        files = [file for file in manifest.files if file.category is category]
        states.append(
            CategoryState(
                label=category.label,
                rows=sum(file.rows for file in files),
                size=sum(file.size for file in files),
                files=len(files),
                master_key_id=wrapped.master_key_id,
                readable=_readable(reader, manifest, category),
            )
        )
    return tuple(states)


def _readable(reader: StoreReader, manifest: Manifest, category: Any) -> str:
    from airflow_provider_elementary.storage.keys import Purpose

    if not reader.has_keys:
        return "no keys named"
    try:
        reader.opened.keys.unwrap(category, manifest.keys[category.value], Purpose.SNAPSHOT)
    except KeyUnavailableError:
        return "no"
    except ElementaryError:
        return "no keys named"
    return "yes"


def _tables(manifest: Manifest) -> tuple[SnapshotTable, ...]:
    files: dict[str, list[Any]] = defaultdict(list)
    for file in manifest.files:
        files[file.table].append(file)
    return tuple(
        SnapshotTable(
            name=name,
            rows=entry.rows,
            size=sum(file.size for file in files[name]),
            files=len(files[name]),
            excluded=tuple(category.label for category in entry.excluded_categories),
            unknown_columns=entry.unknown_columns,
            columns=_columns(files[name]),
        )
        for name, entry in manifest.tables.items()
    )


def _columns(files: Sequence[Any]) -> Mapping[str, Sequence[str]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for file in files:
        found[file.category.label].update(dict.fromkeys(file.columns))
    return {label: tuple(names) for label, names in sorted(found.items())}


def _files_state(reader: StoreReader, manifest: Manifest) -> tuple[str, bool | None]:
    """Compare the names and sizes of a snapshot's files with a listing of the store; no file is opened."""
    from airflow_provider_elementary.snapshots.prune_record import without_expired

    kept, expired = without_expired(reader.opened.repository, manifest)
    folders = sorted({"/".join(file.key.split("/")[:2]) + "/" for file in kept.files})
    if len(folders) > _LISTINGS:
        return f"not checked: {plural(len(folders), 'snapshot')} wrote its files. Run the verify task.", None
    listed: dict[str, int] = {}
    for folder in folders:
        listed.update({found.key: found.size for found in reader.opened.store.list(folder)})
    lost = [file.key for file in kept.files if listed.get(file.key) != file.size]
    note = f"; expired, removed by prune: {', '.join(category.label for category in expired)}" if expired else ""
    return _lost(lost, len(kept.files)) + note, not lost


def _lost(lost: Sequence[str], total: int) -> str:
    if not lost:
        return f"all {total} exist with the size in the manifest; run the verify task to check their contents"
    named = ", ".join(lost[:5])
    return f"{len(lost)} of {total} are missing or differ in size: {named}. Restore them from a replica, or use another"
