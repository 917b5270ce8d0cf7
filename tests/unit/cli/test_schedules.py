"""What ``doctor`` says of the schedules of the example DAGs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.cli.schedules import schedule_problems

OPTION = "AIRFLOW__ELEMENTARY__SCHEDULES"


@pytest.fixture
def problems(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    def found(schedules: Any) -> list[tuple[str, str, str]]:
        monkeypatch.setenv(OPTION, schedules if isinstance(schedules, str) else json.dumps(schedules))
        return list(schedule_problems())

    return found


def test_nothing_is_wrong_with_names_and_schedules_that_exist(problems: Any) -> None:
    assert problems("") == problems({}) == []
    assert problems({"elementary_observability": "@hourly", "elementary_access_audit": "0 6 * * *"}) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("elementary_observabilty", "elementary_observability"),
        ("observability", "elementary_observability"),
        ("elementary_acces_audit", "elementary_access_audit"),
        ("elementary_query_log", "elementary_query_history"),
    ],
)
def test_a_mistyped_name_is_said_with_the_nearest_right_one(problems: Any, name: str, meant: str) -> None:
    [(status, evidence, step)] = problems({name: "@hourly"})

    assert (status, evidence) == ("fail", f"[elementary] schedules names {name!r}, which is no DAG")
    assert step == f"[elementary] schedules: Write {meant!r}."


def test_a_name_like_no_other_is_said_with_all_that_there_are(problems: Any) -> None:
    [(_, _, step)] = problems({"zzz": "@hourly"})

    assert step.startswith("[elementary] schedules: Those with a schedule are elementary_observability, ")


def test_a_schedule_that_airflow_does_not_read_is_said(problems: Any) -> None:
    [(status, evidence, step)] = problems({"elementary_observability": "@houry"})

    assert status == "fail"
    assert evidence.startswith("[elementary] schedules gives elementary_observability '@houry', which is no schedule: ")
    assert step == "Give elementary_observability a preset such as '@hourly', or a cron expression such as '0 6 * * *'."


def test_an_option_that_is_no_json_is_said(problems: Any) -> None:
    [(status, evidence, _)] = problems("elementary_observability=@hourly")

    assert (status, evidence.split(".")[0]) == (
        "fail",
        "[elementary] schedules is no JSON object with a text for each DAG",
    )


def test_doctor_ends_with_a_finding(
    airflow_db: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(OPTION, '{"elementary_observabilty": "@hourly"}')

    assert main(["doctor", "--store-conn-id", "nowhere", "--json"]) == 1

    [found] = [each for each in json.loads(capsys.readouterr().out)["checks"] if each["part"] == "schedules"]
    assert found["next_step"] == "[elementary] schedules: Write 'elementary_observability'."
