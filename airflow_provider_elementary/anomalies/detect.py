"""Scores every bucket of metrics by either method."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa

from airflow_provider_elementary.exceptions import ConfigurationError

Method = Literal["elementary", "robust"]


def detect(
    metrics: pa.Table, method: Method = "elementary", configurations: pa.Table | None = None, **parameters: Any
) -> pa.Table:
    """Score every bucket of every series; a verdict depends on no later bucket.

    :param metrics: ``full_table_name``, ``column_name``, ``metric_name``, ``dimension``, ``dimension_value``,
        ``bucket_start``, ``bucket_end``, ``metric_value`` (null: an expected bucket without a value); with
        ``metric_properties`` each configuration is a series of its own, with ``updated_at`` the newest row of a
        bucket counts.
    :param method: ``elementary``, the dbt package's own rule, or ``robust``.
    :param configurations: one row per series, with the parameters of its dbt test by Elementary's names, as
        :func:`~airflow_provider_elementary.anomalies.elementary.configured_tests.read_test_configurations` reads
        them. It is matched by those of the key columns that it has, names in any case. A null is not given. A series
        without a row has the ``parameters``, and changes of less than a quarter are no anomaly of it.
    :param parameters: those of the method, and of tests: :func:`elementary.score`, :func:`robust.score`.
    :return: the same keys, and ``score``, ``expected_value``, ``expected_min``, ``expected_max``, ``is_anomalous``,
        ``kind``, ``reason``, ``training_size``; one row per bucket, in the order of the metrics.
    :raises ConfigurationError: the method is unknown, a parameter does not fit, or the metrics lack a column.
    """
    if method == "elementary":
        from airflow_provider_elementary.anomalies.elementary import score as elementary

        return elementary.score(metrics, configurations=configurations, **parameters)
    if method == "robust":
        from airflow_provider_elementary.anomalies import robust

        return robust.score(metrics, configurations=configurations, **parameters)
    raise ConfigurationError(f"Unknown method {method!r}. Use elementary or robust.")
