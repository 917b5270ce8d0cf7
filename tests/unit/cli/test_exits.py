"""A failed command says what to do, without the text of an error that is not this package's own."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.cli.exits import failure


@pytest.mark.parametrize(
    ("module", "to_install"),
    [
        ("airflow.providers.snowflake", "apache-airflow-providers-snowflake."),
        ("airflow.providers.amazon.aws.hooks.s3", "apache-airflow-providers-amazon."),
        ("airflow.providers.common.sql.hooks.sql", "apache-airflow-providers-common-sql."),
        ("airflow.providers.apache.hive", "apache-airflow-providers-apache-hive."),
        ("adbc_driver_postgresql", "the extra of your warehouse, as in airflow-provider-elementary[postgres]."),
        (None, "the extra of your warehouse, as in airflow-provider-elementary[postgres]."),
    ],
)
def test_a_module_that_is_missing_names_what_brings_it(module: str | None, to_install: str) -> None:
    status, message = failure(ModuleNotFoundError("No module named x", name=module))

    assert status == 3
    assert message == f"The Python module {module or 'of a driver'} is not installed. Install {to_install}"


def test_the_text_of_an_unknown_error_is_not_repeated() -> None:
    assert "hunter2" not in failure(RuntimeError("password=hunter2"))[1]
