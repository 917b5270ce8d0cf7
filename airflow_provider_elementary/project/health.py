"""Computes the state of each table and schema."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_elementary.elementary_schema.nodes import TEST_PREFIX
from airflow_provider_elementary.elementary_schema.statuses import NO_STATUS, is_unknown, meaning_of
from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.project.project import Project
from airflow_provider_elementary.words import plural

#: The worst first, each with the sign that is shown before its name.
STATES: Mapping[str, str] = {"failing": "✕", "anomalous": "▲", "warning": "!", "healthy": "✓", "unwatched": "-"}
#: What each state means.
MEANING: Mapping[str, str] = {
    "failing": "a test failed or could not run, the last dbt run failed, or the source is not fresh",
    "anomalous": "an incident is open: a metric left its expected range and has not returned",
    "warning": "a test or a freshness check warned, or a test or the last run was skipped",
    "healthy": "tests pass, metrics are as expected, the source is fresh",
    "unwatched": "no tests, no scored metrics, no freshness checks",
}


@dataclass(frozen=True)
class TableHealth:
    """The state of one table.

    :param state: one of :data:`STATES`.
    :param why: the reason in a few words.
    :param tests: number of tests by their newest status.
    :param incidents: number of open incidents.
    """

    full_name: str
    schema: str
    name: str
    node: Node | None
    state: str
    why: str
    tests: Mapping[str, int]
    incidents: int

    @property
    def is_test(self) -> bool:
        """Whether this is a test that belongs to no table."""
        return self.full_name.startswith(TEST_PREFIX)


@dataclass(frozen=True)
class SchemaHealth:
    """Number of tables of a schema by state."""

    schema: str
    tables: int
    states: Mapping[str, int]

    @property
    def share(self) -> int | None:
        """Percent of the watched tables that are healthy; None where none is watched."""
        watched = self.tables - self.states.get("unwatched", 0)
        return round(100 * self.states.get("healthy", 0) / watched) if watched else None


def table_health(
    project: Project | None, scored: Iterable[str], open_incidents: Mapping[str, int], anomalous: Collection[str] = ()
) -> list[TableHealth]:
    """Return every table that dbt or the metrics know, the worst first.

    :param scored: the tables with scored metrics.
    :param open_incidents: number of open incidents by table.
    :param anomalous: the tables with a metric that is anomalous now; other incidents may be of a test that warns.
    """
    watched = set(filter(None, scored))
    names = watched | set(open_incidents)
    if project:
        names |= {*project.tables, *project.test_states, *project.freshness_states}
        names -= project.own
    ranks = {state: rank for rank, state in enumerate(STATES)}
    found = [_one(name, project, name in watched, open_incidents.get(name, 0), name in anomalous) for name in names]
    return sorted(found, key=lambda table: (ranks[table.state], table.full_name))


def failing_tests(tables: Iterable[TableHealth]) -> list[TableHealth]:
    """Return the tests without a table that did not pass, in the given order."""
    return [table for table in tables if table.is_test and table.state in ("failing", "warning")]


def schema_health(tables: Sequence[TableHealth]) -> list[SchemaHealth]:
    """Return the schemas of these tables, the worst first."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for table in tables:
        states[table.schema][table.state] += 1
    found = [SchemaHealth(schema, sum(counts.values()), counts) for schema, counts in states.items()]
    return sorted(
        found, key=lambda schema: (*(-schema.states.get(state, 0) for state in list(STATES)[:3]), schema.schema)
    )


def _one(name: str, project: Project | None, is_watched: bool, incidents: int, is_anomalous: bool) -> TableHealth:
    node = project.node(name) if project else None
    tests = project.test_states.get(name, {}) if project else {}
    run = project.run_states.get(name) if project else None
    freshness = project.freshness_states.get(name) if project else None
    schema, _, short = name.rpartition(".")
    state, why = _state(tests, run, freshness, incidents, is_watched, is_anomalous)
    return TableHealth(
        full_name=name,
        schema="" if name.startswith(TEST_PREFIX) else schema,
        name=node.name if node else short.lower(),
        node=node,
        state=state,
        why=why,
        tests=tests,
        incidents=incidents,
    )


def _state(
    tests: Mapping[str, int],
    run: str | None,
    freshness: str | None,
    incidents: int,
    is_watched: bool,
    is_anomalous: bool,
) -> tuple[str, str]:
    total = plural(sum(tests.values()), "test")
    if failed := _of_level(tests, "failing"):
        unknown = [name for name in failed if is_unknown(name)]
        named = f" (unknown status: {', '.join(unknown)})" if unknown else ""
        return "failing", f"{_share(failed, total, 'fails', 'fail')}{named}"
    if run is not None and meaning_of(run).level == "failing":
        return "failing", "the last run failed" if run in (
            "error",
            "fail",
        ) else f"the last run ended with {_named(run)}"
    if freshness is not None and meaning_of(freshness).level == "failing":
        return "failing", f"the last freshness check ended with {_named(freshness)}"
    opened = plural(incidents, "open incident")
    if incidents and is_anomalous:
        return "anomalous", opened
    if warned := _of_level(tests, "warning"):
        return "warning", _share(warned, total, "warns", "warn")
    if freshness is not None and meaning_of(freshness).level != "good":
        return "warning", f"the last freshness check ended with {_named(freshness)}"
    if run is not None and meaning_of(run).level != "good":
        return "warning", "the last run was skipped" if run == "skipped" else f"the last run ended with {_named(run)}"
    if skipped := _of_level(tests, "skipped"):
        return "warning", _share(skipped, total, "was skipped", "were skipped")
    if incidents:
        return "anomalous", opened
    if tests or is_watched or freshness is not None:
        watched = "metrics as expected" if is_watched else "the source is fresh"
        passing = "passes" if sum(tests.values()) == 1 else "pass"
        return "healthy", f"{total} {passing}" if tests else watched
    return "unwatched", "no tests, no scored metrics"


def _share(tests: Mapping[str, int], total: str, one: str, many: str) -> str:
    """Write how many of the tests: ``1 of 2 tests fails``."""
    count = sum(tests.values())
    return f"{count} of {total} {one if count == 1 else many}"


def _of_level(tests: Mapping[str, int], level: str) -> dict[str, int]:
    return {name: count for name, count in sorted(tests.items()) if meaning_of(name).level == level}


def _named(status: str) -> str:
    return f"the unknown status {status}" if is_unknown(status) and status != NO_STATUS else status
