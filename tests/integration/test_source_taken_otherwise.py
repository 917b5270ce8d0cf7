"""What a source lost is found, and nothing else is, where it is taken otherwise than the snapshot before took it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import Policy
from tests.integration.test_source_history import purges
from tests.support.syncs import EVERYTHING, Sync, after

RESULTS = "elementary_test_results"
#: Without raw values, the ids of test results are hashed.
HASHED = replace(EVERYTHING, hashed_columns=(f"{RESULTS}.id", f"test_result_rows.{RESULTS}_id"))
AGAIN = "UPDATE {} SET {} = {} || 'x', created_at = created_at + INTERVAL 1 SECOND"


@pytest.mark.parametrize("policy", [EVERYTHING, HASHED], ids=["same policy", "ids hashed from now on"])
@pytest.mark.parametrize("lost", [f"DELETE FROM {RESULTS}", AGAIN.format(RESULTS, "id", "id")])
def test_a_window_lost_beside_purged_tables_begins_a_new_epoch(sync: Sync, policy: Policy, lost: str) -> None:
    first = sync.snapshot()
    sync.change(*purges(first), lost)

    second = sync.snapshot(policy, full_every_days=0)

    assert second.epoch == 2
    assert second.reason is not None
    assert f"history went back: {RESULTS}: rows " in second.reason


@pytest.mark.parametrize("full_every_days", [100, 0])
def test_samples_lost_of_the_window_begin_a_new_epoch(sync: Sync, full_every_days: int) -> None:
    first = sync.snapshot()
    assert first.consistency is not None
    sync.change(f"DELETE FROM test_result_rows WHERE created_at >= TIMESTAMP '{first.consistency.window_from}'")

    second = sync.snapshot(full_every_days=full_every_days)

    assert second.epoch == 2
    assert "history went back: test_result_rows: " in (second.reason or "")


class TestPolicyOfAnotherVersion:
    @pytest.mark.parametrize(
        ("statement", "epoch"),
        [("SELECT 1", 1), (f"DELETE FROM {RESULTS} WHERE created_at > TIMESTAMP '{after(hours=-1)}'", 2)],
    )
    @pytest.mark.parametrize(
        "more",
        [{"dropped_rows": []}, {"masked_columns": ["dbt_run_results.gone"]}, {"failed_rows_per_test": None}],
        ids=["another choice", "a column that is not classified any more", "another value"],
    )
    def test_rows_are_counted(
        self, sync: Sync, more: dict[str, Any], statement: str, epoch: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        to_dict = Policy.to_dict
        with monkeypatch.context() as other_version:
            other_version.setattr(Policy, "to_dict", lambda policy: {**to_dict(policy), **more})
            sync.snapshot()
        sync.change(statement)

        second, third = sync.snapshot(), sync.snapshot()

        assert (second.kind, second.epoch, third.kind) == ("full", epoch, "incremental")
        assert second.reason is not None
        assert second.reason.startswith("the policy changed")
        assert ("history went back" in second.reason) is (epoch == 2)


@pytest.mark.parametrize("out", [*((one,) for one in Category), (Category.TABLE_METRICS, Category.AGGREGATED_METRICS)])
def test_what_is_left_out_from_now_on_is_not_lost(sync: Sync, out: tuple[Category, ...]) -> None:
    sync.snapshot()
    left = tuple(category for category in Category if category not in out)

    for policy in (replace(EVERYTHING, categories=left), EVERYTHING):
        found = sync.snapshot(policy)

        assert (found.epoch, found.reason) == (1, "the policy changed")


@pytest.mark.parametrize("column", ["model_unique_id", "table_name"])
@pytest.mark.parametrize("excluded", [(), ("model.shop.nothing",)])
def test_samples_that_say_from_now_on_of_which_table_they_are_were_not_changed(
    sync: Sync, excluded: tuple[str, ...], column: str
) -> None:
    policy = replace(EVERYTHING, failed_rows_excluded_tables=excluded)
    sync.change(
        f"UPDATE {RESULTS} SET result_rows = '[{{\"a\": 1}}]'",
        f"ALTER TABLE {RESULTS} RENAME COLUMN {column} TO unknown",
    )
    sync.snapshot(policy)

    for old, new in (("unknown", column), (column, "unknown")):
        sync.change(f"ALTER TABLE {RESULTS} RENAME COLUMN {old} TO {new}")
        found = sync.snapshot(policy)

        assert found.epoch == 1
        assert (found.reason or "").startswith(f"{RESULTS} has other columns")
        assert ";" not in (found.reason or "")


@pytest.mark.parametrize(("is_purged", "reason"), [(False, ""), (True, f"history went back: {RESULTS}: rows of ")])
def test_what_is_left_of_a_table_whose_ids_are_hashed_from_now_on_shows_no_purge(
    sync: Sync, is_purged: bool, reason: str
) -> None:
    first = sync.snapshot()
    sync.change(*(purges(first) if is_purged else ()))

    second = sync.snapshot(HASHED)

    assert second.epoch == (2 if is_purged else 1)
    assert (second.reason or "").partition("the policy changed")[2].removeprefix("; ").startswith(reason)
    assert bool(reason) == (";" in (second.reason or ""))
