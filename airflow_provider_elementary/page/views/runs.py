"""Shows dbt commands, and the executions of one on a time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.store_status import StoreStatus, attempt, load_store_status
from airflow_provider_elementary.page.views.base import ListPage, NotHereError, Request, page_of, usage_of_history
from airflow_provider_elementary.project.timeline import (
    DbtCommand,
    Execution,
    NodeDuration,
    Timeline,
    critical_path,
    is_bad,
)

if TYPE_CHECKING:
    from airflow_provider_elementary.project.facts import Node
    from airflow_provider_elementary.project.project import Project
    from airflow_provider_elementary.project.usage import NodeUsage, ProjectUsage

_PAGE = 25
_USED = 25
#: Executions that are drawn; the longest, the failed and those of the critical path.
_DRAWN = 60
_LABEL, _WIDTH, _ROW, _HEAD, _LETTERS = 230, 760, 16, 20, 36


@dataclass(frozen=True)
class UsedNode:
    """What the queries of a node took, with its name and its table."""

    node: Node
    usage: NodeUsage


@dataclass(frozen=True)
class Runs:
    """What the template ``runs.html`` shows.

    :param usage: of the query history; None where it is not taken.
    :param used: the nodes whose queries take most time.
    """

    store_status: StoreStatus
    commands: tuple[DbtCommand, ...]
    slowest: tuple[NodeDuration, ...]
    grown: tuple[NodeDuration, ...]
    usage: ProjectUsage | None
    used: tuple[UsedNode, ...]
    pagination: ListPage
    problems: tuple[str, ...]


@dataclass(frozen=True)
class GanttBar:
    """One execution on the time axis.

    :param start: seconds from the first one.
    :param is_critical: whether it is on the critical path.
    """

    name: str
    start: float
    seconds: float
    x: float
    y: int
    width: float
    label: str
    text: str
    is_bad: bool
    is_critical: bool


@dataclass(frozen=True)
class Gantt:
    """The executions of a dbt command, ready to be drawn.

    :param ticks: places on the time axis with their seconds.
    :param hidden: number of executions that are not drawn.
    """

    width: int
    height: int
    bars: tuple[GanttBar, ...]
    ticks: tuple[tuple[float, str], ...]
    hidden: int


@dataclass(frozen=True)
class OneRun:
    """What the template ``run.html`` shows.

    :param path: the critical path.
    :param executions: those that failed first, then the longest.
    """

    store_status: StoreStatus
    command: DbtCommand
    path: tuple[Execution, ...]
    gantt: Gantt
    executions: tuple[Execution, ...]
    pagination: ListPage
    problems: tuple[str, ...]


def build(request: Request) -> Runs:
    """Return one page of dbt commands, newest first."""
    store_status = load_store_status(request.reader)
    problems = list(store_status.problems)
    timeline = _timeline(request, store_status, problems)
    usage = usage_of_history(request.reader, problems)
    commands, page = page_of(timeline.commands if timeline else (), request.number("page"), _PAGE)
    return Runs(
        store_status=store_status,
        commands=tuple(commands),
        slowest=timeline.slowest[:10] if timeline else (),
        grown=timeline.grown[:10] if timeline else (),
        usage=usage,
        used=_used(usage, store_status.project),
        pagination=page,
        problems=tuple(dict.fromkeys(problems)),
    )


def build_one(request: Request) -> OneRun:
    """Return one dbt command.

    :raises NotHereError: the newest snapshot does not hold it.
    """
    store_status = load_store_status(request.reader)
    problems = list(store_status.problems)
    timeline = _timeline(request, store_status, problems)
    wanted = request.text("id")
    command = next((each for each in timeline.commands if each.invocation_id == wanted), None) if timeline else None
    if timeline is None or command is None:
        why = " ".join([store_status.notice, *problems]).strip() or "Runs lists those of the last 14 days."
        raise NotHereError(f"dbt command {wanted!r} is not in the newest snapshot. {why}")
    executions = timeline.executions(wanted)
    path = critical_path(executions, store_status.project.nodes if store_status.project else {})
    ordered = sorted(executions, key=lambda each: (not is_bad(each.status), -(each.seconds or 0), each.name))
    shown, page = page_of(ordered, request.number("page"), _PAGE)
    return OneRun(
        store_status=store_status,
        command=command,
        path=tuple(path),
        gantt=gantt_of(executions, path),
        executions=tuple(shown),
        pagination=page,
        problems=tuple(dict.fromkeys(problems)),
    )


def gantt_of(executions: Sequence[Execution], path: Sequence[Execution]) -> Gantt:
    """Return executions on a time axis: the longest, the failed ones and the critical path."""
    timed = [each for each in executions if each.started_at and each.ended_at]
    if not timed:
        return Gantt(_WIDTH, _HEAD, (), (), len(executions))
    chosen = sorted(timed, key=lambda each: (each not in path, not is_bad(each.status), -(each.seconds or 0)))[:_DRAWN]
    chosen.sort(key=lambda each: (each.started_at or datetime.max, each.name))
    begin, end = min(map(_start, timed)), max(map(_end, timed))
    scale = (_WIDTH - _LABEL - 8) / (max((end - begin).total_seconds(), 0.001))

    def bar(row: int, each: Execution) -> GanttBar:
        seconds = (_end(each) - _start(each)).total_seconds()
        start = (_start(each) - begin).total_seconds()
        return GanttBar(
            name=each.name,
            start=start,
            seconds=seconds,
            x=_LABEL + start * scale,
            y=_HEAD + row * _ROW,
            width=max(seconds * scale, 2),
            label=each.name if len(each.name) <= _LETTERS else f"{each.name[: _LETTERS - 1]}…",
            text=f"{each.name}: {each.status}, {seconds:.1f} s from {_start(each):%H:%M:%S}",
            is_bad=is_bad(each.status),
            is_critical=each in path,
        )

    total = (end - begin).total_seconds()
    return Gantt(
        width=_WIDTH,
        height=_HEAD + len(chosen) * _ROW + 4,
        bars=tuple(bar(row, each) for row, each in enumerate(chosen)),
        ticks=tuple((_LABEL + total * part / 4 * scale, f"{total * part / 4:.1f} s") for part in range(4)),
        hidden=len(executions) - len(chosen),
    )


def _used(usage: ProjectUsage | None, project: Project | None) -> tuple[UsedNode, ...]:
    """Return the first nodes that are still in the project."""
    if usage is None or project is None:
        return ()
    known = ((project.nodes.get(each.unique_id), each) for each in usage.longest)
    return tuple(islice((UsedNode(node, each) for node, each in known if node is not None), _USED))


def _timeline(request: Request, store_status: StoreStatus, problems: list[str]) -> Timeline | None:
    if store_status.manifest is None or store_status.project is None:
        return None
    found = attempt(problems, request.reader.uri, partial(request.reader.timeline, store_status.manifest))
    problems.extend(found.missing if found else ())
    return found


def _start(execution: Execution) -> datetime:
    return execution.started_at or datetime.min


def _end(execution: Execution) -> datetime:
    return execution.ended_at or datetime.min
