"""Every outcome has one exit status, and every error about a store one outcome."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    PrunedMeanwhileError,
    SnapshotCorruptError,
    StoreError,
    UnprovedError,
)
from airflow_provider_elementary.storage.outcomes import Outcome, outcome_of


def test_each_outcome_has_the_exit_status_of_the_documentation() -> None:
    assert {outcome.value: outcome.exit_status for outcome in Outcome} == {
        "sound": 0,
        "not anchored": 0,
        "unproved": 1,
        "damaged": 1,
        "outdated": 1,
        "overdue": 1,
        "pruned meanwhile": 3,
        "cannot tell": 3,
    }


def test_the_page_says_that_a_store_without_an_anchor_is_sound() -> None:
    assert [Outcome.NOT_ANCHORED.label, Outcome.PRUNED_MEANWHILE.label, Outcome.DAMAGED.label] == [
        "sound, not anchored",
        "pruned",
        "damaged",
    ]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UnprovedError("x"), Outcome.UNPROVED),
        (SnapshotCorruptError("x"), Outcome.DAMAGED),
        (PrunedMeanwhileError("x"), Outcome.PRUNED_MEANWHILE),
        (KeyUnavailableError("x"), Outcome.CANNOT_TELL),
        (StoreError("x"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_stands_for_its_outcome(error: ElementaryError, outcome: Outcome | None) -> None:
    assert outcome_of(error) is outcome


def test_only_what_was_pruned_meanwhile_is_worth_a_retry() -> None:
    assert (PrunedMeanwhileError.permanent, UnprovedError.permanent) == (False, True)
