"""Names and texts of any kind stay names and texts, by each warehouse's rules."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_provider_elementary.quoting import identifier, literal

DIALECTS = ["postgres", "redshift", "snowflake", "bigquery", "databricks", "clickhouse", "trino", "duckdb"]
HOSTILE = [
    "plain",
    "it's",
    'say "x"',
    "back`tick",
    "back\\slash",
    "\\' OR 1=1 --",
    "a\nb",
    "é",
    "'; DROP TABLE x; --",
    "",
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", HOSTILE)
def test_a_literal_is_read_back_as_the_text_that_it_was(dialect: str, text: str) -> None:
    statement = sqlglot.parse_one(f"SELECT {literal(text, dialect)}", dialect=dialect)

    assert [found.this for found in statement.find_all(exp.Literal)] == [text]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", [text for text in HOSTILE if text])
def test_an_identifier_is_read_back_as_the_name_that_it_was(dialect: str, name: str) -> None:
    statement = sqlglot.parse_one(f"SELECT {identifier(name, dialect)}", dialect=dialect)

    assert [(found.this, found.quoted) for found in statement.find_all(exp.Identifier)] == [(name, True)]


@pytest.mark.parametrize("text", HOSTILE)
def test_duckdb_itself_reads_the_same(text: str) -> None:
    cursor = duckdb.connect().execute(f"SELECT {literal(text, 'duckdb')} AS {identifier(text or 'x', 'duckdb')}")

    assert (cursor.description[0][0], cursor.fetchone()) == (text or "x", (text,))
