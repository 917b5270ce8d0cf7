SELECT statement_id AS query_id, executed_by AS user_name, start_time AS started_at, end_time AS ended_at,
       total_duration_ms AS duration_ms,
       waiting_for_compute_duration_ms + waiting_at_capacity_duration_ms AS queue_ms,
       produced_rows AS row_count, read_bytes AS bytes, execution_status AS status,
       substr(statement_text, 1, 100001) AS query_text
FROM {view}
WHERE end_time >= CAST({since} AS TIMESTAMP) AND end_time < CAST({until} AS TIMESTAMP)
ORDER BY end_time, statement_id
LIMIT 10000
