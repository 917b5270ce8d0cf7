"""An example DAG has no schedule until the configuration names one."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.operators.params import schedule_of

OPTION = "AIRFLOW__ELEMENTARY__SCHEDULES"


def test_a_dag_that_is_not_named_has_no_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OPTION, raising=False)
    assert schedule_of("elementary_observability") is None

    monkeypatch.setenv(OPTION, '{"elementary_access_audit": "@daily"}')
    assert schedule_of("elementary_observability") is None
    assert schedule_of("elementary_access_audit") == "@daily"


@pytest.mark.parametrize("text", ['["@hourly"]', '"@hourly"', '{"elementary_observability": 1}'])
def test_an_option_of_another_form_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPTION, text)

    with pytest.raises(ConfigurationError, match=r"\[elementary\] schedules is no JSON object"):
        schedule_of("elementary_observability")
