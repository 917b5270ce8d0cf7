"""Running the example DAGs as they are, with Airflow's own ``dag.test()``."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

DAGS = Path(__file__).parents[2] / "dags"
_BUNDLE = "dags-folder"
_sleep = time.sleep


@dataclass(frozen=True)
class DagRunOutcome:
    """How a DAG run ended.

    :param state: of the run: ``success`` or ``failed``.
    :param states: of each task, by its id.
    :param returned: what each task returned, by its id.
    """

    state: str
    states: Mapping[str, str]
    returned: Mapping[str, Any]


def run_dag(dag_id: str, conf: Mapping[str, Any]) -> DagRunOutcome:
    """Run an example DAG once; the fixture ``airflow_db`` has to be there.

    :param conf: what a person would put into the form.
    """
    return run_parsed_dag(DAGS, dag_id, conf)


def run_parsed_dag(folder: Path, dag_id: str, conf: Mapping[str, Any]) -> DagRunOutcome:
    """Run a DAG of a folder once; see :func:`run_dag`."""
    # A run keeps its conf in the params of the DAG and of its tasks, so each gets a copy; a task's copy shares them.
    dag = deepcopy(parse_dag(dag_id, folder))
    for task in dag.tasks:
        task.params = deepcopy(task.params)
    run = run_once(dag, conf)
    instances = run.get_task_instances()
    return DagRunOutcome(
        state=str(run.state),
        states={instance.task_id: str(instance.state) for instance in instances},
        returned={instance.task_id: _returned(dag_id, run.run_id, instance.task_id) for instance in instances},
    )


def run_once(dag: DAG, conf: Mapping[str, Any]) -> DagRun:
    """Run a DAG of a folder in Airflow's database by ``dag.test()``.

    Airflow would read every DAG of its own folder again for each run, and wait a second where no task can start.
    """
    parsing = "airflow.dag_processing.dagbag"
    with patch(f"{parsing}.BundleDagBag"), patch(f"{parsing}.sync_bag_to_db"), patch("time.sleep", _brief_in_a_test):
        return dag.test(run_conf=dict(conf))


def _brief_in_a_test(seconds: float) -> None:
    from airflow.sdk import DAG

    _sleep(0.02 if sys._getframe(1).f_code is DAG.test.__code__ else seconds)


def parse_dag(dag_id: str, folder: Path = DAGS) -> DAG:
    """Return a DAG of a folder, parsed: an example DAG, if not said otherwise."""
    return _bag(folder).dags[dag_id]


def parse_again() -> None:
    """Let every DAG be read again when it is next needed."""
    _bag.cache_clear()


@cache
def _bag(folder: Path) -> DagBag:
    """Read the DAGs and put them into Airflow's database, without which no run of one can be made."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    bag = DagBag(str(folder))
    if bag.import_errors:
        raise AssertionError(bag.import_errors)
    with create_session() as session:
        session.merge(DagBundleModel(name=_BUNDLE))
    sync_bag_to_db(bag, _BUNDLE, None)
    return bag


def _returned(dag_id: str, run_id: str, task_id: str) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(XComModel).where(
        XComModel.dag_id == dag_id,
        XComModel.run_id == run_id,
        XComModel.task_id == task_id,
        XComModel.key == "return_value",
    )
    with create_session() as session:
        found = session.scalars(query).first()
        return None if found is None else XComModel.deserialize_value(found)
