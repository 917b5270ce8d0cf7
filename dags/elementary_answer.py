"""Answer an incident: acknowledge, assign, mute, expected, new normal, note, resolve, merge or split it.

The incident's view on the Elementary page starts a run of this DAG in the name of its user, who needs Airflow's
permission to trigger it. The answer is signed and kept in the store; it needs the writer's keys, and no warehouse.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_elementary.operators.incidents import ANSWER_FIELDS, ElementaryIncidentAnswerOperator
from airflow_provider_elementary.operators.params import answer_params, store_param, texts_from_form

with DAG(
    dag_id="elementary_answer",
    description="Record what a person says about an incident",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # A run of a paused DAG would wait until somebody unpauses it; without a schedule nothing else starts.
    is_paused_upon_creation=False,
    default_args={"execution_timeout": timedelta(hours=1)},
    max_active_runs=1,
    params={"store_conn_id": store_param(), **answer_params()},
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryIncidentAnswerOperator(
        task_id="answer",
        store_conn_id="{{ params.store_conn_id }}",
        **texts_from_form(ANSWER_FIELDS),
    )
