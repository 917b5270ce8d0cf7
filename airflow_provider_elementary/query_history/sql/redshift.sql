SELECT CAST(h.query_id AS varchar) AS query_id, trim(u.usename) AS user_name, h.start_time AS started_at,
       h.end_time AS ended_at, h.elapsed_time / 1000.0 AS duration_ms, h.queue_time / 1000.0 AS queue_ms,
       h.returned_rows AS row_count, h.returned_bytes AS bytes, trim(h.status) AS status,
       trim(h.generic_query_hash) AS warehouse_hash,
       trim(h.database_name) AS database_name, trim(h.query_label) AS query_tag, trim(h.query_text) AS query_text
FROM {view} h
LEFT JOIN pg_catalog.pg_user u ON u.usesysid = h.user_id
WHERE h.end_time >= CAST({since} AS timestamp) AND h.end_time < CAST({until} AS timestamp)
ORDER BY h.end_time, h.query_id
LIMIT 10000
