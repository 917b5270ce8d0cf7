"""Stores which queries ran in the warehouse: who, how long, which tables.

It is meant to run every hour: `[elementary] schedules` in Airflow's configuration gives it a schedule.

It reads more than the sync, and is opt-in: it needs a second user, which `airflow-elementary query-history grants`
creates, and its connection. The task fails if that user can read anything but the history, or is the sync's own. Text
of statements is stored only if asked for, without literals; names of users become pseudonyms. Delete this file where
you do not want it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_elementary.operators.params import connection_param, from_form, schedule_of, store_param
from airflow_provider_elementary.operators.query_logs import ElementaryQueryLogOperator

PARAMS = {
    "history_conn_id": Param(
        "elementary_history_default",
        type="string",
        minLength=1,
        title="Connection of the history",
        description="Airflow connection of the second user, which may read the query history and nothing else.",
    ),
    "elementary_conn_id": connection_param(),
    "store_conn_id": store_param(),
    "include_text": Param(
        False,
        type="boolean",
        title="Text of statements",
        description="Store the text too, without literals and comments.",
        section="What is stored",
    ),
    "include_users": Param(
        False,
        type="boolean",
        title="Names of users",
        description="Store names of users in place of pseudonyms.",
        section="What is stored",
    ),
    "first_days": Param(
        1,
        type="number",
        exclusiveMinimum=0,
        title="Days of the first run",
        description="How many days the first run looks back.",
        section="What is stored",
    ),
    "days": Param(
        30,
        type="integer",
        minimum=1,
        title="Days kept",
        description="Queries that ended longer ago are removed.",
        section="What is stored",
    ),
}

with DAG(
    dag_id="elementary_query_history",
    description="Store the warehouse's query history, through a second role",
    doc_md=__doc__,
    # None until [elementary] schedules names one: a first Trigger starts nothing else.
    schedule=schedule_of("elementary_query_history"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=1)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryQueryLogOperator(task_id="query_history", **from_form(PARAMS))
