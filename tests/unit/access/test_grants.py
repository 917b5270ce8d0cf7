"""The statements that create a reader, for every warehouse: what they hold, and what no name can do to them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import sqlglot

from airflow_provider_elementary.access import grants
from airflow_provider_elementary.access.grants import DIALECTS
from airflow_provider_elementary.exceptions import ConfigurationError

READER: dict[str, Any] = {
    "role": "elementary_reader",
    "user": "elementary_airflow",
    "schema": "elementary",
    "database": "dbt",
    "dbt_role": "transformer",
    "warehouse": "wh",
}
#: Athena has no grants in SQL: there it is one policy of IAM.
IN_SQL = [dialect for dialect in DIALECTS if dialect != "athena"]
BIGQUERY = {"user": "airflow@acme-dbt.iam.gserviceaccount.com", "database": "acme-dbt"}
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB airflow"
PEM = "-----BEGIN PUBLIC KEY-----\nMIIBIjAN\nBgkqhkiG\n-----END PUBLIC KEY-----\n"


def statements(dialect: str, **changes: Any) -> list[str]:
    """Return a reader's statements with their comments."""
    return grants(dialect, **{**READER, **(BIGQUERY if dialect == "bigquery" else {}), **changes})


def bare(dialect: str, **changes: Any) -> list[str]:
    """Return a reader's statements without comments."""
    return [re.sub(r"^--.*\n", "", statement, flags=re.MULTILINE) for statement in statements(dialect, **changes)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_that_exists_is_replaced(dialect: str) -> None:
    assert "OR REPLACE" not in "".join(statements(dialect)).upper()


@pytest.mark.parametrize("dialect", IN_SQL)
def test_each_element_is_one_statement(dialect: str) -> None:
    assert all(statement.endswith(";") for statement in statements(dialect))
    assert all(not line.startswith("--") for statement in bare(dialect) for line in statement.splitlines())


@pytest.mark.parametrize("dialect", [d for d in IN_SQL if d not in ("duckdb", "bigquery")])
def test_the_role_gets_select_on_the_schema_and_nothing_that_writes_to_it(dialect: str) -> None:
    granted = [s for s in bare(dialect) if s.startswith("GRANT") and "elementary" in s.lower()]

    assert any("SELECT" in statement for statement in granted)
    # What GRANTs there are besides reading hand a right of PUBLIC to the role that dbt writes with.
    writing = [s for s in granted if re.search(r"INSERT|UPDATE|DELETE|ALL PRIVILEGES|CREATE|MODIFY|MANAGE", s)]
    assert writing == []


@pytest.mark.parametrize(
    ("dialect", "lasting"),
    [
        ("postgres", 'ALTER DEFAULT PRIVILEGES FOR ROLE "transformer" IN SCHEMA "elementary" GRANT SELECT ON TABLES'),
        ("redshift", 'ALTER DEFAULT PRIVILEGES FOR USER "transformer" IN SCHEMA "elementary" GRANT SELECT ON TABLES'),
        ("snowflake", 'GRANT SELECT ON FUTURE TABLES IN SCHEMA "DBT"."ELEMENTARY" TO ROLE "ELEMENTARY_READER"'),
        ("bigquery", "GRANT `roles/bigquery.dataViewer` ON SCHEMA `acme-dbt`.`elementary`"),
        ("databricks", "GRANT SELECT ON SCHEMA `dbt`.`elementary` TO `elementary_reader`"),
        ("clickhouse", "GRANT SELECT ON `elementary`.* TO `elementary_reader`"),
        ("trino", 'GRANT SELECT ON SCHEMA "dbt"."elementary" TO ROLE "elementary_reader"'),
    ],
)
def test_tables_that_dbt_rebuilds_stay_readable(dialect: str, lasting: str) -> None:
    assert any(statement.startswith(lasting) for statement in bare(dialect))


NASTY = [
    'a"; DROP SCHEMA raw CASCADE; --',
    "a'; DROP SCHEMA raw CASCADE; --",
    "a`; DROP SCHEMA raw; --",
    "a\\",
    'a\\"b',
    "a\\'b",
    "a\\`b",
    "$elementary$; DROP SCHEMA raw",
    "$$",
    "%I {role} %(x)s",
    '"',
    "/* a",
    "ünïcødé 🦆",
]


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("field", ["role", "user", "schema", "database", "dbt_role"])
@pytest.mark.parametrize(
    "dialect", ["snowflake", "postgres", "redshift", "databricks", "clickhouse", "trino", "duckdb"]
)
def test_a_name_cannot_break_out(dialect: str, field: str, name: str) -> None:
    plain = [shape(dialect, statement) for statement in bare(dialect)]

    nasty = [shape(dialect, statement) for statement in bare(dialect, **{field: name})]

    assert nasty == plain


def shape(dialect: str, statement: str) -> list[str]:
    """Return a statement's words, those of bodies in dollar quotes included, with every name and literal replaced."""
    words = []
    for token in sqlglot.tokenize(statement, read="postgres" if dialect == "redshift" else dialect):
        kind = token.token_type.name
        if kind == "HEREDOC_STRING":
            words += shape(dialect, token.text)
        else:
            words.append("?" if kind in ("IDENTIFIER", "STRING") else token.text.upper())
    return words


@pytest.mark.parametrize("value", ["", " ", "a\nb", "a\rb", "a\0b", "a\u2028b", "a\x1bb"])
@pytest.mark.parametrize("field", ["role", "user", "schema", "database", "dbt_role", "warehouse"])
def test_a_name_with_control_characters_is_refused(field: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{field} .* is empty or has control characters"):
        statements("snowflake", **{field: value})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_address_that_is_none_is_refused(dialect: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an IP address or CIDR range"):
        statements(dialect, network=["10.0.0.0/8')"])


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "duckdb"])
def test_the_network_is_limited_or_a_comment_says_how(dialect: str) -> None:
    assert "192.0.2.0/24" in "\n".join(statements(dialect, network=["192.0.2.0/24"]))


def test_a_warehouse_without_grants_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"No grants are known for 'oracle'\. Known: snowflake"):
        statements("oracle")


@pytest.mark.parametrize(
    ("dialect", "field"),
    [
        ("snowflake", "database"),
        ("snowflake", "warehouse"),
        ("redshift", "database"),
        ("redshift", "dbt_role"),
        ("bigquery", "database"),
        ("databricks", "database"),
        ("trino", "database"),
        ("athena", "warehouse"),
    ],
)
def test_what_a_warehouse_cannot_do_without_is_asked_for(dialect: str, field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Grants on {dialect} need {field}, "):
        statements(dialect, **{field: None})


class TestSnowflake:
    def test_the_user_is_a_service_with_a_key_pair_and_no_secondary_roles(self) -> None:
        created = bare("snowflake", public_key=PEM)[1]

        assert created == (
            'CREATE USER IF NOT EXISTS "ELEMENTARY_AIRFLOW"\n'
            "  TYPE = SERVICE\n"
            '  DEFAULT_ROLE = "ELEMENTARY_READER"\n'
            '  DEFAULT_WAREHOUSE = "WH"\n'
            '  DEFAULT_NAMESPACE = "DBT"."ELEMENTARY"\n'
            "  DEFAULT_SECONDARY_ROLES = ()\n"
            "  RSA_PUBLIC_KEY = 'MIIBIjANBgkqhkiG';"
        )

    def test_secondary_roles_are_switched_off_for_a_user_that_exists(self) -> None:
        assert 'ALTER USER "ELEMENTARY_AIRFLOW" SET DEFAULT_SECONDARY_ROLES = ();' in bare("snowflake")

    def test_what_stays_open_through_public_is_listed(self) -> None:
        assert bare("snowflake")[-2:] == ["SHOW GRANTS TO ROLE PUBLIC;", "SHOW FUTURE GRANTS TO ROLE PUBLIC;"]

    def test_a_private_key_is_refused_and_not_repeated(self) -> None:
        with pytest.raises(ConfigurationError) as refusal:
            statements("snowflake", public_key="-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----")

        assert "MIIEvQIBADAN" not in str(refusal.value)

    @pytest.mark.parametrize("key", ["MIIB'; DROP USER admin", "", "not a key!"])
    def test_what_is_no_key_is_refused(self, key: str) -> None:
        with pytest.raises(ConfigurationError, match="The public key is not in PEM or base64"):
            statements("snowflake", public_key=key)

    @pytest.mark.parametrize(
        ("name", "quoted"),
        [
            ("reader", '"READER"'),
            ("Reader_1$", '"READER_1$"'),
            ('"reader"', '"reader"'),
            ('"re""ader"', '"re""ader"'),
            ("elementary-reader", '"elementary-reader"'),
            ('re"ader', '"re""ader"'),
            ('"a"; DROP ROLE b; --"', '"""a""; DROP ROLE b; --"""'),
        ],
    )
    def test_names_are_folded_as_snowflake_folds_them(self, name: str, quoted: str) -> None:
        assert bare("snowflake", role=name)[0] == f"CREATE ROLE IF NOT EXISTS {quoted};"

    def test_a_network_policy_is_made_and_given_to_the_user(self) -> None:
        assert bare("snowflake", network=["10.0.0.0/8", "192.0.2.7"])[-5:-2] == [
            'CREATE NETWORK RULE IF NOT EXISTS "DBT"."ELEMENTARY"."ELEMENTARY_AIRFLOW_NETWORK"\n'
            "  TYPE = IPV4\n  MODE = INGRESS\n  VALUE_LIST = ('10.0.0.0/8', '192.0.2.7');",
            'CREATE NETWORK POLICY IF NOT EXISTS "ELEMENTARY_AIRFLOW_NETWORK" ALLOWED_NETWORK_RULE_LIST = '
            """('"DBT"."ELEMENTARY"."ELEMENTARY_AIRFLOW_NETWORK"');""",
            'ALTER USER "ELEMENTARY_AIRFLOW" SET NETWORK_POLICY = "ELEMENTARY_AIRFLOW_NETWORK";',
        ]


class TestPostgres:
    def test_a_name_that_postgresql_would_truncate_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="longer than 63 bytes"):
            statements("postgres", role="r" * 64)

    def test_a_user_that_is_its_own_role_is_made_once(self) -> None:
        made = bare("postgres", user="elementary_reader")

        assert [s for s in made if "CREATE ROLE" in s] == made[:1]
        assert 'GRANT "elementary_reader" TO "elementary_reader";' not in made


class TestClickHouse:
    def test_a_user_without_a_key_cannot_log_in_yet(self) -> None:
        assert "HOST NONE" in bare("clickhouse")[1]

    def test_a_key_and_a_network_are_part_of_the_user(self) -> None:
        assert bare("clickhouse", public_key=SSH_KEY, network=["10.0.0.0/8"])[1] == (
            "CREATE USER IF NOT EXISTS `elementary_airflow` IDENTIFIED WITH ssh_key BY KEY "
            "'AAAAC3NzaC1lZDI1NTE5AAAAIB' TYPE 'ssh-ed25519' HOST IP '10.0.0.0/8' SETTINGS readonly = 2;"
        )

    def test_create_table_is_not_granted(self) -> None:
        assert "CREATE TABLE" not in "".join(statements("clickhouse"))


class TestBigQuery:
    def test_data_viewer_is_bound_on_the_dataset_and_job_user_on_the_project(self) -> None:
        (statement,) = statements("bigquery")

        assert "gcloud projects add-iam-policy-binding acme-dbt" in statement
        assert "--role=roles/bigquery.jobUser" in statement
        assert statement.endswith(
            "GRANT `roles/bigquery.dataViewer` ON SCHEMA `acme-dbt`.`elementary` "
            'TO "serviceAccount:airflow@acme-dbt.iam.gserviceaccount.com";'
        )

    @pytest.mark.parametrize(
        "change", [{"user": "somebody"}, {"database": "a b"}, {"schema": "a`b"}, {"user": 'a"@b.gserviceaccount.com'}]
    )
    def test_what_bigquery_would_not_take_is_refused(self, change: dict[str, str]) -> None:
        with pytest.raises(ConfigurationError, match="as the console shows it"):
            statements("bigquery", **change)


class TestTrino:
    def test_the_rules_of_file_based_access_control_are_json(self) -> None:
        comment = next(line for line in statements("trino")[0].splitlines() if line.startswith("--   {"))

        rules = json.loads(comment.removeprefix("--   "))

        assert rules["tables"][0]["privileges"] == ["SELECT"]
        assert rules["tables"][1] == {"user": "elementary_airflow", "privileges": []}


class TestAthena:
    def rules(self, **changes: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(bare("athena", **changes)[0])["Statement"]
        return found

    def test_the_policy_names_one_workgroup_and_one_database_and_changes_nothing_else(self) -> None:
        actions = {action for rule in self.rules() for action in [rule["Action"]] if isinstance(action, str)}
        actions |= {action for rule in self.rules() if isinstance(rule["Action"], list) for action in rule["Action"]}
        resources = [rule["Resource"] for rule in self.rules()]

        assert resources[0] == "arn:aws:athena:<region>:<account>:workgroup/wh"
        assert resources[1][1:] == [
            "arn:aws:glue:<region>:<account>:database/elementary",
            "arn:aws:glue:<region>:<account>:table/elementary/*",
        ]
        assert not any("*" in action for action in actions)
        assert {action for action in actions if re.search(r"Put|Create|Update|Delete", action)} == {"s3:PutObject"}
        assert {rule["Resource"] for rule in self.rules() if "s3:PutObject" in rule["Action"]} == {
            "arn:aws:s3:::<result bucket>/<prefix>/*"
        }

    @pytest.mark.parametrize("name", ["*", "elem?", "${aws:username}", 'a"b', "a/b", "ünï"])
    @pytest.mark.parametrize("field", ["schema", "warehouse"])
    def test_a_name_that_a_policy_reads_as_a_pattern_is_refused(self, field: str, name: str) -> None:
        with pytest.raises(ConfigurationError, match="characters that a policy would read as a pattern"):
            statements("athena", **{field: name})


class TestDuckDB:
    def test_the_schema_moves_to_a_file_of_its_own(self) -> None:
        made = bare("duckdb", database=None)

        assert made[:2] == [
            "ATTACH IF NOT EXISTS 'elementary.duckdb' AS elementary_only;",
            'CREATE SCHEMA IF NOT EXISTS elementary_only."elementary";',
        ]
        assert 'CREATE TABLE elementary_only."elementary".dbt_models AS FROM "elementary".dbt_models;' in made


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_harden_nothing_of_others_changes_and_what_stays_open_is_said(dialect: str) -> None:
    assert not any(re.search(r"FROM PUBLIC|REVOKE", statement) for statement in bare(dialect))
    if dialect in ("postgres", "redshift"):
        assert any("tays open" in statement for statement in statements(dialect))


@pytest.mark.parametrize("dialect", ["postgres", "redshift"])
def test_harden_adds_statements_that_say_what_changes_for_others_and_how_to_undo_it(dialect: str) -> None:
    added = [statement for statement in statements(dialect, harden=True) if statement not in statements(dialect)]
    taking = [statement for statement in added if "FROM PUBLIC" in statement]

    assert len(taking) == 2
    assert all("-- Changes for others: " in statement and "-- Undo: " in statement for statement in taking)


def test_snowflakes_statements_say_which_role_runs_them_and_how_to_make_a_key_pair() -> None:
    text = "\n".join(statements("snowflake", network=["10.0.0.0/8"], public_key=None))

    assert [text.count(f"-- Run as {role}") for role in ("USERADMIN", "SECURITYADMIN", "the owner")] == [1, 3, 1]
    assert "openssl genrsa" in text
    assert "openssl rsa" in text
