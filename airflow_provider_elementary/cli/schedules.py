"""Inspects the schedules that Airflow's configuration gives the example DAGs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Literal

from airflow_provider_elementary.exceptions import ConfigurationError


def schedule_problems() -> Iterator[tuple[Literal["fail", "warning"], str, str]]:
    """Yield what is wrong with ``[elementary] schedules``: how bad it is, the evidence, and what to do.

    Airflow accepts any name there, and a DAG that it does not mean never runs by itself.
    """
    from airflow_provider_elementary.operators.params import SCHEDULED_DAGS, schedules

    try:
        named = schedules()
    except ConfigurationError as error:
        yield "fail", str(error), str(error)
        return
    known = _dags_of_airflow()
    for dag_id, schedule in named.items():
        if dag_id not in SCHEDULED_DAGS and (dag_id.startswith("elementary_") or dag_id not in known):
            nearest = get_close_matches(dag_id, sorted({*SCHEDULED_DAGS, *known}), 1, 0.5)
            meant = f"Write {nearest[0]!r}." if nearest else f"Those with a schedule are {', '.join(SCHEDULED_DAGS)}."
            what = "takes no schedule from there" if dag_id in known else "is no DAG"
            evidence = f"[elementary] schedules names {dag_id!r}, which {what}"
            yield "fail", evidence, f"[elementary] schedules: {meant}"
        elif schedule and (problem := _problem_of(schedule)):
            yield (
                "fail",
                f"[elementary] schedules gives {dag_id} {schedule!r}, which is no schedule: {problem}",
                f"Give {dag_id} a preset such as '@hourly', or a cron expression such as '0 6 * * *'.",
            )
        elif schedule and known.get(dag_id):
            yield (
                "warning",
                f"{dag_id} has the schedule {schedule!r} and is paused",
                f"Unpause the DAG {dag_id} in Airflow.",
            )


def _problem_of(schedule: str) -> str:
    """Return what Airflow says is wrong with a schedule; empty if nothing is."""
    from airflow.sdk import DAG

    try:
        DAG("doctor", schedule=schedule, start_date=datetime(2026, 1, 1), max_active_runs=1).timetable.validate()
    except Exception as error:
        return str(error).rstrip(".")
    return ""


def _dags_of_airflow() -> Mapping[str, bool]:
    """Return the DAGs that Airflow's database holds, and whether each is paused; none where it does not answer."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with create_session() as session:
            rows = session.execute(select(DagModel.dag_id, DagModel.is_paused).where(~DagModel.is_stale)).all()
    except SQLAlchemyError:
        return {}
    return {dag_id: bool(is_paused) for dag_id, is_paused in rows}
