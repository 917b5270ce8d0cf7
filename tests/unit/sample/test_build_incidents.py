"""The incidents of the sample, by what its newest results say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.incidents.current import current_conditions, read_dbt_conditions
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.project.lineage import read_lineage
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.incidents import require_conditions_of_failing_tests


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarehouseSource]:
    path = build_sample(tmp_path_factory.mktemp("sample") / "sample.duckdb")
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        yield source


@pytest.fixture(scope="module")
def incidents(sample: WarehouseSource) -> list[Incident]:
    lineage = read_lineage(sample)
    with compute_metrics(sample) as metrics:
        verdicts = score_recent(metrics, method="elementary", days=60, parameters={}).verdicts
    return track_incidents(current_conditions(verdicts, lineage, read_dbt_conditions(sample)), lineage)


def test_each_failing_test_of_the_demo_is_of_an_open_incident(
    sample: WarehouseSource, incidents: list[Incident]
) -> None:
    assert len(require_conditions_of_failing_tests(sample, incidents)) == 11


def test_every_time_in_the_evidence_of_a_condition_names_its_zone(incidents: list[Incident]) -> None:
    said = [condition.evidence for incident in incidents for condition in incident.conditions]
    times = [time for text in said for time in re.findall(r"\d\d:\d\d.{0,4}", text)]

    assert {condition.kind for incident in incidents for condition in incident.conditions} >= {"anomaly", "test"}
    assert times
    assert [time for time in times if not time.endswith(" UTC")] == []
