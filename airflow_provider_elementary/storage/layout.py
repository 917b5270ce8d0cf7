"""Names every object of a store."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_provider_elementary.storage.documents import sha256

if TYPE_CHECKING:
    from airflow_provider_elementary.elementary_schema import Category
    from airflow_provider_elementary.storage.object_store.store import Store

#: Names this application in the encryption context of every wrapped key: under another name, no key opens.
APPLICATION = "airflow-provider-elementary"

GENESIS = "store.json"
SIGNERS = "signers/"
QUARANTINE = "quarantine/"
MANIFESTS = "manifests/"
GENERATIONS = "generations/"
INDEX = "index/"
PRUNE_RECORDS = "prunes/"
DATA = "data/"
PLANS = "plans/"
PARTS = "parts/"
RESULTS = "results/"
ACCESS_REPORTS = "access/"
FEEDBACK = "feedback/"
#: Below the results, as a task that computes them may write only there.
KEPT = f"{RESULTS}kept/"

_NUMBERED = re.compile(r"[0-9]{10}")
_BEGUN_AT = re.compile(r"([0-9]{8}T[0-9]{6}Z)-")
_HASH = 32
_LAST_NUMBER = 9_999_999_999
_PERIOD = re.compile(r"\.([0-9]{8})-([0-9]{8})(?=\.)")
_SAVED = re.compile(
    rf"{RESULTS}(incidents|metrics)/[0-9a-f]+/files/[0-9a-f]+-[0-9a-f]+-(run_results|configuration)\.parquet"
)
_RESULT = re.compile(r"results/[a-z]+/[0-9a-f]{32}/[0-9]{10}")


def manifest_key(sequence: int) -> str:
    """Return the name under which the snapshot of that number commits; names sort as numbers do."""
    return f"{MANIFESTS}{sequence:010d}"


def generation_key(sequence: int, snapshot_id: str) -> str:
    """Return the name of the generation that begins with a snapshot."""
    return f"{GENERATIONS}{sequence:010d}-{snapshot_id}"


def generation_number(key: str) -> int:
    """Return the number of the snapshot that a generation begins with; 0 for what is no such name."""
    number = key.removeprefix(GENERATIONS)[:10]
    return int(number) if _NUMBERED.fullmatch(number) else 0


def index_key(width: int, place: int) -> str:
    """Return the name of a page of the index, by how many snapshots it lists and its place among such pages."""
    return f"{INDEX}{width}/{place:010d}"


def manifest_number(key: str) -> int:
    """Return the number of a manifest's name; 0 for a name that is none."""
    return int(name) if _NUMBERED.fullmatch(name := key.removeprefix(MANIFESTS)) is not None else 0


def signer_key(number: int) -> str:
    """Return the name of the introduction of that number of a signing key."""
    return f"{SIGNERS}{number:010d}"


def record_key(sequence: int) -> str:
    """Return the name of the prune record of that number."""
    return f"{PRUNE_RECORDS}{sequence:010d}"


def numbered(store: Store, prefix: str, after: str = "") -> tuple[dict[int, str], list[str]]:
    """Return what a store numbers below a prefix, oldest first, and the names of what does not belong there.

    :param after: only what comes after this name.
    """
    numbers: dict[int, str] = {}
    unexpected: list[str] = []
    for found in store.list(prefix, after):
        # Numbers begin at 1.
        if (name := _NUMBERED.fullmatch(found.key.removeprefix(prefix))) is not None and int(name[0]):
            numbers[int(name[0])] = found.key
        else:
            unexpected.append(found.key)
    return numbers, unexpected


def begun_at(snapshot_id: str) -> datetime | None:
    """Return when the attempt began that made an id, with its zone; None for what is no such id."""
    begun = _BEGUN_AT.match(snapshot_id)
    try:
        return datetime.strptime(f"{begun[1]}+0000", "%Y%m%dT%H%M%SZ%z") if begun else None
    except ValueError:
        # Anybody who may write to the store can name an object.
        return None


def quarantine_key(key: str, content_sha256: str) -> str:
    """Return where an outsider's object goes that lay in the place of a document."""
    return f"{QUARANTINE}{key}-{content_sha256[:_HASH]}"


def data_folder(snapshot_id: str) -> str:
    """Return the prefix of the files that one snapshot wrote."""
    return f"{DATA}{snapshot_id}/"


def data_file(snapshot_id: str, table: str, category: Category, part: str = "") -> str:
    """Return the name of one encrypted file of a snapshot.

    :param part: which part of the capture wrote it, and which attempt; empty where one session read all tables.
    """
    folder = f"{table}/{part}" if part else table
    return f"{data_folder(snapshot_id)}{folder}/{category.value}.parquet"


def plan_key(snapshot_id: str) -> str:
    """Return the name of the plan by which the parts of a snapshot are captured."""
    return f"{PLANS}{snapshot_id}"


def part_folder(snapshot_id: str) -> str:
    """Return the prefix of what the captured parts of a snapshot report."""
    return f"{PARTS}{snapshot_id}/"


def part_key(snapshot_id: str, part: str) -> str:
    """Return the name of what one attempt at a part reports."""
    return f"{part_folder(snapshot_id)}{part}"


def writer_of(key: str) -> str:
    """Return the id of the snapshot that wrote a data file."""
    return key.removeprefix(DATA).partition("/")[0]


def result_id(run_key: str) -> str:
    """Return by what the results of a run are named."""
    return sha256(run_key.encode())[:_HASH]


def result_kind(kind: str) -> str:
    """Return the prefix of the results of a kind."""
    return f"{RESULTS}{kind}/"


def result_series(kind: str, series: str) -> str:
    """Return the prefix of the results of a series of a kind."""
    return f"{result_kind(kind)}{sha256(series.encode())[:_HASH]}/"


def result_files(kind: str, series: str, run_key: str) -> str:
    """Return the prefix of the encrypted files of a run's results."""
    return f"{shared_files(kind, series)}{result_id(run_key)}-"


def result_file(kind: str, series: str, run_key: str, attempt: str, category: Category, period: str = "") -> str:
    """Return the name of one encrypted file of a result.

    :param period: the days that its rows are about, of several periods with a dot between them; empty for any.
    """
    days = f".{period}" if period else ""
    return f"{result_files(kind, series, run_key)}{attempt}-{category.value}{days}.parquet"


def is_saved_file(key: str) -> bool:
    """Return whether an object has the name of a file that only saves reading snapshots again.

    Of incidents it is the one with results of dbt, of metrics the two without days: those with days hold facts.
    """
    return _SAVED.fullmatch(key) is not None


def result_file_periods(key: str) -> tuple[tuple[date, date], ...]:
    """Return the first and last day of each period that the rows of a result's file are about; none for any."""
    return tuple((_date_of(found[1]), _date_of(found[2])) for found in _PERIOD.finditer(key))


def result_file_days(key: str) -> tuple[date, date] | None:
    """Return the first and last day that the rows of a result's file are about, or None where they are about any."""
    periods = result_file_periods(key)
    return (min(first for first, _ in periods), max(last for _, last in periods)) if periods else None


def _date_of(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def shared_files(kind: str, series: str) -> str:
    """Return the prefix of the encrypted files of a series, of which a result may name those of earlier ones."""
    return f"{result_series(kind, series)}files/"


def is_result(key: str) -> bool:
    """Return whether a name is that of a result's document."""
    return _RESULT.fullmatch(key) is not None


def series_key(folder: str, number: int) -> str:
    """Return the name of the document of that number in a series; the newest is listed first."""
    return f"{folder}{_LAST_NUMBER - number:010d}"


def series_number(folder: str, key: str) -> int | None:
    """Return the number of a document in a series, or None for an object that is none."""
    name = key.removeprefix(folder)
    return _LAST_NUMBER - int(name) if re.fullmatch("[0-9]{10}", name) else None


def kept_key(series: str) -> str:
    """Return the name of the small files that a task keeps from run to run."""
    return f"{KEPT}{sha256(series.encode())[:_HASH]}"


def access_folder(subject: str) -> str:
    """Return the prefix of the access reports of a connection."""
    return f"{ACCESS_REPORTS}{quote(subject, safe='')}/"
