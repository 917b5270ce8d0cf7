"""The stream of metrics knows the shard of a table."""

from __future__ import annotations

from airflow_provider_elementary.anomalies.metric_stream import shard_of


def test_a_shard_does_not_depend_on_the_other_tables_or_on_case() -> None:
    assert [shard_of("SHOP.CORE.ORDERS", 8), shard_of("shop.core.orders", 8)] == [3, 3]
