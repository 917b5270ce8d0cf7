SELECT entry AS query_id, user_name, calls AS runs, total_exec_time AS duration_ms, rows AS row_count, bytes,
       query AS query_text, reset_at, evictions, read_at
FROM {view}()
