SELECT query_id, "user" AS user_name, started AS started_at, "end" AS ended_at,
       date_diff('millisecond', started, "end") AS duration_ms, queued_time_ms AS queue_ms, state AS status,
       substr(query, 1, 100001) AS query_text
FROM {view}
WHERE "end" >= from_iso8601_timestamp({since}) AND "end" < from_iso8601_timestamp({until})
ORDER BY "end", query_id
LIMIT 10000
