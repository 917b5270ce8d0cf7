"""The SQL files of the PostgreSQL check: part of the package, and complete statements."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest
import sqlglot

from airflow_provider_elementary.access.check.postgres.queries import bind_names, check_queries, load, with_roles
from airflow_provider_elementary.access.check.report import CHECKS

ROOT = Path(__file__).parents[5]
PACKAGE = ROOT / "airflow_provider_elementary"
FOLDER = PACKAGE / "access" / "check" / "postgres"
OTHERS = ("session", "roles", "schema", "outside", "exists")


def test_the_package_data_includes_every_sql_file() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    globs = settings["options.package_data"]["airflow_provider_elementary"].split()

    included = {path for glob in globs for path in PACKAGE.glob(glob)}

    assert [path for path in PACKAGE.rglob("*.sql") if path not in included] == []


def test_every_file_is_used() -> None:
    parts = {part for query in check_queries(170000) for part in query.parts}

    assert {path.stem for path in FOLDER.glob("*.sql")} == {*parts, *OTHERS, "reachable", "listed"}


@pytest.mark.parametrize("version", [120000, 170000])
@pytest.mark.parametrize(("bind", "left"), [("$1", "$1"), ("%s", "%s")])
def test_a_statement_of_a_check_binds_the_schema_once(version: int, bind: str, left: str) -> None:
    for query in check_queries(version):
        statement = query.statement(bind)

        assert set(query.proofs) <= set(CHECKS)
        assert statement.count(left) == 1
        assert ":schema" not in statement
        assert len(sqlglot.parse(statement.replace(bind, "'elementary'"), read="postgres")) == 1


def test_a_right_on_a_parameter_is_looked_up_where_postgresql_has_them() -> None:
    assert "pg_parameter_acl" not in check_queries(140000)[0].statement("$1")
    assert "pg_parameter_acl" in check_queries(150000)[0].statement("$1")


def test_two_names_are_bound_by_number_or_by_position() -> None:
    assert "CAST($1 AS text) AND c.relname = CAST($2 AS text)" in bind_names(load("exists"), "$1")
    assert bind_names(load("exists"), "%s").count("%s") == 2


def test_a_query_can_use_the_reachable_roles() -> None:
    assert with_roles("roles", "$1").index("reach AS (") < with_roles("roles", "$1").index("FROM reach WHERE")
