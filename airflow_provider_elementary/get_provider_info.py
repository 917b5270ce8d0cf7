"""Describes this provider to Airflow, without heavy imports."""

from __future__ import annotations

from typing import Any

from airflow_provider_elementary.snapshots.policy import PARAMETERS
from airflow_provider_elementary.warehouses.connection_fields import (
    CHECKS,
    DATABASE,
    KIND,
    SCHEMA,
    ConnectionForm,
    FormField,
)
from airflow_provider_elementary.warehouses.registry import CONNECTABLE

_OPTIONAL_TEXT = {"type": ["string", "null"]}
_OPTIONAL_SECRET = {"type": ["string", "null"], "format": "password"}


def standard_fields(form: ConnectionForm) -> dict[str, Any]:
    """Return the behaviour of the standard fields of a form.

    Airflow 3.2 and later read the keys in kebab-case and ignore any other spelling.
    """
    return {
        "hidden-fields": list(form.hidden),
        "relabeling": dict(form.labels),
        "placeholders": dict(form.placeholders),
    }


def extra_fields(form: ConnectionForm) -> dict[str, dict[str, Any]]:
    """Return the extra fields of a form, in its order."""
    names = (*form.fields, *([DATABASE] if form.asks_database else []), SCHEMA, *CHECKS)
    return {field.name: _field(field, field.label) for field in names}


def _field(field: FormField, label: str) -> dict[str, Any]:
    return {"label": label, "description": field.description, "schema": field.schema()}


def _fields_of_all() -> dict[str, dict[str, Any]]:
    """Return the extra fields of the generic form: those of every warehouse, with its name in the label."""
    users: dict[str, list[str]] = {}
    first: dict[str, FormField] = {}
    for kind in CONNECTABLE:
        for field in kind.form.fields:
            users.setdefault(field.name, []).append(kind.label)
            first.setdefault(field.name, field)
    own = {name: _field(field, f"{', '.join(users[name])}: {field.label}") for name, field in first.items()}
    common = {field.name: _field(field, field.label) for field in (DATABASE, SCHEMA)}
    choice = {
        "label": "Kind of warehouse",
        "description": "The connection types Elementary: Snowflake, Elementary: PostgreSQL, … ask only for the fields "
        "of one warehouse.",
        "schema": {"type": "string", "enum": [kind.key for kind in CONNECTABLE]},
    }
    return {KIND: choice, **own, **common, **{field.name: _field(field, field.label) for field in CHECKS}}


#: The standard fields of the form of an ``elementary`` connection.
UI_FIELD_BEHAVIOUR: dict[str, Any] = standard_fields(
    ConnectionForm(
        labels=(
            ("host", "Host (DuckDB: path of the file)"),
            ("login", "User of the read-only role"),
            ("password", "Password, or passphrase of the private key"),
        ),
        placeholders=(
            ("host", "warehouse.example.com; empty for Snowflake"),
            ("port", "5432; 0 for Snowflake and DuckDB"),
            ("login", "elementary_reader"),
        ),
    )
)
#: Its extra fields. Airflow masks what is secret by these very names.
CONNECTION_FIELDS: dict[str, dict[str, Any]] = _fields_of_all()

_OPTIONAL_NAMES = {"type": ["null", "array"], "items": {"type": "string"}}

#: What may leave the warehouse: fields of the form of a store, and options of ``[elementary]``, which are the
#: defaults of all stores.
POLICY_FIELDS: dict[str, dict[str, Any]] = {
    parameter.name: {
        "label": f"Policy: {parameter.title[0].lower()}{parameter.title[1:]}",
        "description": parameter.help,
        "schema": parameter.schema(),
    }
    for parameter in PARAMETERS
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
    "store_id": {
        "label": "Store id",
        "description": "What `airflow-elementary store init` prints. Pins the store and its signing keys: without it, "
        "nothing is written, and what is read is shown as unproved.",
        "schema": _OPTIONAL_TEXT,
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
        "description": "One a line, as in failed_rows_sample=alias/samples. Without this key, nobody can "
        "read that category.",
        "schema": _OPTIONAL_NAMES,
    },
    "former_kms_key_ids": {
        "label": "S3: KMS keys that were replaced",
        "description": "One a line. They open what they encrypted; no other KMS key is ever asked.",
        "schema": _OPTIONAL_NAMES,
    },
    "secret_keys": {
        "label": "Local keys",
        "description": "The content of a file that `airflow-elementary keys generate` writes: master keys for a local "
        "store, or S3 without KMS, and the signing key, which only a writer needs. Stored encrypted and never shown "
        "again.",
        "schema": _OPTIONAL_SECRET,
    },
    "keys_file": {
        "label": "File of the local keys",
        "description": "Its path on every worker, and on the API server for the Elementary page; instead of the keys "
        "themselves.",
        "schema": _OPTIONAL_TEXT,
    },
    "signing_kms_key_id": {
        "label": "KMS key that signs",
        "description": "Only a writer needs it: an ECC_NIST_P256 key, or a symmetric key that encrypts the signing "
        "key. Readers check signatures without KMS.",
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
        "description": "Default: aws:kms. AES256, S3's own keys, needs local master keys.",
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
        "hooks": _modules("hooks", "elementary", "store", "warehouse_types"),
        "triggers": _modules("triggers", "invocation"),
        "connection-types": [
            {
                "connection-type": "elementary",
                "hook-class-name": "airflow_provider_elementary.hooks.elementary.ElementaryHook",
                "hook-name": "Elementary",
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONNECTION_FIELDS,
            },
            *(
                {
                    "connection-type": kind.connection_type,
                    "hook-class-name": f"airflow_provider_elementary.hooks.warehouse_types.{kind.hook_class}",
                    "hook-name": kind.hook_name,
                    "ui-field-behaviour": standard_fields(kind.form),
                    "conn-fields": extra_fields(kind.form),
                }
                for kind in CONNECTABLE
            ),
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
            "airflow_provider_elementary.links.elementary.ElementaryIncidentLink",
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
                    "schedules": {
                        "description": "The schedules of the example DAGs, as a JSON object. Without it they run when "
                        "somebody triggers them, and never by themselves: Airflow's form Trigger also unpauses a DAG.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": '{"elementary_observability": "@hourly", "elementary_access_audit": "@daily"}',
                        "default": "",
                    },
                    "openlineage_namespace": {
                        "description": "The namespace of the warehouse's tables in OpenLineage events. Default: built "
                        "from the connection's host, port or account, as OpenLineage's integration with dbt does.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "postgres://db.example.com:5432",
                        "default": "",
                    },
                    "docs_url": {
                        "description": "Where this package's docs are published, for the link to what to do in each "
                        "alert. Default: what the package's metadata names as Documentation; without one, the alert "
                        "names page and section.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "https://docs.example.com/elementary",
                        "default": "",
                    },
                    "dbt_docs_url": {
                        "description": "Where the docs of the dbt project are published (dbt docs generate). With it, "
                        "the page of a table names the address of its docs.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "https://dbt-docs.example.com",
                        "default": "",
                    },
                    "dbt_code_url": {
                        "description": "Where the code of the dbt project is; {path} stands for the path of a file in "
                        "the project, and is appended where it is not named. With it, the page of a table names the "
                        "address of its code.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "https://github.com/example/shop-dbt/blob/main/{path}",
                        "default": "",
                    },
                    **{
                        parameter.name: {
                            "description": "Default of all stores; a store's connection overrides it. "
                            f"{parameter.description}{' Separate several by commas.' if parameter.is_list else ''}",
                            "version_added": "0.1.0",
                            "type": "string",
                            "example": None,
                            "default": "",
                        }
                        for parameter in PARAMETERS
                    },
                },
            }
        },
    }


def _modules(kind: str, *names: str) -> list[dict[str, Any]]:
    modules = [f"airflow_provider_elementary.{kind}.{name}" for name in names]
    return [{"integration-name": _INTEGRATION, "python-modules": modules}]
