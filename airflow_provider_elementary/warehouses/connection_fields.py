"""Describes the fields of the connection forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FormField:
    """One extra field of a connection form. Airflow masks secret values by the field's name.

    :param name: its key in the connection's extra.
    :param label: its label in the form of one warehouse.
    :param description: the help text below it.
    :param is_secret: the form hides what is typed.
    :param is_flag: a tick box.
    :param choices: the values that it accepts; empty: any text.
    """

    name: str
    label: str
    description: str
    is_secret: bool = False
    is_flag: bool = False
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema that Airflow's form uses; every field may stay empty."""
        if self.is_flag:
            return {"type": ["boolean", "null"]}
        schema: dict[str, Any] = {"type": ["string", "null"]}
        if self.is_secret:
            schema["format"] = "password"
        if self.choices:
            schema["enum"] = list(self.choices)
        return schema


@dataclass(frozen=True)
class ConnectionForm:
    """The form of one warehouse's connection type.

    :param hidden: the standard fields of Airflow that this warehouse does not use.
    :param labels: what the other standard fields mean.
    :param placeholders: examples for them.
    :param fields: the extra fields of this warehouse, in the order of the form.
    :param asks_database: the database that holds the Elementary schema is an extra field.
    """

    hidden: tuple[str, ...] = ("schema",)
    labels: tuple[tuple[str, str], ...] = (("login", "User of the read-only role"),)
    placeholders: tuple[tuple[str, str], ...] = (("host", "warehouse.example.com"), ("login", "elementary_reader"))
    fields: tuple[FormField, ...] = ()
    asks_database: bool = True


KIND = "warehouse_kind"
DATABASE = FormField(
    "elementary_database", "Elementary database", "The database, catalog or project that holds the Elementary schema."
)
SCHEMA = FormField(
    "elementary_schema", "Elementary schema", "The schema that Elementary's dbt package writes. Default: elementary."
)
#: After the fields of the warehouse itself.
CHECKS = (
    FormField(
        "allowed_addresses",
        "Allowed client addresses",
        "Addresses or networks, separated by commas, that the warehouse may see the worker come from. The access check "
        "fails on any other.",
    ),
    FormField(
        "accept_unknown",
        "Checks that may stay unknown",
        "Names of access checks that this warehouse cannot answer, separated by commas.",
    ),
    FormField(
        "accept_failed",
        "Failed checks that are accepted",
        'Reasons by check, as JSON: {"other-databases": "shared cluster, agreed with its owner"}. The report keeps '
        "each as a warning.",
    ),
)
#: Extra fields that this package reads itself: no driver gets them.
OWN_FIELDS = frozenset({KIND, DATABASE.name, SCHEMA.name, "read_timeout", *(field.name for field in CHECKS)})

SNOWFLAKE = (
    FormField("account", "Account", "The account identifier, without .snowflakecomputing.com."),
    FormField("role", "Role", "The dedicated role that reads the Elementary schema and nothing else."),
    FormField("warehouse", "Virtual warehouse", "The virtual warehouse that runs the queries; the smallest is enough."),
    FormField(
        "private_key_content",
        "Private key",
        "The user's private key, as PEM text or in base64. Stored encrypted and never shown again.",
        is_secret=True,
    ),
    FormField(
        "private_key_file",
        "File of the private key",
        "Path of the user's private key (PEM) on every worker, instead of its content.",
    ),
    FormField(
        "authenticator",
        "Authenticator",
        "Only for a login without password or key: oauth, WORKLOAD_IDENTITY, PROGRAMMATIC_ACCESS_TOKEN.",
    ),
)
_TLS = "Default: verify-full. Weaker modes fail the access check."
IAM = FormField("iam", "IAM", "Log in with a token from AWS IAM instead of a password.", is_flag=True)
POSTGRES = (
    FormField(
        "sslmode",
        "TLS",
        _TLS,
        choices=("verify-full", "verify-ca", "require", "prefer", "allow", "disable"),
    ),
    FormField(
        "sslrootcert",
        "Certificate authority",
        "Path of the authority's certificate (PEM) on every worker, and on the API server for the Test button. "
        "Default: the public authorities.",
    ),
    IAM,
)
#: Redshift's driver knows no other mode and brings Amazon's authorities itself.
REDSHIFT_TLS = FormField("sslmode", "TLS", _TLS, choices=("verify-full", "verify-ca"))
REDSHIFT = (
    REDSHIFT_TLS,
    IAM,
    FormField("cluster_identifier", "Cluster", "With IAM: the identifier of the cluster."),
)
BIGQUERY = (
    FormField("project", "Project", "The project that runs the queries."),
    FormField(
        "keyfile_dict",
        "Key of the service account",
        "The key as JSON. Stored encrypted and never shown again. Without it: the credentials of the machine.",
        is_secret=True,
    ),
    FormField("key_path", "File of the key", "Path of the key (JSON) on every worker, instead of its content."),
    FormField("location", "Location", "The location of the dataset, as in EU."),
)
CLICKHOUSE = (FormField("secure", "TLS", "Use HTTPS. Without it the access check fails.", is_flag=True),)
DATABRICKS = (FormField("http_path", "HTTP path", "The HTTP path of the SQL warehouse that runs the queries."),)
TRINO = (
    FormField("catalog", "Catalog", "The catalog that the session begins in."),
    FormField(
        "protocol",
        "Protocol",
        "https, or http without TLS, which is Airflow's default and fails the access check.",
        choices=("https", "http"),
    ),
)
ATHENA = (
    FormField("region_name", "AWS region", "The region of Athena and of the data catalog."),
    FormField("work_group", "Workgroup", "The workgroup that runs the queries."),
    FormField("s3_staging_dir", "Result location", "The S3 address that Athena writes query results to."),
)
