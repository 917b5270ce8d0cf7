"""The declared metrics: units, families, and what is derived from them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import airflow_provider_elementary
from airflow_provider_elementary.anomalies.elementary.rule import SIGNED_METRICS, SPIKES_ONLY_METRICS
from airflow_provider_elementary.anomalies.explain import RAW_VALUE_METRICS, written_amount
from airflow_provider_elementary.anomalies.robust.model import transform
from airflow_provider_elementary.metrics.definitions import COLLECTED, Metric
from airflow_provider_elementary.metrics.registry import DEFINITIONS, METRICS, family_of, possible

PACKAGE = Path(airflow_provider_elementary.__file__).parent
#: Parts of metric names that a guess of the unit would look for.
PARTS = ("count", "percent", "rate", "freshness", "age", "duration", "time", "rows")
#: Functions that look into a name.
LOOKS = {
    "startswith",
    "endswith",
    "split",
    "removesuffix",
    "removeprefix",
    "partition",
    "rpartition",
    "match",
    "search",
}


def test_each_metric_is_declared_once() -> None:
    declared = [metric.name for metric in (*COLLECTED, *(m for d in DEFINITIONS for m in d.metrics))]

    assert len(declared) == len(METRICS)


def test_a_metric_without_a_known_unit_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="Metric queue_wait has the unknown unit 'fortnights'"):
        Metric("queue_wait", "fortnights", "time in the queue")


def test_a_metric_is_modelled_and_written_by_its_declared_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "queue_wait", Metric("queue_wait", "s", "time in the queue"))
    monkeypatch.setitem(METRICS, "wait_count", Metric("wait_count", "s", "time in the queue"))

    assert transform.scale_kind("queue_wait") == transform.scale_kind("wait_count") == transform.DURATION
    assert written_amount("queue_wait", 90) == "1 min 30 s"


@pytest.mark.parametrize("name", ["queue_wait", "my_count", "my_percent", "hit_rate", "page_age", "count_of_things"])
def test_the_unit_of_an_undeclared_metric_is_not_guessed(name: str) -> None:
    assert family_of(name) == "number"


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("ROW_COUNT", "count"),
        ("dimension", "count"),
        ("count_true", "count"),
        ("zero_percent", "percent"),
        ("event_freshness", "duration"),
        ("source_age", "duration"),
        ("health_score", "percent"),
        ("sum", "sum"),
        ("average", "number"),
        ("execution_time_ratio", "number"),
    ],
)
def test_a_declared_metric_has_the_family_of_its_unit(name: str, family: str) -> None:
    assert family_of(name) == family


def test_the_metrics_of_the_rule_are_those_of_elementary_s_macros() -> None:
    assert set(SIGNED_METRICS) == {"min", "max", "average", "standard_deviation", "variance", "sum"}
    assert set(SPIKES_ONLY_METRICS) == {"freshness", "event_freshness"}
    assert RAW_VALUE_METRICS == {"min", "max"}


@pytest.mark.parametrize("folder", ["metrics", "anomalies", "incidents", "alerts", "page", "project", "operators"])
def test_no_code_looks_for_a_unit_in_a_metric_s_name(folder: str) -> None:
    guesses = []
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_look = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOKS
            if is_look and {part for text in _texts(node) for part in re.split("[^a-z]+", text)} & set(PARTS):
                guesses.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")

    assert guesses == []


def _texts(call: ast.AST) -> list[str]:
    return [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize(
    ("metric", "bound", "shown"),
    [
        ("row_count", -5.0, 0.0),
        ("row_count", 5.0, 5.0),
        ("ROW_COUNT", -5.0, 0.0),
        ("execution_time", -0.1, 0.0),
        ("null_percent", 104.0, 100.0),
        ("standard_deviation", -620.0, 0.0),
        ("average", -106.0, -106.0),
        ("sum", 250.0, 250.0),
        ("a_metric_of_a_user", -1.0, -1.0),
        ("row_count", None, None),
    ],
)
def test_a_bound_is_a_value_that_the_metric_can_have(metric: str, bound: float | None, shown: float | None) -> None:
    assert possible(metric, bound) == shown
