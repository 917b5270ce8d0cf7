"""Shows what a security reviewer asks: rights, data that left, keys, failures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.page.store_reader import StoreReader
from airflow_provider_elementary.page.store_status import attempt
from airflow_provider_elementary.page.views.access import AccessState, CheckResult, access_state, audit_state, findings
from airflow_provider_elementary.page.views.base import Request
from airflow_provider_elementary.page.views.snapshots import exclusion

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Manifest

_DAYS = 30
#: Snapshots and access reports that are looked through.
_MOST = 200


@dataclass(frozen=True)
class LeftCategory:
    """What left the warehouse of one category.

    :param rows: written since the date; a row that was written twice counts twice.
    :param master_key_id: what opens the newest data key.
    """

    label: str
    rows: int
    size: int
    master_key_id: str


@dataclass(frozen=True)
class LeftTable:
    """What left the warehouse of one table: its columns, by category."""

    table: str
    columns: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class SignerRow:
    """A key that may sign in the store."""

    key_id: str
    algorithm: str
    held_by: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class StoreAudit:
    """What the template ``audit.html`` shows.

    :param since: the date from which on snapshots and reports are counted.
    :param is_pinned: whether the connection pins the store, so that what is read is proved.
    :param broken: numbers of snapshots whose parent is another than they name, or gone without a record of its
        removal.
    :param not_counted: number of older snapshots since the date that were not looked through.
    :param rights: the checks of the newest access report, those that need attention first.
    :param failed: the reports since the date with a failed or unknown check.
    """

    uri: str
    store_id: str
    is_pinned: bool
    since: datetime
    made_at: datetime
    snapshots: int
    newest: Manifest | None
    broken: tuple[int, ...]
    not_counted: int
    categories: tuple[LeftCategory, ...]
    tables: tuple[LeftTable, ...]
    exclusions: tuple[str, ...]
    never_left: tuple[str, ...]
    policy: Mapping[str, Any]
    signers: tuple[SignerRow, ...]
    session: Mapping[str, Any]
    rights: tuple[CheckResult, ...]
    failed: tuple[AccessState, ...]
    problems: tuple[str, ...]


def build(request: Request) -> StoreAudit:
    """Return the audit of a store since a date, 30 days ago by default."""
    return audit_of(request.reader, _date(request.text("since")))


def audit_of(reader: StoreReader, since: datetime | None = None) -> StoreAudit:
    """Return the audit of a store.

    :param since: 30 days ago by default.
    """
    now = datetime.now(UTC)
    since = since or (now - timedelta(days=_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    problems: list[str] = []
    sequences = attempt(problems, reader.uri, reader.sequences) or []
    looked_at = _manifests(reader, sequences, since, problems)
    manifests = [manifest for manifest in looked_at if manifest.taken_at >= since]
    # A compaction writes rows that left the warehouse before.
    written = [manifest for manifest in manifests if manifest.kind != "compaction"]
    newest = looked_at[0] if looked_at else None
    reports = attempt(problems, reader.uri, lambda: reader.access_reports(_MOST)) or []
    states = [*map(audit_state, reports), *(access_state(each) for each in manifests if each.access)]
    report = _newest_report(newest, reports)
    trust = attempt(problems, reader.uri, lambda: reader.opened.repository.documents.trust)
    return StoreAudit(
        uri=reader.uri,
        store_id=trust.store_id if trust else "",
        is_pinned=bool(trust and trust.pinned),
        since=since,
        made_at=now,
        snapshots=len(manifests),
        newest=newest,
        broken=_broken(looked_at, attempt(problems, reader.uri, reader.pruned) or {}, sequences),
        not_counted=max(0, len(sequences) - len(looked_at)) if len(manifests) == len(looked_at) else 0,
        categories=_categories(written, newest),
        tables=_tables(written),
        exclusions=tuple(dict.fromkeys(exclusion(rule) for each in manifests for rule in each.exclusions)),
        never_left=_never_left(written),
        policy=newest.policy if newest else {},
        signers=_signers(trust),
        session={name: report[name] for name in ("user", "roles", "dialect", "database", "schema") if report.get(name)},
        rights=findings(report),
        failed=tuple(
            sorted(
                (each for each in states if each.status in ("fail", "unknown") and each.taken_at >= since),
                key=lambda each: each.taken_at,
                reverse=True,
            )
        ),
        problems=tuple(dict.fromkeys(problems)),
    )


def _manifests(reader: StoreReader, sequences: Sequence[int], since: datetime, problems: list[str]) -> list[Manifest]:
    """Return the manifests since a date, newest first, and the one before them, which the oldest names."""
    found: list[Manifest] = []
    for sequence in reversed(sequences[-_MOST:]):
        manifest = attempt(problems, reader.uri, lambda sequence=sequence: reader.manifest(sequence))  # type: ignore[misc]
        found += [manifest] if manifest else []
        if manifest and manifest.taken_at < since:
            break
    return found


def _newest_report(newest: Manifest | None, reports: Sequence[Any]) -> Mapping[str, Any]:
    of_snapshot: Mapping[str, Any] = (newest.access or {}) if newest else {}
    of_audit: Mapping[str, Any] = reports[0].report.to_dict() if reports else {}
    return max((of_snapshot, of_audit), key=lambda report: str(report.get("checked_at", "")))


def _broken(manifests: Sequence[Manifest], pruned: Mapping[int, str], there: Sequence[int]) -> tuple[int, ...]:
    """Return the snapshots whose parent is another than they name, or gone without a prune record.

    :param there: the numbers of all manifests; what could not be read of them is a problem of its own.
    """
    hashes = {**pruned, **{manifest.sequence: manifest.sha256 for manifest in manifests}}
    # The oldest one that was looked at names one that was not.
    oldest = min((manifest.sequence for manifest in manifests), default=0)
    unread = set(there) - hashes.keys()
    return tuple(
        manifest.sequence
        for manifest in manifests
        if manifest.parent
        and manifest.sequence != oldest
        and manifest.parent.sequence not in unread
        and hashes.get(manifest.parent.sequence) != manifest.parent.sha256
    )


def _categories(manifests: Sequence[Manifest], newest: Manifest | None) -> tuple[LeftCategory, ...]:
    from airflow_provider_elementary.elementary_schema import Category

    rows: Counter[Category] = Counter()
    sizes: Counter[Category] = Counter()
    for manifest in manifests:
        for file in manifest.new_files:
            rows[file.category] += file.rows
            sizes[file.category] += file.size
    keys = newest.keys if newest else {}
    return tuple(
        LeftCategory(
            category.label,
            rows[category],
            sizes[category],
            keys[category.value].master_key_id if category.value in keys else "",
        )
        for category in Category
        if category in sizes or category.value in keys
    )


def _tables(manifests: Sequence[Manifest]) -> tuple[LeftTable, ...]:
    columns: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for manifest in manifests:
        for file in manifest.new_files:
            columns[file.table][file.category.label].update(dict.fromkeys(file.columns))
    return tuple(
        LeftTable(table, {label: tuple(names) for label, names in sorted(found.items())})
        for table, found in sorted(columns.items())
    )


def _never_left(manifests: Sequence[Manifest]) -> tuple[str, ...]:
    """Return the categories of which no file was written."""
    from airflow_provider_elementary.elementary_schema import Category

    written = {file.category for manifest in manifests for file in manifest.new_files}
    return tuple(category.label for category in Category if category not in written)


def _signers(trust: Any) -> tuple[SignerRow, ...]:
    return tuple(
        SignerRow(
            key_id=entry.key.key_id,
            algorithm=str(entry.key.algorithm),
            held_by=f"KMS key {entry.kms_key_id}" if entry.kms_key_id else "the writer's connection",
            roles=tuple(str(role) for role in entry.roles),
        )
        for entry in (trust.current() if trust else ())
    )


def _date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
