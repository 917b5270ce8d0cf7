"""What prune withdrew of a category is no change of the source and no loss; what is left is compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from tests.support.syncs import Sync, after, marker, run_results


def expire(sync: Sync, category: Category) -> None:
    """Take a snapshot, let its files of a category expire, and take an increment after it."""
    sync.snapshot()
    later = datetime.now(UTC) + timedelta(days=3)
    assert prune(sync.repository, Retention(category_days={category: 1}), now=later).expired
    sync.change(run_results("new", after(minutes=20), "a"), marker("new", after(minutes=21)))
    assert sync.snapshot().kind == "incremental"


@pytest.mark.parametrize(
    "category",
    [
        Category.RUN_RESULTS,
        Category.CONFIGURATION,
        Category.QUERY_LOGS,
        Category.TABLE_METRICS,
        Category.AGGREGATED_METRICS,
    ],
)
def test_neither_an_audit_nor_a_full_snapshot_calls_expired_data_lost(sync: Sync, category: Category) -> None:
    expire(sync, category)

    audited, full = sync.snapshot(audit_days=9), sync.snapshot(full_every_days=0)

    assert (audited.kind, full.epoch) == ("incremental", 1)
    assert full.reason is not None
    assert "rows" not in full.reason


def test_rows_that_change_beside_an_expired_category_are_found(sync: Sync) -> None:
    expire(sync, Category.QUERY_LOGS)
    changed = f"{after(days=-2):%Y-%m-%d}"
    sync.change(f"UPDATE dbt_run_results SET status = 'error' WHERE created_at::DATE = DATE '{changed}'")

    audited = sync.snapshot(audit_days=9)

    assert audited.reason is not None
    assert audited.reason.startswith(f"dbt_run_results: rows of {changed} were changed or replaced in place")


def test_the_log_names_what_is_not_compared(sync: Sync, caplog: pytest.LogCaptureFixture) -> None:
    sync.snapshot(full_every_days=0)
    assert "not noticed" not in caplog.text
    expire(sync, Category.CONFIGURATION)
    caplog.clear()

    sync.snapshot(audit_days=9)

    [record] = [record.getMessage() for record in caplog.records if "not noticed" in record.getMessage()]
    assert "dbt_invocations (" in record
    assert "target_schema" in record
    assert "status" not in record
