"""PostgreSQL's own standard deviation of equal values beside that of the rule."""

from __future__ import annotations

import pytest

from tests.servers.postgres import PostgresServer
from tests.support.other_world import Case, buckets, stored
from tests.support.rule_scores import recompute_scores
from tests.support.stored_verdicts import TODAY

_DEVIATIONS = """
SELECT stddev(%(value)s::FLOAT) OVER days, avg(%(value)s::FLOAT) OVER days
FROM generate_series(1, 40) AS day
WINDOW days AS (ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY day
"""


@pytest.mark.parametrize("value", [33.333, 0.1, 86399.123, -12.7, 0.5])
def test_equal_values_deviate_as_postgresql_says(
    postgres_server: PostgresServer, postgres_database: str, value: float
) -> None:
    params = {"days_back": 60}
    case = Case(params, buckets([value] * 40, until=TODAY, params=params), adapter="postgres")
    with postgres_server.connect(database=postgres_database) as connection:
        theirs = connection.execute(_DEVIATIONS, {"value": value}).fetchall()

    ours = recompute_scores(stored(case, ("pass", 0)), adapter="postgres").sort_by("bucket_end").to_pylist()

    assert [row["training_stddev"] for row in ours] == [deviation for deviation, _ in theirs]
    assert [row["training_avg"] for row in ours] == pytest.approx([average for _, average in theirs], rel=1e-15)
