"""Runs the detector on past data with other settings: both methods side by side. Backtests do not raise alerts.

The warehouse is not used: metrics are computed from the latest encrypted snapshot in the store. The results are under
*Backtests* on the Elementary page, in Airflow's navigation; each task has a link to them.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_elementary.operators.backtest import ElementaryBacktestOperator
from airflow_provider_elementary.operators.params import store_param

log = logging.getLogger(__name__)

METRICS_LISTED = 5

PARAMS = {
    "store_conn_id": store_param(),
    "days": Param(
        60,
        type="integer",
        minimum=1,
        maximum=3650,
        title="Days",
        description="Number of days before the newest value of a metric.",
    ),
    "anomaly_sensitivity": Param(
        3,
        type="number",
        exclusiveMinimum=0,
        title="Sensitivity",
        description="Elementary's own rule: an anomaly is this many standard deviations from the mean.",
    ),
    "seasonality": Param(
        "none",
        type="string",
        enum=["none", "day_of_week"],
        values_display={"none": "None", "day_of_week": "Day of the week"},
        title="Seasonality",
        description="Elementary's own rule: compare each day with the same weekday of earlier weeks.",
    ),
    "training_days": Param(
        14,
        type="integer",
        minimum=2,
        maximum=365,
        title="Training period",
        description="Elementary's own rule: days of history to compare with; with a seasonality, weeks.",
    ),
}

STORE: dict[str, Any] = {"store_conn_id": "{{ params.store_conn_id }}"}

with DAG(
    dag_id="elementary_backtest",
    description="Run the detector on past data with other settings; raises no alerts",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=2)},
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    elementary = ElementaryBacktestOperator(
        task_id="elementary",
        method="elementary",
        parameters={
            "anomaly_sensitivity": "{{ params.anomaly_sensitivity }}",
            "days_back": "{{ params.training_days }}",
            "seasonality": "{{ None if params.seasonality == 'none' else params.seasonality }}",
        },
        days="{{ params.days }}",
        **STORE,
    )
    robust = ElementaryBacktestOperator(task_id="robust", method="robust", days="{{ params.days }}", **STORE)

    # The lines are logged one by one; Airflow would log them all again.
    @task(show_return_value_in_logs=False)
    def compare(one: dict[str, Any], other: dict[str, Any]) -> str:
        """Summarize both in a few lines; the page shows the complete results."""
        lines = []
        for result in (one, other):
            of_all = f"{result['anomalous']:,} of {result['scored']:,} buckets of {result['days']} days"
            lines.append(f"{result['method']}: {of_all} would have been anomalous")
            lines += [
                f"- {row['full_table_name']} {row['metric']}: {row['anomalous']} of {row['scored']}"
                for row in result["by_metric"][:METRICS_LISTED]
            ]
        for line in lines:
            log.info(line)
        return "\n".join(lines)

    compare(elementary.output, robust.output)
