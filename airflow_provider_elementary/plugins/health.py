"""How each table and each schema is: one state out of tests, runs and incidents."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elementary.plugins.facts import Node, Project

if TYPE_CHECKING:
    from airflow_provider_elementary.anomalies.incidents import Incident

#: From the worst on, each with the sign that stands beside its name.
STATES: Mapping[str, str] = {"failing": "✕", "anomalous": "▲", "warning": "!", "healthy": "✓", "unwatched": "-"}
#: What each state means.
MEANING: Mapping[str, str] = {
    "failing": "a test failed or could not run, or the last dbt run of the table failed",
    "anomalous": "an incident is open: a metric left its expected range and has not come back",
    "warning": "a test warned",
    "healthy": "tests pass, metrics are as expected",
    "unwatched": "neither tests nor judged metrics",
}


@dataclass(frozen=True)
class TableHealth:
    """How one table is.

    :param state: one of :data:`STATES`.
    :param why: the reason in a few words.
    :param tests: how many tests ended how at last.
    :param incidents: how many are open.
    """

    full_name: str
    schema: str
    name: str
    node: Node | None
    state: str
    why: str
    tests: Mapping[str, int]
    incidents: int


@dataclass(frozen=True)
class SchemaHealth:
    """How many tables of a schema are in which state."""

    schema: str
    tables: int
    states: Mapping[str, int]

    @property
    def share(self) -> int | None:
        """Percent of the watched tables that are healthy; None where none is watched."""
        watched = self.tables - self.states.get("unwatched", 0)
        return round(100 * self.states.get("healthy", 0) / watched) if watched else None


def table_health(project: Project | None, judged: Iterable[str], incidents: Iterable[Incident]) -> list[TableHealth]:
    """Return every table that dbt or the metrics know, the worst first.

    :param judged: the tables with judged metrics.
    :param incidents: of these, those that are open count.
    """
    opened = Counter(table for incident in incidents if incident.status == "open" for table in incident.tables)
    watched = set(judged)
    names = watched | set(opened)
    if project:
        names = (names | set(project.tables) | set(project.test_states)) - project.own
    ranks = {state: rank for rank, state in enumerate(STATES)}
    found = [_one(name, project, name in watched, opened[name]) for name in names]
    return sorted(found, key=lambda table: (ranks[table.state], table.full_name))


def schema_health(tables: Sequence[TableHealth]) -> list[SchemaHealth]:
    """Return the schemas of these tables, the worst first."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for table in tables:
        states[table.schema][table.state] += 1
    found = [SchemaHealth(schema, sum(counts.values()), counts) for schema, counts in states.items()]
    return sorted(
        found, key=lambda schema: (*(-schema.states.get(state, 0) for state in list(STATES)[:3]), schema.schema)
    )


def _one(name: str, project: Project | None, is_watched: bool, incidents: int) -> TableHealth:
    node = project.node(name) if project else None
    tests = project.test_states.get(name, {}) if project else {}
    run = project.run_states.get(node.unique_id) if project and node else None
    schema, _, short = name.rpartition(".")
    state, why = _state(tests, run, incidents, is_watched)
    return TableHealth(
        full_name=name,
        schema=node.schema if node else schema,
        name=node.name if node else short.lower(),
        node=node,
        state=state,
        why=why,
        tests=tests,
        incidents=incidents,
    )


def _state(tests: Mapping[str, int], run: str | None, incidents: int, is_watched: bool) -> tuple[str, str]:
    failed = tests.get("fail", 0) + tests.get("error", 0)
    if failed:
        return "failing", f"{failed} of {sum(tests.values())} tests fail"
    if run in ("error", "fail"):
        return "failing", "the last run failed"
    if incidents:
        return "anomalous", f"{incidents} open incident{'s' if incidents > 1 else ''}"
    if tests.get("warn"):
        return "warning", f"{tests['warn']} of {sum(tests.values())} tests warn"
    if tests or is_watched:
        return "healthy", f"{sum(tests.values())} tests pass" if tests else "metrics as expected"
    return "unwatched", "no tests, no judged metrics"
