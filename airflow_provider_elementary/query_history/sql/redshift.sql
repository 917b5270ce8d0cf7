SELECT CAST(h.query_id AS varchar) AS query_id, u.usename AS user_name, h.start_time AS started_at,
       h.end_time AS ended_at, h.elapsed_time / 1000.0 AS duration_ms, h.queue_time / 1000.0 AS queue_ms,
       h.returned_rows AS row_count, h.returned_bytes AS bytes, h.status, h.generic_query_hash AS warehouse_hash,
       h.database_name, h.query_label AS query_tag, h.query_text
FROM {view} h
LEFT JOIN pg_catalog.pg_user u ON u.usesysid = h.user_id
WHERE h.end_time >= CAST({since} AS timestamp) AND h.end_time < CAST({until} AS timestamp)
ORDER BY h.end_time, h.query_id
LIMIT 10000
