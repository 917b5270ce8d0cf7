"""Finds when dbt, or a job of it, was silent."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from airflow_provider_elementary.incidents.conditions import NO_LONGER_EXPECTED, Condition, project_condition
from airflow_provider_elementary.incidents.dbt_commands import Commands
from airflow_provider_elementary.times import before, minute_in_utc
from airflow_provider_elementary.words import duration

#: States of the conditions.
SILENT, NOT_CHECKED = "silent", "not checked"
#: The longest time between two runs of this long before is usual, if there are enough of them.
_USUAL = timedelta(days=14)
_KNOWN = 10
#: When runs came after the same hour of the weeks before is usual too, if each of enough weeks has one at that hour.
_WEEK = timedelta(days=7)
_WEEKS, _KNOWN_WEEKS = 4, 3
_SAME_HOUR = timedelta(minutes=90)
#: Gaps of checks that ended longer ago are left out. Of checks, 130 days are read: four weeks before a gap say what was
#: usual, and it ends at most four weeks after its beginning.
_SHOWN = timedelta(days=60)
#: What is late by less is not missed; by the week, what is late by more is.
_SHORTEST, _LONGEST = timedelta(hours=6), timedelta(days=1)
_DAY = timedelta(days=1)
#: After this long nothing is expected any more: a project or a job was retired.
RETIRED = timedelta(days=28)


@dataclass(frozen=True)
class Gap:
    """A time in which something that was due did not come.

    :param last: when it came before.
    :param due_at: when it was due at the latest, by what was usual before.
    :param until: the end of the gap, or the moment of the source while it lasts.
    :param is_over: whether it came at ``until``.
    """

    last: datetime
    due_at: datetime
    until: datetime
    is_over: bool

    @property
    def ends_at(self) -> datetime:
        """The end of the gap, or when it was no longer expected to end."""
        return self.last + RETIRED if self.until - self.last > RETIRED else self.until

    def of(self, condition: Condition, what: str) -> Condition:
        """Return the condition of this gap.

        :param condition: says what did not come.
        :param what: names it, for the evidence.
        """
        is_retired, end = self.until - self.last > RETIRED, self.ends_at
        evidence = (
            f"the last {what} was at {minute_in_utc(self.last)}, and before, the next one came within "
            f"{duration(self.due_at - self.last)}; nothing for {duration(end - self.last)}"
        )
        return replace(
            condition,
            started_at=self.due_at,
            last_seen=end,
            ended_at=end if self.is_over or is_retired else None,
            state=NO_LONGER_EXPECTED if is_retired else condition.state,
            evidence=f"{evidence}, so it is no longer expected" if is_retired else evidence,
        )


def find_gaps(times: Sequence[datetime], as_of: datetime | None) -> Iterator[Gap]:
    """Yield the times in which something regular was missed.

    What is usual is learned from the time before each gap alone, so that a gap stays the same when more is known. One
    job that was missed at the same hour of the day before is not missed again: it stopped.

    :param times: when it came, the oldest first.
    :param as_of: the moment up to which the times are known; None for the newest of them.
    """
    missed: list[tuple[datetime, timedelta]] = []
    now = [max(as_of or times[-1], times[-1])] if times else []
    for place, (last, until) in enumerate(pairwise([*times, *now])):
        if until - last <= _SHORTEST or (expected := _expected(times, place)) is None:
            continue
        missed_after, wait = expected
        if until - last <= missed_after:
            continue
        missed = [(at, lasted) for at, lasted in missed if last - at <= _DAY + _SAME_HOUR]
        stopped = next((lasted for at, lasted in missed if last - at >= _DAY - _SAME_HOUR), None)
        if stopped is not None and _is_one_job(times, before(last, _WEEK), stopped):
            missed_after, wait = stopped + _SHORTEST, stopped
        missed.append((last, max(until - last, wait)))
        if until - last > missed_after:
            yield Gap(last, last + wait, until, is_over=place + 1 < len(times))


def _expected(times: Sequence[datetime], place: int) -> tuple[timedelta, timedelta] | None:
    """Return after how long the next one is missed, and after how long it is due; None where nothing is usual."""
    last = times[place]
    found = []
    recent = times[bisect_left(times, before(last, _USUAL)) : place + 1]
    if len(recent) > _KNOWN and times[0] <= before(last, _WEEK):
        longest = max(later - earlier for earlier, later in pairwise(recent))
        found.append((max(2 * longest, _SHORTEST), longest))
    weeks = [week for week in range(1, _WEEKS + 1) if times[0] <= before(last, week * _WEEK)]
    waits = [wait for week in weeks if (wait := _wait(times, before(last, week * _WEEK))) is not None]
    if len(waits) == len(weeks) >= _KNOWN_WEEKS:
        wait = max(waits)
        found.append((wait + _late(wait), wait))
    return min(found, default=None)


def _is_one_job(times: Sequence[datetime], after: datetime, lasted: timedelta) -> bool:
    """Return whether all that came within a time, not right at its ends, came together: or nothing did."""
    first, following = bisect_right(times, after + _SAME_HOUR), bisect_left(times, after + lasted - _SAME_HOUR)
    return following <= first or times[following - 1] - times[first] <= _SAME_HOUR


def _late(wait: timedelta) -> timedelta:
    """Return by how much what comes each week at an hour may be late, and is not missed."""
    return min(max(wait / 2, _SHORTEST), _LONGEST)


def _wait(times: Sequence[datetime], same: datetime) -> timedelta | None:
    """Return how long after an hour the next one came; None where none came at that hour."""
    following = bisect_right(times, same + _SAME_HOUR)
    is_known = 0 < following < len(times) and abs(times[following - 1] - same) <= _SAME_HOUR
    return times[following] - same if is_known else None


def silence_conditions(
    commands: Commands,
    others: Sequence[datetime],
    as_of: datetime | None,
    built_elsewhere: Callable[[Sequence[str], datetime], datetime | None],
) -> Iterator[Condition]:
    """Yield the times in which no dbt command ran, and those in which a job of several did not run.

    :param commands: those up to ``as_of``.
    :param others: when results were written by commands that left no row of their own: in UTC, or in an unknown zone
        where there are no ``commands``.
    :param as_of: the moment that the source is of, UTC; None where that is not known.
    :param built_elsewhere: returns since when everything that these commands built has results that are newer than a
        time; None while something has none.
    """
    times, jobs = commands.times(others), commands.by_job
    of_jobs = {job: own.times() for job, own in jobs.items()}
    missed = {job: list(find_gaps(mine, as_of or times[-1])) for job, mine in of_jobs.items()}
    for gap in find_gaps(times, as_of if commands.newest else None):
        # What was due may be a job that was missed already: then only the others say that dbt is silent.
        gone = {job for job, gaps in missed.items() if any(_was_missed_in(gap, each) for each in gaps)}
        rest = commands.without_jobs(gone).times(others) if gone else times
        if not _is_gap(rest, gap):
            continue
        title = f"No dbt command ran after {minute_in_utc(gap.last)}"
        yield gap.of(_missed("silence", SILENT, "high", title, gap), "dbt command")
    for job, own in jobs.items():
        mine = of_jobs[job]
        for gap in missed[job]:
            if not _ran(times, gap):
                # Then dbt as a whole is silent.
                continue
            recent = own.between(usual_since(gap.last), gap.last).rows["invocation_id"]
            moved_at = built_elsewhere(list(filter(None, recent.to_pylist())), gap.last)
            if moved_at is not None and moved_at < gap.until:
                gap = replace(gap, until=moved_at, is_over=True)
                if gap.until - gap.last <= (_expected(mine, mine.index(gap.last)) or (RETIRED,))[0]:
                    continue
            title = f"The job {job} did not run after {minute_in_utc(gap.last)}"
            yield gap.of(_missed(f"job {job}", SILENT, "normal", title, gap), "invocation of this job")


def stale_checks(
    checks: Mapping[tuple[str, str], Sequence[tuple[datetime, bool]]],
    times: Sequence[datetime],
    as_of: datetime | None,
) -> Iterator[Condition]:
    """Yield the times in which the freshness of a source was no longer checked while dbt ran, of the last 60 days.

    :param checks: by the id of a source and its table, when each check was made, UTC, and whether it was good.
    :param times: when dbt commands ended, the oldest first, up to ``as_of``.
    :param as_of: the moment that the source is of, UTC; None where that is not known.
    """
    newest = as_of or max((at for made in checks.values() for at, _ in made), default=datetime.min)
    for (subject, table), found in checks.items():
        # Of two at one time the one that was not good counts.
        made = dict(sorted(found, key=lambda check: (check[0], not check[1])))
        for gap in find_gaps(list(made), as_of or max(times, default=None)):
            # A check that was not good holds until the next one, and where dbt is silent nothing else is to be said.
            if not made[gap.last] or not _ran(times, gap) or gap.ends_at < before(newest, _SHOWN):
                continue
            title = f"The freshness of {table} was not checked after {minute_in_utc(gap.last)}"
            condition = _missed(subject, NOT_CHECKED, "normal", title, gap)
            found_of = replace(condition, kind="source_freshness", table=table, family="freshness")
            yield gap.of(found_of, "check, which was good,")


def _missed(subject: str, state: str, severity: str, title: str, gap: Gap) -> Condition:
    return project_condition(
        "invocation",
        subject,
        "run",
        severity,  # type: ignore[arg-type]
        started_at=gap.due_at,
        last_seen=gap.until,
        state=state,
        title=title,
        evidence="",
    )


def _was_missed_in(gap: Gap, of_job: Gap) -> bool:
    return of_job.due_at < gap.last and gap.until <= of_job.until


def _is_gap(times: Sequence[datetime], gap: Gap) -> bool:
    """Return whether a gap is one by what was usual of some of the times, of which its beginning is one."""
    expected = _expected(times, bisect_left(times, gap.last))
    return expected is not None and gap.until - gap.last > expected[0]


def _ran(times: Sequence[datetime], gap: Gap) -> bool:
    """Return whether dbt has run for a while after something of a gap was due: else dbt as a whole was silent."""
    following = bisect_right(times, gap.due_at)
    return following < len(times) and gap.until - times[following] > _SHORTEST


def usual_since(last: datetime) -> datetime:
    """Return from when on what a job did before a time says what it usually does."""
    return before(last, _USUAL)
