"""Metrics in words."""

from __future__ import annotations

from airflow_provider_elementary.metrics.registry import METRICS
from airflow_provider_elementary.metrics.wording import WORDS, in_words


def test_each_metric_has_words_of_its_own() -> None:
    assert METRICS.keys() >= WORDS.keys()
    assert len({in_words(name) for name in METRICS}) == len(METRICS)
    assert not [name for name in METRICS if "_" in in_words(name).replace("warn_after", "").replace("error_after", "")]
