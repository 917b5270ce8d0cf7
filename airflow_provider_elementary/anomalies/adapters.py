"""What the same rule computes otherwise on some of dbt's adapters."""

from __future__ import annotations

from collections.abc import Mapping

#: The standard deviation that each adapter computes; every other one computes ``sample``.
STANDARD_DEVIATIONS: Mapping[str, str] = {
    "clickhouse": "population",
    "dremio": "population",
    "vertica": "sample, 6 digits",
}

#: Adapters whose sums of squares are added up as PostgreSQL does it, by Youngs and Cramer.
YOUNGS_CRAMER = frozenset({"postgres"})

#: Adapters whose weeks begin on a Sunday: BigQuery's do always, those of SQL Server under its usual ``DATEFIRST``.
SUNDAY_WEEKS = frozenset({"bigquery", "sqlserver", "fabric"})

#: Adapters that sort rows without an end before all others.
NULLS_FIRST = frozenset({"bigquery", "databricks", "spark", "fabricspark", "sqlserver", "fabric"})
