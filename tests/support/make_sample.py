"""Makes the package's sample out of world A: rows are selected, never invented; planted values are renamed.

Run as ``python -m tests.support.make_sample [folder]``; without a folder it replaces what the package carries.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_elementary.elementary_schema import TABLES, Category, Table

ROOT = Path(__file__).parents[2]
WORLD = ROOT / ".." / "shared" / "world" / "parquet"
PACKAGED = ROOT / "airflow_provider_elementary" / "sample" / "parquet"

# What thins a table; one that is not named is taken whole.
KEPT = {
    "elementary_test_results": "created_at >= '2026-10-01'",
    "dbt_run_results": "resource_type <> 'test' OR created_at >= '2026-11-09'",
    # The scored buckets of every test that did not pass, and the rows of schema changes.
    "test_result_rows": (
        "elementary_test_results_id IN (SELECT id FROM elementary_test_results "
        "WHERE created_at >= '2026-10-01' AND status IN ('fail', 'warn'))"
    ),
}

# Neighbours that look alike compress well; the key comes last so that the order is total.
SORTED_BY = {
    "data_monitoring_metrics": (
        "full_table_name, column_name, metric_name, dimension, dimension_value, bucket_end, updated_at"
    ),
    "dbt_run_results": "unique_id, created_at",
    "elementary_test_results": "test_unique_id, column_name, test_sub_type, detected_at",
    "schema_columns_snapshot": "full_table_name, column_name, detected_at",
    "dbt_source_freshness_results": "unique_id, created_at",
    "dbt_invocations": "created_at",
}

# What was planted in the raw data, and the plain example that stands in for it.
RENAMED = (
    (r"CANARY-A-[A-Z]+-([a-z]+)@leak\.example", r"\1@example.org"),
    (r"CANARY_A_LITERAL_([a-z]+)_leak_example", r"\1_example_org"),
    (r"CANARY-A-IBAN-[A-Z0-9]+", "EXAMPLE-IBAN"),
    (r"CANARY-A-([A-Z]+)-\d+", r"EXAMPLE-\1"),
    (r"@mail\.example", "@example.org"),
    # A singular test of the project looks for the planted rows by name.
    (r"'canary%'", "'example%'"),
    (r"'%leak\.example'", "'%example.org'"),
)

QUERY_TEXT_LENGTH = 300


def write_sample(target: Path) -> None:
    """Write one Parquet file per table of the catalog into an existing folder."""
    connection = duckdb.connect()
    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS FROM '{WORLD / table}.parquet'")
    for table in TABLES.values():
        pq.write_table(
            _disguised(table, connection.sql(_selection(table)).to_arrow_table()),
            target / f"{table.name}.parquet",
            compression="zstd",
            compression_level=22,
            data_page_version="2.0",
            dictionary_pagesize_limit=1 << 24,
            store_schema=False,
        )


def _selection(table: Table) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    order = ", ".join(filter(None, [SORTED_BY.get(table.name), *table.key, table.newest_by]))
    return f"SELECT {columns} FROM {table.name} WHERE {KEPT.get(table.name, 'true')} ORDER BY {order}"


def _disguised(table: Table, rows: pa.Table) -> pa.Table:
    """Rename what was planted, in every text column, and keep only the beginning of query text."""
    for index, column in enumerate(table.columns):
        if column.type != "string":
            continue
        text = rows[column.name]
        for planted, example in RENAMED:
            text = pc.replace_substring_regex(text, planted, example)
        if column.category is Category.QUERY_LOGS:
            text = pc.utf8_slice_codeunits(pc.utf8_ltrim_whitespace(text), 0, QUERY_TEXT_LENGTH)
        rows = rows.set_column(index, column.name, text)
    return rows


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGED)
