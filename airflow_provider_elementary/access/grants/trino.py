"""Creates grants for Trino."""

from __future__ import annotations

import json
import re

from airflow_provider_elementary.access.grants.request import GrantRequest, commented
from airflow_provider_elementary.quoting import identifier


def statements(reader: GrantRequest) -> list[str]:
    """Return the statements for a connector with roles; the rules for all others stand before them."""
    catalog_name = reader.require("database", "trino", "the catalog that holds the schema")
    catalog, role, user = (
        identifier(catalog_name, "trino"),
        identifier(reader.role, "trino"),
        identifier(reader.user, "trino"),
    )
    schema = f"{catalog}.{identifier(reader.schema, 'trino')}"
    return [
        commented(
            f"GRANT SELECT ON SCHEMA {schema} TO ROLE {role};",
            f"Once, since Trino knows no IF NOT EXISTS here: CREATE ROLE {role} IN {catalog};",
            "Where the connector has no roles (access-control.name=file), these rules, above wider ones, do the same:",
            f"  {json.dumps(_rules(reader, catalog_name), ensure_ascii=True)}",
            *_network(reader),
        ),
        f"GRANT {role} TO USER {user} IN {catalog};",
    ]


def _rules(reader: GrantRequest, catalog: str) -> dict[str, object]:
    # Trino matches the patterns against whole names.
    user = re.escape(reader.user)
    return {
        "catalogs": [
            {"user": user, "catalog": re.escape(catalog), "allow": "read-only"},
            {"user": user, "allow": "none"},
        ],
        "schemas": [{"user": user, "owner": False}],
        "tables": [
            {
                "user": user,
                "catalog": re.escape(catalog),
                "schema": re.escape(reader.schema),
                "privileges": ["SELECT"],
            },
            {"user": user, "privileges": []},
        ],
    }


def _network(reader: GrantRequest) -> list[str]:
    if not reader.network:
        return []
    return [f"Allow only {', '.join(reader.network)} in front of the coordinator: Trino knows no user's network."]
