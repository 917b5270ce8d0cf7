"""Names the seven categories of the Elementary schema."""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """What kind of information a table, a row or a column is; each is in or out of a snapshot by choice.

    The names are those of Elementary Cloud's security page.
    """

    METADATA = "metadata"
    CONFIGURATION = "configuration"
    RUN_RESULTS = "run_results"
    QUERY_LOGS = "query_logs"
    TABLE_METRICS = "table_metrics"
    AGGREGATED_METRICS = "aggregated_metrics"
    FAILED_ROWS_SAMPLE = "failed_rows_sample"

    @property
    def label(self) -> str:
        """The name as a person reads it: ``Failed rows sample``."""
        return self.value.replace("_", " ").capitalize()


class Sensitivity(StrEnum):
    """Why a column needs care even where its category is synced."""

    RAW_VALUES = "raw values"
    """May quote values of the monitored tables: samples, dimension values, database errors."""
    SQL_TEXT = "SQL text"
    """Statements or expressions, with their literals and comments."""
    SECRETS = "secrets"
    """Whatever was passed to dbt by ``--vars``."""
    PERSONAL = "personal"
    """Names and e-mail addresses of owners and users."""
