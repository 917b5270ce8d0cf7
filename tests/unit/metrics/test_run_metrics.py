"""Metrics of dbt's runs."""

from __future__ import annotations

from tests.support.dbt_project import ORDERS, PAYMENTS, invocation, project, run, values


def test_execution_time_is_the_mean_of_the_days_successful_runs() -> None:
    source = project(
        dbt_run_results=[
            run(0, execution_time=2.0),
            run(0, hour=1, execution_time=4.0),
            run(0, hour=2, status="error", execution_time=60.0),
            run(1, execution_time=5.0),
        ]
    )

    assert values(source, "execution_time") == {"Mon 02": 3.0, "Tue 03": 5.0}


def test_a_row_that_was_written_twice_counts_once() -> None:
    source = project(
        dbt_run_results=[run(0, execution_time=2.0), run(0, execution_time=2.0), run(0, hour=1, execution_time=4.0)]
    )

    assert values(source, "execution_time") == {"Mon 02": 3.0}


def test_the_ratio_compares_with_the_median_of_the_days_before_from_five_on() -> None:
    seconds = [10.0, 10.0, 10.0, 12.0, 8.0, 30.0, 10.0]
    source = project(dbt_run_results=[run(day, execution_time=value) for day, value in enumerate(seconds)])

    assert values(source, "execution_time_ratio") == {"Sat 07": 3.0, "Sun 08": 1.0}


def test_rows_affected_are_summed_over_a_day_that_is_over() -> None:
    source = project(
        dbt_run_results=[run(0, rows_affected=10), run(0, hour=6, rows_affected=5), run(1, rows_affected=7)]
    )

    assert values(source, "rows_affected") == {"Mon 02": 15.0}


def test_success_rate_does_not_count_skipped_runs() -> None:
    source = project(
        dbt_run_results=[run(0), run(0, hour=1), run(0, hour=2, status="error"), run(0, hour=3, status="skipped")]
    )

    assert values(source, "success_rate") == {"Mon 02": 66.667}
    assert values(source, "failed_runs") == {"Mon 02": 1.0}


def test_days_are_those_of_utc_and_not_of_the_warehouses_session() -> None:
    source = project(dbt_run_results=[run(0, hour=17)])

    assert values(source, "success_rate") == {"Mon 02": 100.0}


def test_a_failure_lasts_from_the_first_failed_run_to_the_next_success() -> None:
    source = project(
        dbt_run_results=[
            run(0),
            run(1, status="error"),
            run(2, status="error"),
            run(3),
            run(4, status="error"),
            run(4, hour=6),
        ]
    )

    assert values(source, "run_time_to_recover") == {"Thu 05": 2 * 86_400.0, "Fri 06": 6 * 3600.0}


def test_models_are_kept_apart() -> None:
    source = project(dbt_run_results=[run(0), run(0, model="payments", status="error")])

    assert (values(source, "success_rate", ORDERS), values(source, "success_rate", PAYMENTS)) == (
        {"Mon 02": 100.0},
        {"Mon 02": 0.0},
    )


def test_a_day_without_an_invocation_is_a_zero() -> None:
    source = project(dbt_invocations=[invocation(0), invocation(0, 6), invocation(2), invocation(3)])

    assert values(source, "invocations", "SHOP") == {"Mon 02": 2.0, "Tue 03": 0.0, "Wed 04": 1.0}
