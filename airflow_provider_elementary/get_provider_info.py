"""What Airflow discovers of this provider: plain facts. Every Airflow process reads them, so nothing is imported."""

from __future__ import annotations

from typing import Any

_OPTIONAL_TEXT = {"type": ["string", "null"]}
_OPTIONAL_SECRET = {"type": ["string", "null"], "format": "password"}

#: The standard fields of the form of an ``elementary`` connection. Airflow 3.2 and later read the keys in kebab-case
#: and ignore any other spelling.
UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    # The extra fields below name the schema and the database of every kind of warehouse alike.
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "Host (DuckDB: path of the file)",
        "login": "User of the read-only role",
        "password": "Password, or passphrase of the private key",
    },
    "placeholders": {
        "host": "warehouse.example.com; empty for Snowflake",
        "port": "5432; empty for Snowflake and DuckDB",
        "login": "ELEMENTARY_READER",
    },
}

#: The further fields of the form, kept in the connection's extra. Airflow masks what is secret by these very names.
CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "warehouse_kind": {
        "label": "Kind of warehouse",
        "description": "For any other warehouse, use a connection of that warehouse's own type instead.",
        "schema": {"type": "string", "enum": ["snowflake", "postgres", "redshift", "duckdb"]},
    },
    "elementary_schema": {
        "label": "Elementary schema",
        "description": "The schema that Elementary's dbt package writes; elementary where nothing is said.",
        "schema": _OPTIONAL_TEXT,
    },
    "elementary_database": {
        "label": "Elementary database",
        "description": "The database that holds the Elementary schema; not for DuckDB, whose file is the database.",
        "schema": _OPTIONAL_TEXT,
    },
    "allowed_addresses": {
        "label": "Allowed client addresses",
        "description": "Addresses or networks, separated by commas, that the warehouse may see us come from; the "
        "access check fails on any other.",
        "schema": _OPTIONAL_TEXT,
    },
    "account": {
        "label": "Snowflake: account",
        "description": "The account identifier, without .snowflakecomputing.com.",
        "schema": _OPTIONAL_TEXT,
    },
    "role": {
        "label": "Snowflake: role",
        "description": "The dedicated role that reads the Elementary schema and nothing else.",
        "schema": _OPTIONAL_TEXT,
    },
    "warehouse": {
        "label": "Snowflake: virtual warehouse",
        "description": "The virtual warehouse that runs the queries; the smallest is enough.",
        "schema": _OPTIONAL_TEXT,
    },
    "private_key_content": {
        "label": "Snowflake: private key",
        "description": "The user's private key, as PEM text or in base64. Stored encrypted and never shown again.",
        "schema": _OPTIONAL_SECRET,
    },
    "private_key_file": {
        "label": "Snowflake: file of the private key",
        "description": "Path of the user's private key (PEM) on every worker, instead of its content.",
        "schema": _OPTIONAL_TEXT,
    },
    "authenticator": {
        "label": "Snowflake: authenticator",
        "description": "Only where it is neither a password nor a key: oauth, WORKLOAD_IDENTITY, "
        "PROGRAMMATIC_ACCESS_TOKEN.",
        "schema": _OPTIONAL_TEXT,
    },
    "sslmode": {
        "label": "Postgres, Redshift: TLS",
        "description": "verify-full where nothing is said; the access check fails on less.",
        "schema": {
            "type": ["string", "null"],
            "enum": ["verify-full", "verify-ca", "require", "prefer", "allow", "disable"],
        },
    },
    "sslrootcert": {
        "label": "Postgres, Redshift: certificate authority",
        "description": "Path of the authority's certificate (PEM) on every worker, and on the API server for the Test "
        "button; the public authorities otherwise.",
        "schema": _OPTIONAL_TEXT,
    },
    "iam": {
        "label": "Postgres, Redshift: IAM",
        "description": "Log in with a token from AWS IAM instead of a password.",
        "schema": {"type": ["boolean", "null"]},
    },
}

_INTEGRATION = "Elementary"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata; the entry point ``apache_airflow_provider`` names this function."""
    return {
        # Any other spelling than the distribution's canonical name stops every Airflow command.
        "package-name": "airflow-provider-elementary",
        "name": "Elementary",
        "description": "The self-hosted sync for `Elementary <https://www.elementary-data.com/>`__: least-privilege "
        "reads, table metrics and anomalies, encrypted snapshots on S3.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.elementary-data.com/",
                "tags": ["service"],
            }
        ],
        "operators": _modules(
            "operators",
            "access",
            "snapshot",
            "verify",
            "restore",
            "prune",
            "diff",
            "metrics",
            "anomalies",
            "backtest",
            "alerts",
        ),
        "sensors": _modules("sensors", "invocation"),
        "hooks": _modules("hooks", "elementary", "store"),
        "triggers": _modules("triggers", "invocation"),
        "connection-types": [
            {
                "connection-type": "elementary",
                "hook-class-name": "airflow_provider_elementary.hooks.elementary.ElementaryHook",
                "hook-name": "Elementary",
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONNECTION_FIELDS,
            }
        ],
        "extra-links": [
            "airflow_provider_elementary.links.snapshot.ElementaryPageLink",
            "airflow_provider_elementary.links.snapshot.ElementaryBacktestLink",
            "airflow_provider_elementary.links.snapshot.ElementaryManifestLink",
        ],
        # For the providers page; what loads the plugin is the entry point airflow.plugins.
        "plugins": [
            {
                "name": "elementary",
                "plugin-class": "airflow_provider_elementary.plugins.elementary.ElementaryPlugin",
            }
        ],
        "config": {
            "elementary": {
                "description": "The Elementary page in Airflow's UI, and lineage.",
                "options": {
                    "stores": {
                        "description": "The stores that the page shows, separated by commas. Without keys it "
                        "shows manifests only; it never reads the warehouse.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "s3://my-bucket/elementary, file:///srv/elementary",
                        "default": "",
                    },
                    "aws_conn_id": {
                        "description": "The AWS connection with which the page reads stores on S3; s3:ListBucket and "
                        "s3:GetObject on manifests/ are enough.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": None,
                        "default": "aws_default",
                    },
                    "keys_conn_id": {
                        "description": "The connection with the master keys of the stores, where they are local.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "elementary_keys",
                        "default": "",
                    },
                    "openlineage_namespace": {
                        "description": "The namespace of the warehouse's tables in OpenLineage events, where it is "
                        "not the one that OpenLineage's integration with dbt gives them by host, port or account: that "
                        "is taken from the connection where nothing is said.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "postgres://db.example.com:5432",
                        "default": "",
                    },
                    "kms_key_id": {
                        "description": "The KMS key of the stores on S3, with which the page opens what it shows.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "alias/elementary",
                        "default": "",
                    },
                },
            }
        },
    }


def _modules(kind: str, *names: str) -> list[dict[str, Any]]:
    modules = [f"airflow_provider_elementary.{kind}.{name}" for name in names]
    return [{"integration-name": _INTEGRATION, "python-modules": modules}]
