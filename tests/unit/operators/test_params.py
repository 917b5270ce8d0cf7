"""An example DAG has no schedule until the configuration names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.operators.params import SCHEDULED_DAGS, schedule_of

OPTION = "AIRFLOW__ELEMENTARY__SCHEDULES"


def test_a_dag_that_is_not_named_has_no_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OPTION, raising=False)
    assert schedule_of("elementary_observability") is None

    monkeypatch.setenv(OPTION, '{"elementary_access_audit": "@daily"}')
    assert schedule_of("elementary_observability") is None
    assert schedule_of("elementary_access_audit") == "@daily"


@pytest.mark.parametrize("text", ['["@hourly"]', '"@hourly"', "@hourly", '{"elementary_observability": 1}'])
def test_an_option_of_another_form_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPTION, text)

    with pytest.raises(ConfigurationError, match=r"\[elementary\] schedules is no JSON object"):
        schedule_of("elementary_observability")


def test_the_dags_that_take_a_schedule_are_those_that_are_listed() -> None:
    files = Path(__file__).parents[3].glob("dags/*.py")

    assert {file.stem for file in files if f'schedule_of("{file.stem}")' in file.read_text()} == set(SCHEDULED_DAGS)
