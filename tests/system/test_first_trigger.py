"""A first Trigger, which unpauses a DAG, starts that run and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.support import dag_runs
from tests.support.dag_runs import parse_dag

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]

OBSERVABILITY = "elementary_observability"
EXAMPLES = {path.stem for path in (ROOT / "dags").glob("elementary_*.py")}


@pytest.fixture(autouse=True)
def parsed_again() -> Iterator[None]:
    dag_runs.parse_again()
    yield
    dag_runs.parse_again()


def due_once_unpaused() -> set[str]:
    """Unpause every example DAG, and return those that Airflow's scheduler would make a run of now."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    parse_dag(OBSERVABILITY)
    with create_session() as session:
        unpaused = session.execute(update(DagModel).where(DagModel.dag_id.in_(EXAMPLES)).values(is_paused=False))
        found, _ = DagModel.dags_needing_dagruns(session)
        # Other tests leave DAGs of their own in this database.
        due = {dag.dag_id for dag in found} & EXAMPLES
        session.rollback()
    assert unpaused.rowcount == len(EXAMPLES)
    return due


def test_no_example_dag_is_due_once_it_is_unpaused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__ELEMENTARY__SCHEDULES", raising=False)

    assert due_once_unpaused() == set()


def test_a_schedule_of_the_configuration_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__SCHEDULES", json.dumps({OBSERVABILITY: "@hourly"}))

    assert due_once_unpaused() == {OBSERVABILITY}
