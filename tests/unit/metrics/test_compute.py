"""What computing metrics leaves out of them all, whatever table they are of."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.metrics import compute_metrics
from tests.support.dbt_project import project, run, values


def test_a_bucket_that_ends_in_the_future_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    odd = {**run(0), "model_execution_id": "odd", "generated_at": "9999-12-30 06:00:00"}
    source = project(dbt_run_results=[run(0), odd])

    with compute_metrics(source) as rows:
        ends = rows.read_all()["bucket_end"].to_pylist()

    assert values(source, "success_rate") == {"Mon 02": 100.0}
    assert max(ends).year == 2026
    assert "whose bucket ends in the future" in caplog.text
