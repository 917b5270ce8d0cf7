"""Groups conditions of one cause by table, family, time and lineage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from airflow_provider_elementary.incidents.conditions import (
    PROJECT,
    SEVERITIES,
    Condition,
    Origin,
    can_cause,
    can_share_cause,
)
from airflow_provider_elementary.project.lineage import Lineage

#: Conditions of one cause begin at most this long apart: what is loaded on one day is built and tested on the next
#: morning.
SLACK = timedelta(hours=36)

#: An anomaly can be the cause of what begins at most this long after its last bucket.
ADJACENT = timedelta(days=1)

#: What a day without any dbt command changes in the tables.
_OF_SILENCE = frozenset({"volume", "freshness", "run"})


def group_conditions(conditions: Iterable[Condition], lineage: Lineage) -> list[tuple[Condition, ...]]:
    """Return the groups of conditions that have one cause, each with its root first; the oldest group first.

    The order of the input changes nothing. A condition that begins again while its group still holds joins it.

    :param conditions: each once.
    :param lineage: which table is upstream of which.
    """
    ordered = sorted(conditions, key=_rank)
    places: dict[str, list[int]] = defaultdict(list)
    origins: dict[Origin | None, list[int]] = defaultdict(list)
    for place, condition in enumerate(ordered):
        places[condition.table].append(place)
        origins[condition.origin].append(place)
    upstream = {table: lineage.upstream(table) for table in places}
    causes = [_cause(place, ordered, places, upstream, origins) for place in range(len(ordered))]
    groups: dict[int, list[Condition]] = defaultdict(list)
    for place in range(len(ordered)):
        groups[_root(place, causes)].append(ordered[place])
    return _with_recurring([_root_first(ordered[root], group) for root, group in groups.items()])


def _rank(condition: Condition) -> tuple[object, ...]:
    """Order by start; of one start what failed in dbt before what is only unusual, the worse first.

    Of equals, what is known to come from elsewhere is first: it names the root of those that began with it.
    """
    return (
        condition.started_at,
        condition.kind == "anomaly",
        SEVERITIES.index(condition.severity),
        condition.origin is None,
        *condition.key,
    )


def _cause(
    place: int,
    ordered: Sequence[Condition],
    places: Mapping[str, Sequence[int]],
    upstream: Mapping[str, Sequence[str]],
    origins: Mapping[Origin | None, Sequence[int]],
) -> int | None:
    """Return the place of the cause: on the table furthest upstream, else the earliest one on the same table."""
    condition = ordered[place]
    if condition.table != PROJECT:
        for other in places.get(PROJECT, ()):
            if _is_of_silence(condition, ordered[other]):
                return other
    beside = _beside(place, ordered, places)
    # What a metric counts is the results of its own table.
    if condition.is_of_result and beside is not None:
        return beside
    found = None
    # The nearest come first, so that the last one found is the furthest.
    for table in upstream[condition.table]:
        for other in places.get(table, ()):
            if _is_near(ordered[other], condition) and _is_upstream(ordered[other], condition):
                found = other
                break
    nearest = beside if found is None else found
    return _of_same_origin(place, ordered, origins) if nearest is None else nearest


def _is_upstream(upstream: Condition, condition: Condition) -> bool:
    """Return whether a condition of a table upstream can be the cause of another one."""
    if not can_cause(upstream.family, condition.family):
        return False
    origin = condition.origin
    is_of_origin = origin is not None and upstream.table == origin.table and upstream.column
    return not is_of_origin or str(upstream.column).lower() in origin.columns  # type: ignore[union-attr]


def _of_same_origin(
    place: int, ordered: Sequence[Condition], origins: Mapping[Origin | None, Sequence[int]]
) -> int | None:
    """Return the earliest condition of other tables whose wrong values come from the same columns."""
    condition = ordered[place]
    if condition.origin is None:
        return None
    near = (other for other in origins[condition.origin] if _is_near(ordered[other], condition))
    return next((other for other in near if other < place), None)


def _beside(place: int, ordered: Sequence[Condition], places: Mapping[str, Sequence[int]]) -> int | None:
    condition = ordered[place]
    found = [
        other
        for other in places[condition.table]
        if _comes_first(other, place, ordered)
        and _is_near(ordered[other], condition)
        and can_share_cause(ordered[other], condition)
    ]
    if condition.kind == "run":
        # An unusual metric of a table is no reason for its run to fail.
        found = [other for other in found if ordered[other].kind != "anomaly"]
    if condition.is_of_result:
        # Of two, it counts the one that is a result.
        found.sort(key=lambda other: ordered[other].kind == "anomaly")
    return found[0] if found else None


def _comes_first(other: int, place: int, ordered: Sequence[Condition]) -> bool:
    """Return whether one of two conditions of a table can be the root of the other: a result, then what counts it."""
    derived = ordered[other].is_of_result, ordered[place].is_of_result
    return other < place if derived[0] == derived[1] else derived[1]


def _is_near(cause: Condition, condition: Condition) -> bool:
    """Return whether a condition began beside another one that could be its cause, and before that was over."""
    # Differences, which there are between any two times, as rows may be dated anywhen.
    later = condition.started_at - cause.started_at
    # A test that fails for weeks explains nothing new; a metric that is still wrong may.
    is_still_wrong = cause.kind == "anomaly" and condition.started_at - cause.last_seen <= ADJACENT
    is_over = cause.ended_at is not None and cause.ended_at <= condition.started_at
    return -SLACK <= later and (later <= SLACK or is_still_wrong) and not is_over


def _is_of_silence(condition: Condition, silence: Condition) -> bool:
    # A result that came before anything was due is of a command that ran; a bucket may have begun before.
    later = condition.last_seen if condition.kind == "anomaly" else condition.started_at
    return (
        condition.family in _OF_SILENCE
        and later >= silence.started_at
        and silence.started_at - condition.started_at <= SLACK
        and condition.started_at <= (silence.ended_at or datetime.max)
        and silence.subject == "silence"
    )


def _root(place: int, causes: Sequence[int | None]) -> int:
    visited = {place}
    while (cause := causes[place]) is not None and cause not in visited:
        visited.add(cause)
        place = cause
    return place


def _root_first(root: Condition, group: Sequence[Condition]) -> list[Condition]:
    return [root, *(condition for condition in group if condition is not root)]


def _with_recurring(groups: Sequence[Sequence[Condition]]) -> list[tuple[Condition, ...]]:
    """Merge a group into an earlier one that still holds and is of the same subject."""
    merged: list[list[Condition]] = []
    by_key: dict[tuple[str, str, str], int] = {}
    for group in sorted(groups, key=lambda group: (min(member.started_at for member in group), group[0].key)):
        # An anomaly that comes and goes beside a failing test is as often a new one.
        earlier = None if group[0].kind == "anomaly" else by_key.get(group[0].key)
        if earlier is not None and _ends(merged[earlier]) > group[0].started_at:
            merged[earlier] += group
        else:
            earlier = len(merged)
            merged.append(list(group))
        by_key.update(dict.fromkeys((member.key for member in group), earlier))
    return [tuple(group) for group in merged]


def _ends(group: Iterable[Condition]) -> datetime:
    return max(condition.ended_at or datetime.max for condition in group)
