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
    "accept_unknown": {
        "label": "Checks that may stay unknown",
        "description": "Names of access checks that this warehouse cannot answer, separated by commas. A failed check "
        "always stops.",
        "schema": _OPTIONAL_TEXT,
    },
    "iam": {
        "label": "Postgres, Redshift: IAM",
        "description": "Log in with a token from AWS IAM instead of a password.",
        "schema": {"type": ["boolean", "null"]},
    },
}

_CATEGORIES = (
    "metadata",
    "configuration",
    "run_results",
    "query_logs",
    "table_metrics",
    "aggregated_metrics",
    "failed_rows_sample",
)
_OPTIONAL_NAMES = {"type": ["null", "array"], "items": {"type": "string"}}
_OPTIONAL_COUNT = {"type": ["null", "integer"], "minimum": 0}

#: What may leave the warehouse: fields of the form of a store, and options of ``[elementary]`` for stores that say
#: nothing of it.
POLICY_FIELDS: dict[str, dict[str, Any]] = {
    "categories": {
        "label": "Policy: categories",
        "description": "One a line: what snapshots take, out of "
        + ", ".join(_CATEGORIES)
        + ". All but query_logs where "
        "nothing is said.",
        "schema": {"type": ["null", "array"], "items": {"enum": list(_CATEGORIES)}, "examples": list(_CATEGORIES)},
    },
    "failed_rows_per_test": {
        "label": "Policy: failed rows per test",
        "description": "Sampled rows of one failed test that are taken at most; 0 takes none, 5 where nothing is said.",
        "schema": _OPTIONAL_COUNT,
    },
    "failed_rows_days": {
        "label": "Policy: days of failed rows",
        "description": "Sampled rows older than this are excluded; 30 days where nothing is said.",
        "schema": _OPTIONAL_COUNT,
    },
    "failed_rows_excluded_tables": {
        "label": "Policy: tables without failed rows",
        "description": "One a line: a full name as in ANALYTICS.CORE.CUSTOMERS, or an id as in model.shop.customers.",
        "schema": _OPTIONAL_NAMES,
    },
    "masked_columns": {
        "label": "Policy: masked columns",
        "description": "One a line, as in dbt_models.owner: every value becomes ***. Variables given to dbt always do.",
        "schema": _OPTIONAL_NAMES,
    },
    "hashed_columns": {
        "label": "Policy: hashed columns",
        "description": "One a line, as in data_monitoring_metrics.dimension_value: equal values stay equal, and none "
        "can be read.",
        "schema": _OPTIONAL_NAMES,
    },
    "dropped_columns": {
        "label": "Policy: columns that are not read",
        "description": "One a line, as in dbt_models.description: a table of the Elementary schema, a dot, a column.",
        "schema": _OPTIONAL_NAMES,
    },
    "without_raw_values": {
        "label": "Policy: nothing that quotes your data",
        "description": "Takes no failed rows, no SQL, no database errors and no minimum or maximum of a column, and "
        "hashes dimension values.",
        "schema": {"type": ["null", "boolean"]},
    },
    "full_every_days": {
        "label": "Policy: days between full snapshots",
        "description": "Others add what is new since the one before; 0: each one is full, 7 where nothing is said.",
        "schema": {"type": ["null", "number"], "minimum": 0},
    },
}

#: The standard fields of the form of a store.
STORE_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["host", "schema", "port"],
    "relabeling": {"login": "Own AWS access key id", "password": "Own AWS secret access key"},
    "placeholders": {
        "login": "empty with an AWS connection or the machine's own role",
        "password": "empty with an AWS connection or the machine's own role",
    },
}

#: The further fields of the form of a store. Airflow masks what is secret by these very names.
STORE_CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "uri": {
        "label": "Store",
        "description": "s3://bucket/prefix, or file:///directory on the worker.",
        "schema": {"type": "string", "pattern": "^(s3://[a-z0-9]|file:///).+"},
    },
    "aws_conn_id": {
        "label": "S3: AWS connection",
        "description": "For S3 and KMS. Without it: the access key above, else the credentials of the machine.",
        "schema": _OPTIONAL_TEXT,
    },
    "kms_key_id": {
        "label": "S3: KMS key",
        "description": "Id, ARN or alias: encrypts objects on the server, and is the master key of every category.",
        "schema": _OPTIONAL_TEXT,
    },
    "category_kms_key_ids": {
        "label": "S3: KMS keys of categories",
        "description": "One a line, as in failed_rows_sample=alias/samples. A role that may not use that key cannot "
        "read that category.",
        "schema": _OPTIONAL_NAMES,
    },
    "secret_keys": {
        "label": "Local master keys",
        "description": "What `airflow-elementary keys generate` prints. For a local store, or S3 without KMS. Stored "
        "encrypted and never shown again.",
        "schema": _OPTIONAL_SECRET,
    },
    "keys_file": {
        "label": "File of the local master keys",
        "description": "Its path on every worker, and on the API server for the Elementary page; instead of the keys "
        "themselves.",
        "schema": _OPTIONAL_TEXT,
    },
    "signing_kms_key_id": {
        "label": "KMS key that signs",
        "description": "Signs each snapshot, so that nobody else can add one unnoticed. While one key replaces "
        "another: both, the new one first, with a comma between them.",
        "schema": _OPTIONAL_TEXT,
    },
    **POLICY_FIELDS,
    "region_name": {
        "label": "S3: region",
        "description": "With the store's own access key: the AWS region.",
        "schema": _OPTIONAL_TEXT,
    },
    "endpoint_url": {
        "label": "S3: endpoint",
        "description": "With the store's own access key: an https address, where it is not AWS's own.",
        "schema": _OPTIONAL_TEXT,
    },
    "verify": {
        "label": "S3: certificate authority",
        "description": "With the store's own access key: path of the authority's certificate (PEM) on every worker.",
        "schema": _OPTIONAL_TEXT,
    },
    "server_side_encryption": {
        "label": "S3: server-side encryption",
        "description": "aws:kms where nothing is said. AES256, S3's own keys, needs local master keys.",
        "schema": {"type": ["string", "null"], "enum": ["aws:kms", "AES256"]},
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
            "incidents",
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
            },
            {
                "connection-type": "elementary_store",
                "hook-class-name": "airflow_provider_elementary.hooks.store.ElementaryStoreHook",
                "hook-name": "Elementary store",
                "ui-field-behaviour": STORE_FIELD_BEHAVIOUR,
                "conn-fields": STORE_CONNECTION_FIELDS,
            },
        ],
        "extra-links": [
            "airflow_provider_elementary.links.elementary.ElementaryPageLink",
            "airflow_provider_elementary.links.elementary.ElementaryBacktestLink",
            "airflow_provider_elementary.links.elementary.ElementaryManifestLink",
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
                "description": "The Elementary page in Airflow's UI, lineage, and what may leave the warehouse.",
                "options": {
                    "stores": {
                        "description": "The connections of type elementary_store that the page shows, separated by "
                        "commas, and that the forms of the example DAGs suggest. A connection without keys shows "
                        "manifests only; the page never reads the warehouse.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "elementary_store_default, elementary_store_archive",
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
                    **{
                        name: {
                            "description": f"For stores whose connection does not say it. {field['description']} "
                            "Several with commas between them.",
                            "version_added": "0.1.0",
                            "type": "string",
                            "example": None,
                            "default": "",
                        }
                        for name, field in POLICY_FIELDS.items()
                    },
                },
            }
        },
    }


def _modules(kind: str, *names: str) -> list[dict[str, Any]]:
    modules = [f"airflow_provider_elementary.{kind}.{name}" for name in names]
    return [{"integration-name": _INTEGRATION, "python-modules": modules}]
