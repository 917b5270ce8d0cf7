"""What each status means, in Python and in SQL alike."""

from __future__ import annotations

import duckdb
import pytest

from airflow_provider_elementary.elementary_schema.statuses import (
    STATUSES,
    is_unknown,
    level_sql,
    meaning_of,
    ran_sql,
    rank_sql,
    status_name,
    status_sql,
)

WRITTEN = [
    *STATUSES,
    *(
        "PASS",
        "Success  ",
        "  warn",
        "RUNTIME_ERROR",
        "Partial  Success",
        "no_op",
        "noop",
        "No Op",
        "\tfail\n",
        "skipped\u00a0",
    ),
    *("", " ", None, "running", "interrupted", "it's odd", "ERREUR"),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_sql_and_python_read_a_status_alike(text: str | None) -> None:
    name = status_sql("text")
    columns = ", ".join([f"{name} AS name", level_sql("name"), rank_sql("name"), ran_sql("name")])
    query = f"SELECT {columns} FROM (SELECT $1::VARCHAR AS text)"
    meaning = meaning_of(text)

    # On a connection of its own: a result that is not read to its end keeps the one that all share.
    with duckdb.connect() as connection:
        found = connection.execute(query, [text]).fetchone()
    assert found == (status_name(text), meaning.level, meaning.rank, meaning.ran)


@pytest.mark.parametrize("text", ["pass", "success", "reused", "no-op", "PASS    ", "No_Op"])
def test_the_good_statuses_are_good_in_any_form(text: str) -> None:
    assert meaning_of(text).level == "good"


@pytest.mark.parametrize("text", ["running", "", None, "pass?", "passed", "ok"])
def test_what_is_not_known_to_be_good_fails_and_is_unknown(text: str | None) -> None:
    assert (meaning_of(text).level, is_unknown(text)) == ("failing", True)
