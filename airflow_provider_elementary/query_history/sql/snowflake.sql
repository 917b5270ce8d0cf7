SELECT query_id, user_name, role_name, start_time AS started_at, end_time AS ended_at,
       total_elapsed_time AS duration_ms,
       queued_overload_time + queued_provisioning_time + queued_repair_time AS queue_ms,
       rows_produced AS row_count, bytes_scanned AS bytes, credits_used_cloud_services AS cost, 'credits' AS cost_unit,
       execution_status AS status, query_parameterized_hash AS warehouse_hash, database_name, schema_name, query_tag,
       query_text
FROM {view}
WHERE end_time >= TO_TIMESTAMP_TZ({since}) AND end_time < TO_TIMESTAMP_TZ({until})
ORDER BY end_time, query_id
LIMIT 10000
