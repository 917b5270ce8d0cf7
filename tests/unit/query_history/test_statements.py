"""What is kept of a statement holds no literal and no comment."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_elementary.query_history.statements import LONGEST, NOT_UNDERSTOOD, dbt_node, read_statement

SECRET = "hunter2"
#: Statements that hold the secret as a literal or in a comment, and are understood all the same.
UNDERSTOOD = [
    ("postgres", f"SELECT * FROM raw.users WHERE password = '{SECRET}'"),
    ("postgres", f"SELECT E'it\\'s {SECRET}' FROM raw.users"),
    ("postgres", f"SELECT $tag${SECRET}$tag$ FROM raw.users"),
    ("postgres", f"SELECT U&'{SECRET}' FROM raw.users"),
    ("postgres", f"SELECT doc->>'{SECRET}' FROM raw.users"),
    ("postgres", f'SELECT \'{{"a": "{SECRET}"}}\'::jsonb FROM raw.users'),
    ("postgres", f"/* {SECRET} */ SELECT 1 FROM raw.users -- {SECRET}\n"),
    ("postgres", f"SELECT 1 FROM /* /* {SECRET} */ */ raw.users"),
    ("postgres", f'SELECT 1 AS "{SECRET}@example.com" FROM raw.users'),
    ("snowflake", f"SELECT /*+ {SECRET} */ $1, 'x' FROM raw.users AT (TIMESTAMP => '{SECRET}')"),
    ("snowflake", f"SELECT $${SECRET}$$ FROM raw.users"),
    ("bigquery", f'SELECT "{SECRET}", r\'{SECRET}\', b"{SECRET}", """{SECRET}""" FROM raw.users'),
    ("databricks", f'SELECT /*+ BROADCAST({SECRET}) */ "{SECRET}" FROM raw.users'),
    ("clickhouse", f"SELECT 'a\\'{SECRET}' FROM raw.users SETTINGS max_threads = 3"),
    ("redshift", f"SELECT 'a\\'{SECRET}' FROM raw.users"),
    ("trino", f"SELECT U&'{SECRET}' FROM raw.users"),
    ("postgres", f"SELECT $a$ $$ {SECRET} $$ $a$ FROM raw.users"),
    ("bigquery", f"SELECT 1 FROM raw.users # {SECRET}\n"),
    ("snowflake", f"SELECT 1 FROM raw.users // {SECRET}\n"),
    ("trino", f"SELECT N'{SECRET}' FROM raw.users WHERE a LIKE '{SECRET}' ESCAPE '!'"),
]
#: Statements of which nothing is kept.
NOTHING = [
    ("postgres", f"CREATE USER someone PASSWORD '{SECRET}'"),
    ("postgres", f"ALTER ROLE someone PASSWORD '{SECRET}'"),
    ("postgres", f"SET my.secret = {SECRET}"),
    ("postgres", f"SELECT '{SECRET}"),
    ("postgres", f"SELECT 1; SELECT '{SECRET}'"),
    ("postgres", f"CREATE TABLE t AS (SELECT '{SECRET}') {SECRET} ("),
    ("postgres", f"CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT '{SECRET}' $$"),
    ("postgres", "SELECT " + "(" * 5_000 + SECRET + ")" * 5_000),
    ("snowflake", f"COPY INTO t FROM 's3://b' CREDENTIALS = (AWS_SECRET_KEY = '{SECRET}')"),
    ("snowflake", f"CREATE STAGE s CREDENTIALS = (AWS_SECRET_KEY = '{SECRET}')"),
    ("redshift", f"UNLOAD ('SELECT 1') TO 's3://b' CREDENTIALS '{SECRET}'"),
    ("clickhouse", f"INSERT INTO raw.users FORMAT CSV {SECRET},1"),
    ("databricks", f"CREATE TABLE t USING jdbc OPTIONS (password {SECRET}) AS SELECT 1"),
    ("trino", f"EXECUTE prepared USING '{SECRET}'"),
    ("postgres", ""),
    ("postgres", None),
]


@pytest.mark.parametrize(("dialect", "text"), UNDERSTOOD, ids=[text[:30] for _, text in UNDERSTOOD])
def test_no_literal_and_no_comment_is_kept(dialect: str, text: str) -> None:
    found = read_statement(text, dialect)

    assert found.sha256 is not None
    assert found.tables == ("RAW.USERS",)
    assert SECRET not in (found.text or "")


@pytest.mark.parametrize(("dialect", "text"), NOTHING, ids=[str(text)[:30] for _, text in NOTHING])
def test_nothing_is_kept_or_logged_of_what_is_not_understood(
    dialect: str, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert read_statement(text, dialect) == NOT_UNDERSTOOD

    assert SECRET not in caplog.text


def test_a_huge_statement_is_not_read() -> None:
    assert read_statement("SELECT 1 FROM t WHERE x IN (" + "1, " * LONGEST + "1)", "postgres") == NOT_UNDERSTOOD


def test_statements_that_differ_in_values_case_and_comments_have_one_hash() -> None:
    texts = [
        "SELECT a FROM s.t WHERE b IN (1, 2, 3) AND c = 'x'",
        "select a\nfrom s.t where b in (4) and c = $1 /* run 7 */",
        "SELECT a FROM s.t WHERE b IN (1_000, 2) AND c = 'y'",
    ]

    assert len({read_statement(text, "postgres").sha256 for text in texts}) == 1
    assert read_statement("SELECT a FROM s.u WHERE b IN (1) AND c = 'x'", "postgres").sha256 not in {
        read_statement(texts[0], "postgres").sha256
    }


@pytest.mark.parametrize(
    ("text", "tables", "target"),
    [
        ("WITH x AS (SELECT * FROM a.b) SELECT * FROM x JOIN c.d ON true", ("A.B", "C.D"), None),
        ("INSERT INTO a.b SELECT * FROM c.d", ("C.D",), "A.B"),
        ("INSERT INTO a.b SELECT * FROM a.b", ("A.B",), "A.B"),
        ("CREATE TABLE a.b AS SELECT * FROM c.d WHERE x IN (SELECT y FROM e.f)", ("C.D", "E.F"), "A.B"),
        ("UPDATE a.b SET x = 1 FROM c.d", ("C.D",), "A.B"),
        ("DELETE FROM a.b WHERE x IN (SELECT x FROM c.d)", ("C.D",), "A.B"),
        ("MERGE INTO a.b USING c.d ON true WHEN MATCHED THEN UPDATE SET x = 1", ("C.D",), "A.B"),
        ("SELECT 1", (), None),
        ("WITH b AS (SELECT * FROM b) SELECT * FROM b", ("B",), None),
        ("WITH RECURSIVE b AS (SELECT * FROM c UNION SELECT * FROM b) SELECT * FROM b", ("C",), None),
        ("WITH b AS (SELECT 1), c AS (SELECT * FROM b) SELECT * FROM c", (), None),
        ("SELECT * FROM (WITH b AS (SELECT 1) SELECT * FROM b) x, b", ("B",), None),
        ("SELECT * FROM generate_series(1, 3), a.b", ("A.B",), None),
    ],
)
def test_the_tables_that_are_read_and_written_are_distinguished(
    text: str, tables: tuple[str, ...], target: str | None
) -> None:
    found = read_statement(text, "postgres")

    assert (found.tables, found.target) == (tables, target)


def test_the_node_is_read_from_the_comment_or_the_tag_and_nothing_else_of_them() -> None:
    comment = json.dumps({"app": "dbt", "node_id": "model.shop.orders", "secret": SECRET})

    assert dbt_node(None, f"/* {comment} */ SELECT 1") == "model.shop.orders"
    assert dbt_node(None, f"SELECT 1 /* {comment} */") == "model.shop.orders"
    assert dbt_node(comment, "SELECT 1") == "model.shop.orders"
    assert dbt_node('{"app": "other"}', f"/* {comment} */ SELECT 1") == "model.shop.orders"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "/* {not json} */ SELECT 1",
        '/* {"node_id": 7} */',
        '/* {"node_id": "hunter2 is no node"} */',
        "/* " + "{" * 10_000,
        '{"node_id": "model.' + "x" * 10_000 + '"}',
    ],
)
def test_a_comment_that_names_no_node_gives_none(text: str) -> None:
    assert dbt_node(None, text) is None
