"""Lists the statuses of dbt nodes, tests and freshness checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

Level = Literal["good", "skipped", "warning", "failing"]


@dataclass(frozen=True)
class Status:
    """What a status means.

    :param level: ``good``, ``skipped`` (nothing ran, so what was known before still holds), ``warning`` or ``failing``.
    :param rank: of the rows of one execution, the one with the highest rank is its status.
    :param ran: the node was built or the test was executed: its duration and its rows are those of a run.
    """

    level: Level
    rank: int
    ran: bool = True


#: What stands for a null or empty status.
NO_STATUS = "no status"
#: The statuses that are known. Adapters and newer versions of dbt write others: none of these is good.
STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "pass": Status("good", 0),
        "success": Status("good", 0),
        # dbt found that there was nothing to do, or that an earlier result still holds.
        "reused": Status("good", 0, ran=False),
        "no-op": Status("good", 0, ran=False),
        "skipped": Status("skipped", 1, ran=False),
        "warn": Status("warning", 2),
        "partial success": Status("failing", 3),
        "error": Status("failing", 3),
        "runtime error": Status("failing", 3),
        "fail": Status("failing", 4),
    }
)
_UNKNOWN = Status("failing", 3)
_SAME = {"no op": "no-op", "noop": "no-op", "": NO_STATUS}
_BLANKS = r"[\s_\x{00A0}]+"


# Asked for each result of each test, in a few forms.
@lru_cache(256)
def status_name(text: str | None) -> str:
    """Return a status in the one form that is compared and shown: lower case, without padding."""
    plain = re.sub(r"[\s_\u00a0]+", " ", text or "").strip().lower()
    return _SAME.get(plain, plain)


def meaning_of(text: str | None) -> Status:
    """Return what a status means, in whatever form it is written; an unknown one is failing."""
    return STATUSES.get(status_name(text), _UNKNOWN)


def is_unknown(text: str | None) -> bool:
    """Return whether a status is none of :data:`STATUSES`."""
    return status_name(text) not in STATUSES


def status_sql(column: str) -> str:
    """Return DuckDB SQL for :func:`status_name` of a column."""
    plain = rf"lower(trim(regexp_replace(coalesce({column}, ''), '{_BLANKS}', ' ', 'g')))"
    cases = " ".join(f"WHEN '{given}' THEN '{name}'" for given, name in _SAME.items())
    return f"(CASE {plain} {cases} ELSE {plain} END)"


def level_sql(name: str) -> str:
    """Return DuckDB SQL for the level of a status that :func:`status_sql` yields."""
    return _case(name, {known: f"'{meaning.level}'" for known, meaning in STATUSES.items()}, f"'{_UNKNOWN.level}'")


def rank_sql(name: str) -> str:
    """Return DuckDB SQL for the rank of a status that :func:`status_sql` yields."""
    return _case(name, {known: str(meaning.rank) for known, meaning in STATUSES.items()}, str(_UNKNOWN.rank))


def ran_sql(name: str) -> str:
    """Return DuckDB SQL that says whether a status that :func:`status_sql` yields is of something that ran."""
    return f"({name} NOT IN ({', '.join(repr(known) for known, meaning in STATUSES.items() if not meaning.ran)}))"


def _case(name: str, values: Mapping[str, str], otherwise: str) -> str:
    cases = " ".join(f"WHEN '{known}' THEN {value}" for known, value in values.items())
    return f"(CASE {name} {cases} ELSE {otherwise} END)"
