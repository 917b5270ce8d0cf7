"""Creates grants for Databricks."""

from __future__ import annotations

from airflow_provider_elementary.access.grants.request import GrantRequest, commented
from airflow_provider_elementary.quoting import identifier


def statements(reader: GrantRequest) -> list[str]:
    """Return the statements; run them as the owner of the catalog."""
    group = identifier(reader.role, "databricks")
    catalog = identifier(reader.require("database", "databricks", "the catalog that holds the schema"), "databricks")
    schema = f"{catalog}.{identifier(reader.schema, 'databricks')}"
    return [
        commented(
            f"GRANT USE CATALOG ON CATALOG {catalog} TO {group};",
            f"First, in the account console: make the group {reader.role} with one member, the service principal",
            f"{reader.user}, with an OAuth secret and CAN USE on one SQL warehouse. SQL can do neither.",
            *_network(reader),
        ),
        f"GRANT USE SCHEMA ON SCHEMA {schema} TO {group};",
        commented(
            f"GRANT SELECT ON SCHEMA {schema} TO {group};",
            "A privilege on the schema covers tables that dbt builds later, no matter who owns them.",
        ),
    ]


def _network(reader: GrantRequest) -> list[str]:
    if not reader.network:
        return []
    return [f"Allow only {', '.join(reader.network)} in the workspace's IP access list."]
