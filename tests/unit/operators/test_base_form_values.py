"""Values of forms that a schema would refuse with "Bad Request" are refused by the task, in a sentence."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.operators.base import anchors_of
from airflow_provider_elementary.operators.snapshot import ElementaryRestoreSnapshotOperator
from airflow_provider_elementary.snapshots.policy.choices import PolicyChoices, resolve_policy

OPERATOR: Any = SimpleNamespace(inlets=())
CONTEXT: Any = {}


@pytest.mark.parametrize("path", ["restored.duckdb", "./restored.duckdb", "srv/elementary/restored.duckdb"])
def test_a_relative_path_is_refused(path: str) -> None:
    operator = ElementaryRestoreSnapshotOperator(task_id="restore", target_path=path, store_conn_id="store")

    with pytest.raises(AirflowFailException, match="is not an absolute path"):
        operator.execute(CONTEXT)


@pytest.mark.parametrize(
    ("sequence", "digest"),
    [(3, None), (3, "latest"), (3, "a" * 63), (0, "a" * 64), (None, "a" * 64), ("three", "a" * 64), (3, "g" * 64)],
)
def test_an_anchor_that_is_none_is_refused(sequence: object, digest: object) -> None:
    with pytest.raises(ConfigurationError, match="anchor"):
        anchors_of(OPERATOR, {"sequence": sequence, "manifest_sha256": digest}, CONTEXT)


def test_an_anchor_may_be_in_upper_case_and_with_blanks() -> None:
    [anchor] = anchors_of(OPERATOR, {"sequence": "3", "manifest_sha256": f" {'A' * 64}\n"}, CONTEXT)

    assert (anchor.sequence, anchor.sha256) == (3, "a" * 64)


@pytest.mark.parametrize("name", ["owner", "a.b.c", "dbt_models.", ".owner", "dbt_models.no_such_column", "a b.c"])
def test_a_column_that_is_none_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(name)):
        resolve_policy(PolicyChoices.parse({"masked_columns": [name]}, "the form"))
