SELECT job_id AS query_id, user_email AS user_name, start_time AS started_at, end_time AS ended_at,
       TIMESTAMP_DIFF(end_time, start_time, MILLISECOND) AS duration_ms,
       TIMESTAMP_DIFF(start_time, creation_time, MILLISECOND) AS queue_ms,
       total_bytes_processed AS bytes, total_bytes_billed AS cost, 'bytes billed' AS cost_unit,
       IF(error_result IS NULL, state, 'FAILED') AS status,
       query_info.query_hashes.normalized_literals AS warehouse_hash, project_id AS database_name,
       TO_JSON_STRING(labels) AS query_tag, SUBSTR(query, 1, 100001) AS query_text
FROM {view}
WHERE job_type = 'QUERY' AND (statement_type IS NULL OR statement_type != 'SCRIPT')
  AND creation_time >= TIMESTAMP_SUB(TIMESTAMP({since}), INTERVAL 1 DAY)
  AND end_time >= TIMESTAMP({since}) AND end_time < TIMESTAMP({until})
ORDER BY end_time, job_id
LIMIT 10000
