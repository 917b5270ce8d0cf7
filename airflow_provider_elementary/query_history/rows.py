"""Makes rows of ``query_history`` from what a warehouse lists."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import dropwhile
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.query_history.schema import HISTORY_SCHEMA
from airflow_provider_elementary.query_history.statements import NOT_UNDERSTOOD, dbt_node, read_statement
from airflow_provider_elementary.times import without_zone

_PSEUDONYM = 16
_LONGEST = 500
_INT64 = 2**63
#: Of a statement that was not understood, the warehouse's own hash is kept, marked as such.
_BY_WAREHOUSE = "warehouse:"


@dataclass(frozen=True)
class HistoryPolicy:
    """What is kept of a query beyond its numbers, its tables and a hash.

    :param include_text: the text of statements, without literals and comments.
    :param include_users: the names of users; without it, a pseudonym in place of each.
    """

    include_text: bool = False
    include_users: bool = False


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """Gives each user one pseudonym, as long as the key of the history is the same.

    Anybody who has that key can find out whether a pseudonym is of a name.
    """

    key: bytes = field(repr=False)

    def of(self, name: str) -> str:
        """Return the pseudonym of a user."""
        own_key = hmac.digest(self.key, b"pseudonyms of users", "sha256")
        return "user-" + hmac.new(own_key, name.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:_PSEUDONYM]


def rows_of(
    records: Iterable[Mapping[str, Any]],
    dialect: str,
    finished: tuple[str, ...],
    policy: HistoryPolicy,
    pseudonyms: Pseudonyms,
) -> pa.Table:
    """Return the rows of queries as their warehouse lists them; one without an id or an end is left out.

    :param records: the columns of the registry's statement.
    :param finished: see :class:`~.warehouses.kind.QueryHistory`.
    """
    rows = [
        _row(record, dialect, finished, policy, pseudonyms)
        for record in records
        if record.get("query_id") and time_of(record.get("ended_at")) is not None
    ]
    return pa.Table.from_pylist(rows, schema=HISTORY_SCHEMA)


def _row(
    record: Mapping[str, Any],
    dialect: str,
    finished: tuple[str, ...],
    policy: HistoryPolicy,
    pseudonyms: Pseudonyms,
) -> dict[str, Any]:
    status = _text(record.get("status"))
    # What the author of a failed statement took for a literal may be a name to the warehouse.
    failed = bool(finished) and (status or "").lower() not in finished
    text, tag = _whole_text(record.get("query_text")), _whole_text(record.get("query_tag"))
    statement = NOT_UNDERSTOOD if failed else read_statement(text, dialect)
    user = _text(record.get("user_name"))
    return {
        "query_id": str(record["query_id"])[:_LONGEST],
        "user": user if user is None or policy.include_users else pseudonyms.of(user),
        "role": _text(record.get("role_name")),
        "started_at": time_of(record.get("started_at")),
        "ended_at": time_of(record.get("ended_at")),
        "runs": _whole(record.get("runs")) or 1,
        "duration": _seconds(record.get("duration_ms")),
        "queue_time": _seconds(record.get("queue_ms")),
        "rows": _whole(record.get("row_count")),
        "bytes": _whole(record.get("bytes")),
        "cost": _real(record.get("cost")),
        "cost_unit": _text(record.get("cost_unit")) if record.get("cost") is not None else None,
        "status": status.lower() if status else None,
        "statement_hash": statement.sha256 or _hash_of_warehouse(record),
        "statement_text": statement.text if policy.include_text else None,
        "tables": json.dumps([_placed(name, record) for name in statement.tables]) if statement.sha256 else None,
        "target_table": _placed(statement.target, record) if statement.target else None,
        "dbt_node": dbt_node(tag, text),
    }


def _hash_of_warehouse(record: Mapping[str, Any]) -> str | None:
    found = _text(record.get("warehouse_hash"))
    return f"{_BY_WAREHOUSE}{found}" if found else None


def _placed(name: str, record: Mapping[str, Any]) -> str:
    """Return a table's name with the database and schema that the session was in, as far as they are known."""
    missing = 3 - len(name.split("."))
    session = [str(record.get("database_name") or ""), str(record.get("schema_name") or "")]
    before = session[:missing] if missing > 0 else []
    known = list(dropwhile(lambda part: not part, before))
    return ".".join([*(part.upper() for part in known), name]) if all(known) else name


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)[:_LONGEST]


def _whole_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def time_of(value: object) -> datetime | None:
    """Return a time as a warehouse lists it, or its text; None where it is neither."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return without_zone(value) if isinstance(value, datetime) else None


def _real(value: object) -> float | None:
    try:
        number = float(str(value)) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < float("inf") else None


def _seconds(value: object) -> float | None:
    number = _real(value)
    # A clock that was set back between the two times of a query.
    return max(number, 0.0) / 1000 if number is not None else None


def _whole(value: object) -> int | None:
    try:
        number = int(str(value)) if not isinstance(value, float) else int(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < _INT64 else None
