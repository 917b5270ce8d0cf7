"""A task finds what it returned in the run before, also where it is one of several that are mapped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.operators.base import returned_before


def before(returned: dict[int, Any], map_index: int) -> dict[str, Any]:
    """Ask for what an instance returned, as Airflow answers: values that are not there leave no gap in a list."""

    def xcom_pull(task_ids: str, run_id: str, map_indexes: int | None = None) -> Any:
        if map_indexes is not None:
            return returned.get(map_indexes)
        values = list(returned.values())
        return values[0] if len(values) == 1 else values

    instance = SimpleNamespace(
        task_id="anomalies",
        map_index=map_index,
        get_previous_dagrun=lambda state=None: SimpleNamespace(run_id="before"),
        xcom_pull=xcom_pull,
    )
    return returned_before(cast(Context, {"ti": instance}))


@pytest.mark.parametrize("there", [[0, 1, 2], [0, 2], [1, 2], [2]])
def test_a_mapped_task_finds_its_own_where_another_returned_nothing(there: list[int]) -> None:
    returned = {shard: {"state_anchor": f"of {shard}"} for shard in there}

    for shard in range(3):
        assert before(returned, shard) == returned.get(shard, {})


def test_a_task_that_is_mapped_no_more_takes_nothing_of_another() -> None:
    assert before({-1: {"anchor": "mine"}}, -1) == {"anchor": "mine"}
    assert before({0: {"anchor": "a"}, 1: {"anchor": "b"}}, -1) == {}
