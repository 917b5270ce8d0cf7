SELECT query_id, user AS user_name, query_start_time_microseconds AS started_at,
       event_time_microseconds AS ended_at, query_duration_ms AS duration_ms, result_rows AS row_count,
       read_bytes AS bytes, toString(type) AS status, toString(normalized_query_hash) AS warehouse_hash,
       current_database AS schema_name, log_comment AS query_tag, substring(query, 1, 100001) AS query_text
FROM {view}
WHERE type != 'QueryStart' AND is_initial_query
  AND event_date >= toDate(parseDateTime64BestEffort({since}, 6, 'UTC')) - 1
  AND event_time_microseconds >= parseDateTime64BestEffort({since}, 6, 'UTC')
  AND event_time_microseconds < parseDateTime64BestEffort({until}, 6, 'UTC')
ORDER BY event_time_microseconds, query_id
LIMIT 10000
