"""Continues known conditions with what dbt's results say now."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_provider_elementary.incidents.conditions import NO_LONGER_EXPECTED, PROJECT, REMOVED, Condition
from airflow_provider_elementary.incidents.earlier_results import EarlierResults
from airflow_provider_elementary.incidents.removed import ProjectLists
from airflow_provider_elementary.incidents.silence import NOT_CHECKED, RETIRED, SILENT

#: Kind, subject and table of a condition.
ConditionKey = tuple[str, str, str]
#: The kinds of conditions that dbt's own results are evidence of.
_KINDS = frozenset({"test", "run", "source_freshness", "invocation"})


@dataclass(frozen=True)
class DbtConditions:
    """The conditions that dbt's own results are evidence of.

    :param conditions: past ones included, the oldest first.
    :param good_at: when the newest good evidence was made, by the key of the conditions that it ends.
    :param lists: what the dbt project lists.
    :param seen_at: when each result came that a condition of results is of, by the condition's id, the oldest first.
    :param earlier: the earlier results, for the next run; None where it has to read all.
    """

    conditions: tuple[Condition, ...]
    good_at: Mapping[ConditionKey, datetime]
    lists: ProjectLists
    seen_at: Mapping[str, Sequence[datetime]]
    earlier: EarlierResults | None = None

    def since(self, before: Iterable[Condition]) -> list[Condition]:
        """Return the conditions, and the ends of those that were known and whose first evidence was deleted since.

        :param before: the conditions of the previous run.
        """
        found = {condition.condition_id: condition for condition in self.conditions}
        earlier = sorted((each for each in before if each.kind in _KINDS), key=lambda each: each.started_at)
        known_ids = {each.condition_id for each in earlier}
        known_starts: dict[ConditionKey, list[datetime]] = defaultdict(list)
        for known in earlier:
            known_starts[known.key].append(known.started_at)
        unknown = _Unknown.of(each for each in self.conditions if each.condition_id not in known_ids)
        seen_at = dict(self.seen_at)
        for known in earlier:
            same, results = found.get(known.condition_id), seen_at.get(known.condition_id, ())
            if same is None and (streak := unknown.of_same(known)) is not None:
                found.pop(streak.condition_id, None)
                results = seen_at.get(streak.condition_id, ())
                same = _continued(known, streak, results)
            if same is not None and known.state == REMOVED:
                # What was seen to be gone at a moment stays so; what is listed again is a new condition.
                again = self._again(known, same, results, known_starts[known.key])
                found[known.condition_id] = known
                if again is not None:
                    found[again.condition_id], seen_at[again.condition_id] = again, results
            elif same is not None:
                found[known.condition_id] = same
            elif known.holds:
                found[known.condition_id] = self._without_evidence(known)
        return list(found.values())

    def _again(
        self, removed: Condition, newer: Condition, seen_at: Sequence[datetime], known_starts: Sequence[datetime]
    ) -> Condition | None:
        """Return the condition of what was removed, came back and is not good; None where it did not come back.

        It begins with the first result since, or, where its last one still counts, when it was listed again.

        :param newer: what the results say without the removal.
        :param seen_at: when they came, the oldest first.
        :param known_starts: when the known conditions of its key began, the oldest first.
        """
        results, known = _first_after(seen_at, removed.last_seen), _first_after(known_starts, removed.last_seen)
        if not results and not (newer.holds and self.lists.is_listed(removed.subject)):
            return None
        moment, command = self.lists.as_of or removed.ended_at or removed.last_seen, self.lists.command
        if command is not None:
            # Results have the time of the session.
            moment = (self.lists.as_of or command.at) + command.ahead
        return _since(newer, min([*known, *results], default=moment), seen_at)

    def _without_evidence(self, known: Condition) -> Condition:
        """Return a condition of which all evidence was deleted, as later good evidence says it."""
        good_at = self.good_at.get(known.key)
        if good_at is not None and good_at > known.last_seen:
            return replace(known, ended_at=good_at)
        as_of = self.lists.as_of
        if known.state in (SILENT, NOT_CHECKED) and as_of is not None and as_of - known.last_seen >= RETIRED:
            return replace(known, ended_at=known.last_seen + RETIRED, state=NO_LONGER_EXPECTED)
        return self.lists.ended(known)


@dataclass(frozen=True)
class _Unknown:
    """The conditions that were not known by their ids.

    :param unplaced: those of which nothing says any more which table they had.
    :param by_key: by key, the oldest first.
    """

    unplaced: Mapping[tuple[str, str, datetime], Condition]
    by_key: Mapping[ConditionKey, Sequence[Condition]]

    @classmethod
    def of(cls, conditions: Iterable[Condition]) -> _Unknown:
        unplaced: dict[tuple[str, str, datetime], Condition] = {}
        by_key: dict[ConditionKey, list[Condition]] = defaultdict(list)
        for each in conditions:
            by_key[each.key].append(each)
            if each.kind != "invocation" and each.table in (PROJECT, each.subject):
                unplaced[each.kind, each.subject, each.started_at] = each
        return cls(unplaced, by_key)

    def of_same(self, known: Condition) -> Condition | None:
        """Return what the results say by now of a known condition whose start they show no more."""
        if (unplaced := self.unplaced.get((known.kind, known.subject, known.started_at))) is not None:
            return unplaced
        streaks = self.by_key.get(known.key, ())
        place = bisect_left(streaks, known.started_at, key=lambda each: each.started_at)
        around = (*streaks[max(place - 1, 0) : place], *streaks[place : place + 1])
        return next((each for each in around if _is_of_same(known, each)), None)


def _continued(known: Condition, streak: Condition, results: Sequence[datetime]) -> Condition:
    """Return a known condition as the results say it of which some were deleted, or one that began within them."""
    if known.started_at < streak.started_at:
        return replace(_counting(streak, max(known.times, streak.times)), started_at=known.started_at)
    title = streak.title if streak.table == known.table else known.title
    continued = replace(streak, table=known.table, title=title, last_seen=max(known.last_seen, streak.last_seen))
    return _since(continued, known.started_at, results)


def _since(condition: Condition, started_at: datetime, seen_at: Sequence[datetime]) -> Condition:
    """Return a condition that began later than its results; where none came since, the last one still counts.

    :param seen_at: when its results came, the oldest first.
    """
    times = max(len(seen_at) - bisect_left(seen_at, started_at), 1) if seen_at else condition.times
    last_seen = max(condition.last_seen, started_at)
    return replace(_counting(condition, times), started_at=started_at, last_seen=last_seen)


def _counting(condition: Condition, times: int) -> Condition:
    evidence = condition.evidence.replace(counted(condition.times), counted(times))
    return replace(condition, times=times, evidence=evidence)


def counted(times: int) -> str:
    """Return a number of results that are not good, for the evidence of a condition."""
    return f"{times} results in a row not good" if times > 1 else "1 result not good"


def _first_after(moments: Sequence[datetime], moment: datetime) -> Sequence[datetime]:
    place = bisect_right(moments, moment)
    return moments[place : place + 1]


def _is_of_same(known: Condition, streak: Condition) -> bool:
    """Return whether a condition lost its first evidence or began within other evidence: holding, removed or ended."""
    is_one = known.state == REMOVED or known.ended_at in (None, streak.ended_at)
    is_within = streak.started_at < known.started_at < (streak.ended_at or datetime.max)
    return is_one and (is_within or known.started_at < streak.started_at <= known.last_seen)
