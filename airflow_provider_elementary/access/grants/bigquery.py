"""Creates grants for BigQuery."""

from __future__ import annotations

import re
import shlex

from airflow_provider_elementary.access.grants.request import GrantRequest, commented
from airflow_provider_elementary.exceptions import ConfigurationError

_PROJECT = re.compile(r"[a-z][a-z0-9.:-]{4,61}[a-z0-9]")
_DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9.-]*@[a-z0-9][a-z0-9.-]*\.gserviceaccount\.com")


def statements(reader: GrantRequest) -> list[str]:
    """Return the one GRANT that SQL can express; the binding on the project stands before it as a command."""
    project = _fitting(_PROJECT, "database", reader.require("database", "bigquery", "the project"), "a project id")
    dataset = _fitting(_DATASET, "schema", reader.schema, "a dataset of letters, digits and underscores")
    account = _fitting(_SERVICE_ACCOUNT, "user", reader.user, "a service account's e-mail address")
    member = f"serviceAccount:{account}"
    return [
        commented(
            f'GRANT `roles/bigquery.dataViewer` ON SCHEMA `{project}`.`{dataset}` TO "{member}";',
            f"Google's own roles take the place of {reader.role}. SQL cannot bind on a project; in a shell:",
            f"  gcloud projects add-iam-policy-binding {shlex.quote(project)} --member={shlex.quote(member)} "
            "--role=roles/bigquery.jobUser --condition=None",
            "Never bind Data Viewer on the project, which reads every dataset: the dataset's binding covers what dbt",
            "builds later.",
            *_network(reader),
        )
    ]


def _fitting(pattern: re.Pattern[str], field: str, value: str, expected: str) -> str:
    if not pattern.fullmatch(value):
        raise ConfigurationError(f"{field} {value!r} is not {expected}. Write it as the console shows it.")
    return value


def _network(reader: GrantRequest) -> list[str]:
    if not reader.network:
        return []
    return [f"To admit only {', '.join(reader.network)}, put the project into a VPC Service Controls perimeter."]
