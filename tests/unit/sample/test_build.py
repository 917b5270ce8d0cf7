"""The sample that the package carries: small, complete, free of planted values, and full of known incidents."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.sample import LAST_DAY, build_sample

ROOT = Path(__file__).parents[3]
PARQUET = ROOT / "airflow_provider_elementary" / "sample" / "parquet"

CATALOG_TYPES = {
    "VARCHAR": "string",
    "FLOAT": "float64",
    "INTEGER": "int64",
    "BIGINT": "int64",
    "BOOLEAN": "boolean",
    "TIMESTAMP": "timestamp",
}

# Elementary's rule with its defaults: 14 daily buckets with the scored one among them, sensitivity 3.
REPLAY = """
WITH newest AS (
    FROM elementary.data_monitoring_metrics
    WHERE bucket_start IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC) = 1
), trained AS (
    SELECT
        *,
        avg(metric_value::DOUBLE) OVER fortnight AS training_avg,
        stddev_samp(metric_value::DOUBLE) OVER fortnight AS training_stddev
    FROM newest
    WINDOW fortnight AS (
        PARTITION BY full_table_name, column_name, metric_name, dimension, dimension_value
        ORDER BY bucket_end RANGE BETWEEN INTERVAL 13 DAYS PRECEDING AND CURRENT ROW
    )
), scored AS (
    SELECT *, (metric_value - training_avg) / training_stddev AS score FROM trained WHERE training_stddev > 0
)
SELECT
    full_table_name, column_name, metric_name, bucket_start::DATE::VARCHAR,
    round(metric_value::DOUBLE, 2), round(training_avg, 2), round(score, 3)
FROM scored
WHERE CASE WHEN metric_name IN ('freshness', 'event_freshness') THEN score > 3 ELSE abs(score) > 3 END
"""

# Incident, table, column, metric, day of the bucket, value, average of its 14 days, score.
INCIDENTS = [
    ("A02", "JAFFLE.RAW_WEB.EVENTS", None, "row_count", "2026-10-02", 1934.0, 767.43, 3.382),
    ("A02", "JAFFLE.CORE.FCT_SESSIONS", "n_events", "sum", "2026-10-02", 1934.0, 767.43, 3.382),
    ("A02", "JAFFLE.RAW_WEB.EVENTS", "user_id", "null_count", "2026-10-02", 156.0, 59.86, 3.243),
    ("A03", "JAFFLE.RAW_SHOP.PAYMENTS", None, "freshness", "2026-10-06", 71221.0, 10488.71, 3.457),
    ("A04", "JAFFLE.RAW_WEB.EVENTS", "user_id", "null_percent", "2026-10-13", 41.1, 10.5, 3.459),
    ("A04", "JAFFLE.RAW_WEB.EVENTS", "user_id", "null_count", "2026-10-13", 305.0, 80.86, 3.192),
    ("A04", "JAFFLE.CORE.FCT_SESSIONS", "n_events", "average", "2026-10-13", 1.74, 1.18, 3.428),
    ("A08", "JAFFLE.RAW_SHOP.CUSTOMERS", "email", "null_percent", "2026-10-27", 53.57, 4.19, 3.467),
    ("A08", "JAFFLE.RAW_SHOP.CUSTOMERS", "email", "null_count", "2026-10-27", 15.0, 1.21, 3.46),
    ("A08", "JAFFLE.RAW_SHOP.CUSTOMERS", "email", "missing_count", "2026-10-27", 15.0, 1.21, 3.46),
    ("A10", "JAFFLE.CORE.FCT_PAYMENTS", "amount", "null_percent", "2026-10-30", 2.4, 0.17, 3.474),
    ("A10", "JAFFLE.CORE.FCT_PAYMENTS", "amount", "zero_percent", "2026-10-30", 2.4, 0.17, 3.474),
    ("A15", "JAFFLE.CORE.FCT_ORDERS", "amount", "max", "2026-11-12", 7500.0, 636.0, 3.474),
    ("A15", "JAFFLE.CORE.FCT_ORDERS", "amount", "average", "2026-11-12", 216.91, 43.75, 3.474),
    ("A15", "JAFFLE.CORE.FCT_ORDERS", "amount", "sum", "2026-11-12", 62252.0, 12254.18, 3.461),
    ("A15", "JAFFLE.CORE.FCT_ORDERS", "amount", "standard_deviation", "2026-11-12", 895.98, 82.41, 3.474),
    ("A15", "JAFFLE.CORE.FCT_PAYMENTS", "amount", "average", "2026-11-12", 217.05, 43.78, 3.474),
    ("A15", "JAFFLE.MARTS.MART_DAILY_REVENUE", "revenue", "sum", "2026-11-12", 62252.0, 12254.18, 3.461),
    ("A15", "JAFFLE.MARTS.MART_DAILY_REVENUE", "revenue", "average", "2026-11-12", 20750.67, 4084.73, 3.461),
    ("A19", "JAFFLE.RAW_WEB.EVENTS", None, "event_freshness", "2026-11-19", 20697.0, 1847.93, 3.474),
]

# Incident, table, column, test, first day on which Elementary's own stored verdict says fail.
REPORTED_BY_ELEMENTARY = [
    ("A03", "payments", None, "freshness_anomalies", "2026-10-07"),
    ("A04", "events", "user_id", "column_anomalies", "2026-10-14"),
    ("A06", "tickets", "channel", "schema_changes", "2026-10-16"),
    ("A07", "orders", "discount_code", "schema_changes", "2026-10-20"),
    ("A09", "payments", "amount_cents", "schema_changes", "2026-10-29"),
    ("A11", "order_items", "id", "unique", "2026-11-04"),
    ("A12", "orders", "status", "accepted_values", "2026-11-06"),
    ("A15", "fct_orders", "amount", "column_anomalies", "2026-11-13"),
    ("A17", "orders", "customer_id", "relationships", "2026-11-17"),
    ("A19", "events", None, "event_freshness_anomalies", "2026-11-20"),
]

# Incident, model, day of the run that failed.
FAILED_MODELS = [
    ("A06", "stg_tickets", "2026-10-16"),
    ("A10", "fct_payments", "2026-10-31"),
    ("A13", "mart_product_sales", "2026-11-07"),
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path = build_sample(tmp_path_factory.mktemp("sample") / "demo.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def remade(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remade")
    subprocess.run([sys.executable, "-m", "tests.support.make_sample", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def flagged(sample: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return sample.execute(REPLAY).fetchall()


@pytest.fixture(scope="module")
def every_text(sample: duckdb.DuckDBPyConnection) -> str:
    columns = [
        (table.name, column.name) for table in TABLES.values() for column in table.columns if column.type == "string"
    ]
    values = [
        value
        for table, column in columns
        for (value,) in sample.execute(f'SELECT DISTINCT "{column}" FROM elementary.{table}').fetchall()
        if value is not None
    ]
    return "\n".join(values)


def test_the_sample_is_under_one_megabyte() -> None:
    size = sum(file.stat().st_size for file in PARQUET.iterdir())

    assert size < 1_000_000


def test_the_sample_has_one_file_per_table_of_the_catalog() -> None:
    names = {file.name for file in PARQUET.iterdir()}

    assert names == {f"{table}.parquet" for table in TABLES}


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_column_has_the_type_of_the_catalog(sample: duckdb.DuckDBPyConnection, table) -> None:
    declared = sample.execute(f"DESCRIBE elementary.{table.name}").fetchall()

    assert [(name, CATALOG_TYPES[type_]) for name, type_, *_ in declared] == [
        (column.name, column.type) for column in table.columns
    ]


def test_numbers_are_32_bit_where_the_dbt_package_declares_float_on_duckdb(sample: duckdb.DuckDBPyConnection) -> None:
    types = sample.execute("SELECT DISTINCT typeof(metric_value) FROM elementary.data_monitoring_metrics").fetchall()

    assert types == [("FLOAT",)]


def test_more_than_sixty_days_of_history_are_inside(sample: duckdb.DuckDBPyConnection) -> None:
    [(days,)] = sample.execute(
        "SELECT count(DISTINCT bucket_end::DATE) FROM elementary.data_monitoring_metrics "
        "WHERE full_table_name = 'JAFFLE.RAW_SHOP.ORDERS'"
    ).fetchall()

    assert days == 83


@pytest.mark.parametrize(
    "table", ["dbt_run_results", "elementary_test_results", "dbt_source_freshness_results"], ids=str
)
def test_every_run_has_its_commit_marker(sample: duckdb.DuckDBPyConnection, table: str) -> None:
    orphans = sample.execute(
        f"FROM elementary.{table} WHERE invocation_id NOT IN (SELECT invocation_id FROM elementary.dbt_invocations)"
    ).fetchall()

    assert orphans == []


def test_every_result_row_has_its_verdict(sample: duckdb.DuckDBPyConnection) -> None:
    orphans = sample.execute(
        "FROM elementary.test_result_rows "
        "WHERE elementary_test_results_id NOT IN (SELECT id FROM elementary.elementary_test_results)"
    ).fetchall()

    assert orphans == []


def test_the_last_day_is_that_of_the_last_dbt_command(sample: duckdb.DuckDBPyConnection) -> None:
    newest = sample.execute("SELECT max(run_completed_at::TIMESTAMP)::DATE FROM elementary.dbt_invocations").fetchone()

    assert newest == (LAST_DAY,)


def test_nothing_that_was_planted_is_left(every_text: str) -> None:
    assert "canary" not in every_text.lower()
    assert re.findall(r"leak.example", every_text) == []


def test_every_e_mail_address_belongs_to_a_reserved_domain(every_text: str) -> None:
    domains = set(re.findall(r"[\w.+-]+@([\w-]+\.[\w.-]*\w)", every_text))

    assert domains == {"example.org", "jaffle.example"}


@pytest.mark.parametrize(("incident", "row"), [(incident, row) for incident, *row in INCIDENTS])
def test_elementarys_rule_finds_the_incident(
    flagged: list[tuple[object, ...]], incident: str, row: list[object]
) -> None:
    assert tuple(row) in flagged, incident


def test_elementarys_rule_flags_34_buckets(flagged: list[tuple[object, ...]]) -> None:
    assert len(flagged) == 34


@pytest.mark.parametrize(("incident", "table", "column", "test", "day"), REPORTED_BY_ELEMENTARY)
def test_the_incident_was_reported_by_elementary(
    sample: duckdb.DuckDBPyConnection, incident: str, table: str, column: str | None, test: str, day: str
) -> None:
    [(first,)] = sample.execute(
        "SELECT min(detected_at)::DATE::VARCHAR FROM elementary.elementary_test_results WHERE status = 'fail' "
        "AND lower(table_name) = ? AND column_name IS NOT DISTINCT FROM ? AND test_short_name = ? "
        "AND detected_at >= ?::TIMESTAMP",
        [table, column, test, day],
    ).fetchall()

    assert first == day, incident


@pytest.mark.parametrize(("incident", "model", "day"), FAILED_MODELS)
def test_the_model_failed(sample: duckdb.DuckDBPyConnection, incident: str, model: str, day: str) -> None:
    days = sample.execute(
        "SELECT created_at::DATE::VARCHAR FROM elementary.dbt_run_results WHERE name = ? AND status = 'error'", [model]
    ).fetchall()

    assert days == [(day,)], incident


def test_the_slow_run_of_incident_a16_stands_out(sample: duckdb.DuckDBPyConnection) -> None:
    slowest = sample.execute(
        "SELECT created_at::DATE::VARCHAR, round(execution_time, 1) FROM elementary.dbt_run_results "
        "WHERE name = 'mart_customer_ltv' ORDER BY execution_time DESC LIMIT 1"
    ).fetchall()

    assert slowest == [("2026-11-14", pytest.approx(6.3))]


def test_building_twice_gives_the_same_file_again(tmp_path: Path) -> None:
    path = build_sample(tmp_path / "demo.duckdb")

    again = build_sample(path)

    assert again == path
    assert [file.name for file in tmp_path.iterdir()] == ["demo.duckdb"]


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    path = build_sample(tmp_path / "new" / "demo.duckdb")

    assert path.is_file()


@pytest.mark.parametrize("name", ["elementary.duckdb", "Elementary.db", "elementary", "elementary.v2.duckdb"])
def test_a_file_named_like_the_schema_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="Choose another file name"):
        build_sample(tmp_path / name)

    assert list(tmp_path.iterdir()) == []


def test_importing_the_sample_loads_no_heavy_library() -> None:
    code = (
        "import sys, airflow_provider_elementary.sample; "
        "print(sorted({'duckdb', 'pyarrow', 'numpy', 'airflow'} & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert loaded.strip() == "[]"


@pytest.mark.parametrize("table", TABLES)
def test_the_packaged_rows_are_what_the_generator_makes(remade: Path, table: str) -> None:
    packaged = pq.read_table(PARQUET / f"{table}.parquet")

    assert packaged.equals(pq.read_table(remade / f"{table}.parquet"))
