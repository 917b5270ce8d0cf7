"""Lists the 17 tables of the Elementary schema and their columns.

Views and transient ``test_*`` tables are not in it: what is not in the catalog is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_elementary.elementary_schema.categories import Category, Sensitivity
from airflow_provider_elementary.elementary_schema.table_model import Column, ColumnType, Kind, RowSplit, Table


def _columns(
    category: Category,
    declared: str,
    sensitive: Mapping[Sensitivity, str] | None = None,
    belonging: Mapping[Category, str] | None = None,
) -> tuple[Column, ...]:
    """Read ``name`` or ``name:type`` words into columns; ``sensitive`` and ``belonging`` list names as words too."""
    sensitivity = {name: why for why, names in (sensitive or {}).items() for name in names.split()}
    narrower = {name: other for other, names in (belonging or {}).items() for name in names.split()}
    types: dict[str, ColumnType] = {
        "string": "string",
        "float64": "float64",
        "int64": "int64",
        "boolean": "boolean",
        "timestamp": "timestamp",
    }
    columns = []
    for word in declared.split():
        name, _, type_name = word.partition(":")
        columns.append(Column(name, types[type_name or "string"], narrower.get(name, category), sensitivity.get(name)))
    unknown = (set(sensitivity) | set(narrower)) - {column.name for column in columns}
    if unknown:
        raise ValueError(f"classified but not declared: {sorted(unknown)}")
    return tuple(columns)


def _artifacts(
    name: str,
    grain: str,
    declared: str,
    sensitive: Mapping[Sensitivity, str],
    other_columns: tuple[Column, ...] = (),
    **belonging: str,
) -> Table:
    narrower = {Category(category): names for category, names in belonging.items()}
    return Table(
        name=name,
        kind=Kind.ARTIFACTS,
        grain=grain,
        key=("unique_id",),
        newest_by="generated_at",
        watermark=None,
        category=Category.METADATA,
        columns=_columns(Category.METADATA, declared, sensitive, narrower),
        other_columns=other_columns,
    )


def _events(
    name: str,
    grain: str,
    key: str,
    declared: str,
    category: Category = Category.RUN_RESULTS,
    sensitive: Mapping[Sensitivity, str] | None = None,
    belonging: Mapping[Category, str] | None = None,
    row_split: RowSplit | None = None,
    content_key: str = "",
    other_columns: tuple[Column, ...] = (),
) -> Table:
    return Table(
        name=name,
        kind=Kind.EVENTS,
        grain=grain,
        key=tuple(key.split()),
        newest_by="created_at",
        watermark="created_at",
        category=category,
        columns=_columns(category, declared, sensitive, belonging),
        row_split=row_split,
        content_key=frozenset(content_key.split()),
        other_columns=other_columns,
    )


#: The package declares them on BigQuery alone.
_BIGQUERY = _columns(Category.CONFIGURATION, "bigquery_partition_by bigquery_cluster_by")
#: Packages 0.4 and 0.5 had them.
_COMPILED_SQL = _columns(Category.QUERY_LOGS, "compiled_sql", {Sensitivity.SQL_TEXT: "compiled_sql"})

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            _artifacts(
                "dbt_models",
                "one dbt model",
                "unique_id alias checksum materialization tags meta owner database_name schema_name depends_on_macros "
                "depends_on_nodes description name package_name original_path path patch_path generated_at "
                "metadata_hash unique_key incremental_strategy group_name access",
                {Sensitivity.PERSONAL: "owner meta"},
                _BIGQUERY,
                configuration="materialization meta unique_key incremental_strategy access",
            ),
            _artifacts(
                "dbt_snapshots",
                "one dbt snapshot",
                "unique_id alias checksum materialization tags meta owner database_name schema_name depends_on_macros "
                "depends_on_nodes description name package_name original_path path patch_path generated_at "
                "metadata_hash unique_key incremental_strategy group_name access",
                {Sensitivity.PERSONAL: "owner meta"},
                _BIGQUERY,
                configuration="materialization meta unique_key incremental_strategy access",
            ),
            _artifacts(
                "dbt_seeds",
                "one dbt seed",
                "unique_id alias checksum tags meta owner database_name schema_name description name package_name "
                "original_path path generated_at metadata_hash group_name",
                {Sensitivity.PERSONAL: "owner meta"},
                configuration="meta",
            ),
            _artifacts(
                "dbt_sources",
                "one table of a dbt source",
                "unique_id database_name schema_name source_name name identifier loaded_at_field freshness_warn_after "
                "freshness_error_after freshness_filter freshness_description relation_name tags meta owner "
                "package_name original_path path source_description description generated_at metadata_hash",
                {Sensitivity.PERSONAL: "owner meta", Sensitivity.SQL_TEXT: "freshness_filter loaded_at_field"},
                configuration="loaded_at_field freshness_warn_after freshness_error_after freshness_filter meta",
            ),
            _artifacts(
                "dbt_tests",
                "one dbt test",
                "unique_id database_name schema_name name short_name alias test_column_name severity warn_if error_if "
                "test_params test_namespace test_original_name tags model_tags model_owners meta depends_on_macros "
                "depends_on_nodes parent_model_unique_id description package_name type original_path path "
                "generated_at metadata_hash quality_dimension group_name",
                {Sensitivity.PERSONAL: "model_owners meta", Sensitivity.SQL_TEXT: "test_params"},
                _COMPILED_SQL,
                configuration="severity warn_if error_if test_params meta",
            ),
            _artifacts(
                "dbt_columns",
                "one documented column",
                "unique_id parent_unique_id name data_type tags meta database_name schema_name table_name description "
                "resource_type generated_at metadata_hash",
                {Sensitivity.PERSONAL: "meta"},
                configuration="meta",
            ),
            _artifacts(
                "dbt_exposures",
                "one dbt exposure",
                "unique_id name maturity type owner_email owner_name url depends_on_macros depends_on_nodes "
                "depends_on_columns description tags meta package_name original_path path generated_at metadata_hash "
                "label raw_queries",
                {Sensitivity.PERSONAL: "owner_email owner_name meta", Sensitivity.SQL_TEXT: "raw_queries"},
                configuration="meta",
                query_logs="raw_queries",
            ),
            _artifacts(
                "dbt_metrics",
                "one dbt metric",
                "unique_id name label model type sql timestamp filters time_grains dimensions depends_on_macros "
                "depends_on_nodes description tags meta package_name original_path path generated_at metadata_hash "
                "group_name",
                {Sensitivity.SQL_TEXT: "sql filters", Sensitivity.PERSONAL: "meta"},
                configuration="filters meta",
                query_logs="sql",
            ),
            _artifacts(
                "dbt_groups",
                "one dbt group",
                "unique_id name owner_email owner_name generated_at metadata_hash",
                {Sensitivity.PERSONAL: "owner_email owner_name"},
            ),
            _events(
                "dbt_invocations",
                "one dbt command; written last in its run, so it is the run's commit marker",
                "invocation_id",
                "invocation_id job_id job_name job_run_id run_started_at run_completed_at generated_at "
                "created_at:timestamp command dbt_version elementary_version full_refresh:boolean invocation_vars "
                "vars target_name target_database target_schema target_profile_name threads:int64 selected "
                "yaml_selector project_id project_name env env_id cause_category cause pull_request_id git_sha "
                "orchestrator dbt_user job_url job_run_url account_id target_adapter_specific_fields",
                sensitive={Sensitivity.SECRETS: "vars invocation_vars", Sensitivity.PERSONAL: "dbt_user"},
                belonging={
                    Category.CONFIGURATION: "invocation_vars vars target_name target_database target_schema "
                    "target_profile_name threads selected yaml_selector target_adapter_specific_fields"
                },
            ),
            _events(
                "dbt_run_results",
                "one execution of one dbt node in one invocation",
                "model_execution_id",
                "model_execution_id unique_id invocation_id generated_at created_at:timestamp name message status "
                "resource_type execution_time:float64 execute_started_at execute_completed_at compile_started_at "
                "compile_completed_at rows_affected:int64 full_refresh:boolean compiled_code failures:int64 query_id "
                "thread_id materialization adapter_response group_name",
                sensitive={
                    Sensitivity.RAW_VALUES: "message adapter_response",
                    Sensitivity.SQL_TEXT: "compiled_code",
                },
                belonging={Category.QUERY_LOGS: "compiled_code query_id"},
                other_columns=_COMPILED_SQL,
            ),
            _events(
                "elementary_test_results",
                "one verdict of one test execution: per column and metric for anomaly tests",
                "id",
                "id data_issue_id test_execution_id test_unique_id model_unique_id invocation_id "
                "detected_at:timestamp created_at:timestamp database_name schema_name table_name column_name "
                "test_type test_sub_type test_results_description owners tags test_results_query other test_name "
                "test_params severity status failures:int64 test_short_name test_alias result_rows "
                "failed_row_count:int64",
                sensitive={
                    Sensitivity.RAW_VALUES: "test_results_description other result_rows",
                    Sensitivity.SQL_TEXT: "test_results_query test_params",
                    Sensitivity.PERSONAL: "owners",
                },
                belonging={
                    Category.CONFIGURATION: "test_params",
                    Category.QUERY_LOGS: "test_results_query",
                    Category.FAILED_ROWS_SAMPLE: "result_rows",
                },
            ),
            _events(
                "test_result_rows",
                "one sampled row of one test execution: a failed row, or a scored bucket of an anomaly test",
                "elementary_test_results_id row_index",
                "elementary_test_results_id result_row detected_at:timestamp created_at:timestamp row_index:int64 "
                "test_type",
                # Whatever is not known to be a scored bucket is treated as a failed row: the narrower of the two.
                category=Category.FAILED_ROWS_SAMPLE,
                sensitive={Sensitivity.RAW_VALUES: "result_row"},
                row_split=RowSplit("test_type", "anomaly_detection", Category.AGGREGATED_METRICS),
                # Packages before 0.22 do not number the rows.
                content_key="row_index",
            ),
            _events(
                "dbt_source_freshness_results",
                "one freshness check of one source table",
                "source_freshness_execution_id",
                "source_freshness_execution_id unique_id max_loaded_at snapshotted_at generated_at "
                "created_at:timestamp max_loaded_at_time_ago_in_s:float64 status error compile_started_at "
                "compile_completed_at execute_started_at execute_completed_at invocation_id warn_after error_after "
                "filter",
                sensitive={Sensitivity.RAW_VALUES: "error max_loaded_at", Sensitivity.SQL_TEXT: "filter"},
                belonging={Category.CONFIGURATION: "warn_after error_after filter"},
            ),
            _events(
                "schema_columns_snapshot",
                "one column of one monitored table, each time it was seen new or changed",
                "column_state_id",
                "column_state_id full_column_name full_table_name column_name data_type is_new:boolean "
                "detected_at:timestamp created_at:timestamp",
                category=Category.METADATA,
            ),
            Table(
                name="data_monitoring_metrics",
                kind=Kind.METRICS,
                grain="one metric of one table, column or dimension value in one time bucket, as of one run",
                key=("id",),
                newest_by="updated_at",
                watermark="created_at",
                category=Category.AGGREGATED_METRICS,
                columns=_columns(
                    Category.AGGREGATED_METRICS,
                    "id full_table_name column_name metric_name metric_type metric_value:float64 source_value "
                    "bucket_start:timestamp bucket_end:timestamp bucket_duration_hours:int64 updated_at:timestamp "
                    "dimension dimension_value metric_properties created_at:timestamp",
                    {
                        Sensitivity.RAW_VALUES: "source_value dimension_value",
                        Sensitivity.SQL_TEXT: "metric_properties",
                    },
                ),
                row_split=RowSplit("column_name", None, Category.TABLE_METRICS),
            ),
            Table(
                name="metadata",
                kind=Kind.CONFIGURATION,
                grain="the version of the Elementary dbt package that wrote the schema",
                key=("dbt_pkg_version",),
                newest_by=None,
                watermark=None,
                category=Category.CONFIGURATION,
                columns=_columns(Category.CONFIGURATION, "dbt_pkg_version"),
            ),
        )
    }
)
