"""Reads the dbt project of a snapshot, for the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.nodes import Claim, nearest_table, nodes_by_table, table_name
from airflow_provider_elementary.project.facts import NewestInvocation, Node
from airflow_provider_elementary.project.outcomes import read_states
from airflow_provider_elementary.project.reading import (
    KINDS,
    READ,
    artifact_claims,
    artifact_rows_by_table,
    downstream_of,
    nodes_of,
    read_recent_rows,
)

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import SnapshotSource

_OWN_PACKAGE = "elementary"


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class Project:
    """The dbt project of a snapshot.

    :param nodes: by id.
    :param tables: the id of the node of a table, by its full name; a node has one for each target of dbt.
    :param own: the tables of Elementary itself, which the page does not show.
    :param downstream: the ids that depend on an id.
    :param test_states: number of tests of a table by status, by the table's full name. A test without a table is
        under ``test`` and its id.
    :param run_states: status of the newest execution of a table's node, by the table's full name.
    :param freshness_states: status of the newest freshness check of a source table, by the table's full name.
    :param missing: what cannot be read, in sentences.
    :param usual_interval: between dbt commands of the last days; None where there are too few.
    """

    nodes: Mapping[str, Node]
    tables: Mapping[str, str]
    own: frozenset[str]
    downstream: Mapping[str, tuple[str, ...]]
    test_states: Mapping[str, Mapping[str, int]]
    run_states: Mapping[str, str]
    freshness_states: Mapping[str, str]
    invocation: NewestInvocation | None
    missing: tuple[str, ...]
    usual_interval: timedelta | None = None

    def node(self, full_name: str) -> Node | None:
        """Return the node of a table, or None where dbt does not know it."""
        return self.nodes.get(self.tables.get(full_name, ""))

    def table_beside(self, node: Node, full_name: str) -> str:
        """Return the table of a node on the same target as another table."""
        mine = [table for table, unique_id in self.tables.items() if unique_id == node.unique_id]
        return nearest_table([node.table, *mine], full_name)


def read_project(snapshot: SnapshotSource) -> Project:
    """Read the dbt project of a snapshot; ``missing`` names tables and categories that cannot be read."""
    missing: list[str] = []
    artifacts = {table: read_recent_rows(snapshot, table, READ[table].columns, missing) for table in KINDS}
    states = read_states(snapshot, artifacts, missing)
    rows = {artifact: artifact_rows_by_table(artifact, found) for artifact, found in artifacts.items()}
    claims = [
        *(Claim(unique_id, table_name(*place), is_artifact=False) for unique_id, *place in states.claimed),
        *artifact_claims(rows),
    ]
    own = {row["unique_id"] for found in rows.values() for row in found if row.get("package_name") == _OWN_PACKAGE}
    nodes = {
        unique_id: node
        for unique_id, node in nodes_of(rows, claims).items()
        if unique_id not in own and node.materialization != "ephemeral"
    }
    invocations = read_recent_rows(snapshot, "dbt_invocations", READ["dbt_invocations"].columns, missing).to_pylist()
    known = (claim for claim in claims if claim.unique_id in nodes and nodes[claim.unique_id].kind != "exposure")
    return Project(
        nodes=nodes,
        tables=nodes_by_table(known),
        own=frozenset(claim.table for claim in claims if claim.unique_id in own),
        downstream=downstream_of(nodes),
        test_states=states.tests,
        run_states=states.runs,
        freshness_states=states.checks,
        invocation=_newest_invocation(invocations),
        missing=tuple(dict.fromkeys(missing)),
        usual_interval=_usual_interval(invocations),
    )


def reached(starts: Iterable[str], steps: int, next_to: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return the ids up to some steps away from these, the nearest first, each with its number of steps.

    :param next_to: the ids that are one step away from each id.
    """
    here = list(dict.fromkeys(starts))
    found = dict.fromkeys(here, 0)
    for step in range(1, steps + 1):
        here = list(dict.fromkeys(near for name in here for near in next_to.get(name, ()) if near not in found))
        found.update(dict.fromkeys(here, step))
    return found


def _usual_interval(invocations: Sequence[Mapping[str, Any]]) -> timedelta | None:
    times = sorted(row["created_at"] for row in invocations if row["created_at"])
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    return timedelta(seconds=median(gaps)) if gaps else None


def _newest_invocation(invocations: Sequence[Mapping[str, Any]]) -> NewestInvocation | None:
    row = max(invocations, key=lambda row: row["created_at"] or datetime.min, default=None)
    if row is None:
        return None
    return NewestInvocation(
        row["created_at"], row["command"] or "", row["project_name"], row["job_name"], row["orchestrator"]
    )
