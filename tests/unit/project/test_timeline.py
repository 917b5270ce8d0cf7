"""The executions of a dbt command: the critical path and the time axis."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_elementary.page.views.runs import gantt_of
from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.project.timeline import Execution, critical_path

BEGIN = datetime(2026, 11, 22, 6)


def execution(name: str, start: float, end: float, status: str = "success") -> Execution:
    times = [BEGIN + timedelta(seconds=seconds) for seconds in (start, end)]
    return Execution(name, name, "model", status, times[0], times[1], end - start, None, None)


def nodes(**upstream: str) -> dict[str, Node]:
    return {name: Node(name, name.upper(), upstream=tuple(above.split())) for name, above in upstream.items()}


def test_the_critical_path_follows_the_last_upstream_node_to_end() -> None:
    found = [execution("a", 0, 2), execution("b", 0, 5), execution("c", 5, 9), execution("d", 2, 3)]

    path = critical_path(found, nodes(a="", b="", c="a b", d="a"))

    assert [each.name for each in path] == ["b", "c"]


def test_an_upstream_node_that_ended_later_was_not_waited_for() -> None:
    assert [each.name for each in critical_path([execution("a", 0, 9), execution("b", 1, 10)], nodes(a="", b="a"))] == [
        "b"
    ]


def test_a_cycle_in_damaged_lineage_ends() -> None:
    path = critical_path([execution("a", 0, 1), execution("b", 0, 1)], nodes(a="b", b="a"))

    assert len(path) == 2


def test_executions_without_times_have_no_path_and_no_picture() -> None:
    unknown = Execution("a", "a", "model", "success", None, None, None, None, None)

    assert critical_path([unknown], {}) == []
    assert gantt_of([unknown], []).hidden == 1


def test_the_time_axis_draws_failures_and_the_path_first() -> None:
    many = [execution(f"m{number:03}", number, number + 1) for number in range(100)]
    failed, critical = execution("failed", 3, 3.01, "error"), execution("critical", 4, 4.01)

    drawn = gantt_of([*many, failed, critical], [critical])

    assert drawn.hidden == 42
    assert [bar.label for bar in drawn.bars if bar.is_bad or bar.is_critical] == ["failed", "critical"]
    assert all(0 <= bar.x and bar.x + bar.width <= drawn.width for bar in drawn.bars)
    assert [bar.x for bar in drawn.bars] == sorted(bar.x for bar in drawn.bars)
