"""Creates the IAM policy of a reader on Athena."""

from __future__ import annotations

import json
import re

from airflow_provider_elementary.access.grants.request import GrantRequest, commented
from airflow_provider_elementary.exceptions import ConfigurationError

#: What Glue and Athena allow in these names; in a policy `*` and `?` would match others, and `${` a variable.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def statements(reader: GrantRequest) -> list[str]:
    """Return one policy document; buckets, region and account stand in it as ``<…>``."""
    schema = _fitting("schema", reader.schema)
    workgroup = _fitting("warehouse", reader.require("warehouse", "athena", "the workgroup"))
    return [
        commented(
            json.dumps(_policy(reader, schema, workgroup), indent=2),
            f"A policy for the IAM role {reader.role}, which {reader.user} logs in as. Athena has no grants in SQL.",
            "Replace each <…>: region, account, the location of Elementary's tables, and that of the query results.",
            "Let the workgroup enforce its result location, and keep that bucket for this workgroup alone.",
            "Where Lake Formation governs the catalog, grant the role DESCRIBE and SELECT on this database there.",
            "dbt's later tables are covered while they stay in this database and below this location.",
        )
    ]


def _policy(reader: GrantRequest, schema: str, workgroup: str) -> dict[str, object]:
    glue = "arn:aws:glue:<region>:<account>:"
    data, results = "arn:aws:s3:::<data bucket>", "arn:aws:s3:::<result bucket>"
    rules: list[dict[str, object]] = [
        {
            "Sid": "RunQueries",
            "Action": [
                "athena:StartQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:StopQueryExecution",
            ],
            "Resource": f"arn:aws:athena:<region>:<account>:workgroup/{workgroup}",
        },
        {
            "Sid": "ReadTheCatalogOfOneDatabase",
            "Action": [
                "glue:GetDatabase",
                "glue:GetDatabases",
                "glue:GetTable",
                "glue:GetTables",
                "glue:GetPartitions",
            ],
            "Resource": [f"{glue}catalog", f"{glue}database/{schema}", f"{glue}table/{schema}/*"],
        },
        {"Sid": "ReadTheTables", "Action": "s3:GetObject", "Resource": f"{data}/<prefix>/*"},
        {
            "Sid": "ListTheTables",
            "Action": "s3:ListBucket",
            "Resource": data,
            "Condition": {"StringLike": {"s3:prefix": "<prefix>/*"}},
        },
        {
            "Sid": "KeepQueryResults",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            "Resource": f"{results}/<prefix>/*",
        },
        {"Sid": "FindTheBuckets", "Action": "s3:GetBucketLocation", "Resource": [data, results]},
    ]
    allowed: list[dict[str, object]] = [{"Effect": "Allow", **rule} for rule in rules]
    if reader.network:
        # Athena reads S3 and Glue for the caller, from addresses of its own.
        allowed[0]["Condition"] = {"IpAddress": {"aws:SourceIp": list(reader.network)}}
    return {"Version": "2012-10-17", "Statement": allowed}


def _fitting(field: str, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ConfigurationError(
            f"{field} {value!r} has characters that a policy would read as a pattern. Use letters, digits, _, . and -."
        )
    return value
