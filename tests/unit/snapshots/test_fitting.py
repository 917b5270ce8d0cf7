"""What the declared types of a restore's target cannot hold is refused, and their whole range passes."""

from __future__ import annotations

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import ValueDoesNotFitError
from airflow_provider_elementary.snapshots.fitting import require_fit


def threads(number: int) -> pa.RecordBatch:
    return pa.record_batch({"threads": pa.array([number, None], pa.int64())})


@pytest.mark.parametrize("number", [-(2**31), 0, 2**31 - 1])
def test_the_ends_of_an_integers_range_fit(number: int) -> None:
    require_fit(threads(number), TABLES["dbt_invocations"], "postgres", widest=False)


@pytest.mark.parametrize("number", [-(2**63), -(2**31) - 1, 2**31, 2**63 - 1])
def test_a_number_beyond_an_integers_range_is_refused_without_its_value(number: int) -> None:
    with pytest.raises(ValueDoesNotFitError, match="threads holds a whole number of more than 32 bits") as raised:
        require_fit(threads(number), TABLES["dbt_invocations"], "postgres", widest=False)

    assert str(number) not in str(raised.value)
