"""Finds the newest attempts of a task in Airflow's metadata database."""

from __future__ import annotations

import logging

from airflow_provider_elementary.page.currency import SyncAttempts

log = logging.getLogger(__name__)
_RUNS = 20


def find_attempts(dag_id: str, task_id: str) -> SyncAttempts | None:
    """Return how the newest runs of a task ended and when its DAG is due next; None where Airflow does not know it."""
    from airflow.models.dag import DagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    ended = (
        select(TaskInstance.state, TaskInstance.end_date)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.task_id == task_id, TaskInstance.end_date.is_not(None))
        .order_by(TaskInstance.end_date.desc())
        .limit(_RUNS)
    )
    due = select(DagModel.next_dagrun_create_after, DagModel.is_paused).where(DagModel.dag_id == dag_id)
    try:
        with create_session() as session:
            dag = session.execute(due).first()
            attempts = session.execute(ended).all()
    except SQLAlchemyError as error:
        log.warning("reading the runs of DAG %s failed: %s", dag_id, type(error).__name__)
        return None
    if dag is None:
        return None
    failed = 0
    for state, _ in attempts:
        if state not in ("failed", "upstream_failed"):
            break
        failed += 1
    return SyncAttempts(dag_id, task_id, failed, attempts[0][1] if failed else None, dag[0], bool(dag[1]))
