-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT name, unnest(from_json(tags, '["VARCHAR"]')) AS tag FROM dbt_models

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m, unnest(json_extract_string(m.tags, '$[*]')) AS t(tag)

-- > allowed: dbt_models
SELECT m.name, j.key, j.value FROM dbt_models m, json_each(m.meta) AS j

-- > allowed: dbt_models
SELECT m.name, u.x FROM dbt_models m CROSS JOIN LATERAL (SELECT unnest(string_split(m.path, '/')) AS x) u

-- > allowed: elementary_test_results
SELECT status, count(*) AS n FROM elementary_test_results WHERE try_cast(detected_at AS timestamp) > now()::timestamp - interval 7 day GROUP BY ALL ORDER BY ALL

-- > allowed: dbt_run_results
SELECT unique_id, arg_max(status, generated_at) AS last_status, quantile_cont(execution_time, 0.95) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_run_results
SELECT * EXCLUDE (compiled_code) FROM dbt_run_results LIMIT 20

-- > allowed: dbt_run_results
SELECT name, strftime(created_at, '%Y-%m-%d') AS day, execution_time FROM elementary.dbt_run_results QUALIFY row_number() OVER (PARTITION BY name ORDER BY created_at DESC) = 1

-- > allowed: dbt_models
SELECT list(DISTINCT schema_name), len(list(name)) FROM dbt_models

-- > allowed: dbt_models
SELECT lpad(name, 30, ' ') AS padded, printf('%-20s|%5d', name, 3) FROM dbt_models

-- > allowed: dbt_models
FROM dbt_models SELECT name

-- > allowed: elementary_test_results
SELECT status, count(*) FROM elementary_test_results GROUP BY ALL ORDER BY ALL

-- > allowed: dbt_models
SELECT name, unnest(from_json(tags, '["varchar"]')) FROM dbt_models

-- > allowed: dbt_models
SELECT name, unnest(tags::json::varchar[]) AS tag FROM dbt_models

-- > allowed: dbt_models
SELECT m.name, t.value FROM dbt_models m, json_each(m.tags::json) t

-- > allowed: dbt_models
SELECT name, tags::json->>0, meta->>'$.owner' FROM dbt_models

-- > allowed: elementary_test_results
SELECT date_trunc('day', detected_at::timestamp) d, count(*) FILTER (status = 'fail') FROM elementary_test_results GROUP BY d

-- > allowed: elementary_test_results
SELECT count(*) FILTER (WHERE status = 'fail') FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT * EXCLUDE (compiled_code), COLUMNS('name') FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT max_by(status, generated_at), list(status ORDER BY generated_at) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT list_transform(string_split(path, '/'), lambda x: upper(x)) FROM dbt_models

-- > allowed: dbt_run_results
SELECT median(execution_time), quantile_cont(execution_time, [0.5, 0.9]) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT datediff('second', execute_started_at::timestamp, execute_completed_at::timestamp) FROM dbt_run_results

-- > refused: 'generate_series'
SELECT d::date FROM generate_series(current_date - 7, current_date, interval 1 day) t(d)

-- > refused: 'range'
SELECT d FROM range(10) t(d)

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE list_contains(from_json(tags, '["varchar"]'), 'pii')

-- > allowed: dbt_models
SELECT json_extract_string(meta, '$.owner') o, count(*) FROM dbt_models GROUP BY o

-- > refused: 'upper'
SELECT name.upper() FROM dbt_models

-- > allowed: dbt_models
SELECT name[1:3], name[-1] FROM dbt_models

-- > refused: sampling
SELECT * FROM dbt_models USING SAMPLE 10

-- > allowed: dbt_models
SELECT regexp_extract(unique_id, '^([a-z]+)', 1) FROM dbt_models

-- > refused: templates and braces
SELECT struct_pack(n := name, o := owner), {'a': name} FROM dbt_models

-- > allowed: dbt_invocations
SELECT age(now(), created_at), strftime(created_at, '%V') FROM dbt_invocations

-- > allowed: dbt_models, dbt_tests
SELECT a.name FROM dbt_models a ANTI JOIN dbt_tests t ON t.parent_model_unique_id = a.unique_id

-- > allowed: dbt_invocations, dbt_run_results
SELECT a.* FROM dbt_run_results a ASOF JOIN dbt_invocations b ON a.created_at >= b.created_at

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name SIMILAR TO 'stg_.*' OR name GLOB 'stg*'

-- > allowed: dbt_run_results
SELECT sum(execution_time) OVER (PARTITION BY name ORDER BY created_at ROWS UNBOUNDED PRECEDING) FROM dbt_run_results

-- > allowed: dbt_models
SELECT array_length(from_json(depends_on_nodes, '["varchar"]')) FROM dbt_models

-- > allowed: dbt_models
SELECT json_array_length(tags), len(json_keys(meta)) FROM dbt_models

-- > refused: the statement has to begin with SELECT or WITH
PIVOT dbt_run_results ON status USING count(*)

-- > allowed: dbt_models
SELECT * FROM dbt_models ORDER BY random() LIMIT 3

-- > allowed: dbt_models
SELECT name, t.tag FROM dbt_models, unnest(json_extract_string(tags, '$[*]')) AS t(tag)

-- > allowed: dbt_run_results
SELECT unique_id, status, lag(status) OVER (PARTITION BY unique_id ORDER BY created_at) AS previous FROM dbt_run_results QUALIFY status <> previous

-- > allowed: elementary_test_results
SELECT date_diff('hour', detected_at::timestamp, now()::timestamp) AS age, test_name FROM elementary_test_results WHERE status IN ('fail', 'warn')

-- > allowed: dbt_invocations
SELECT COLUMNS('.*_at') FROM dbt_invocations

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, r.n FROM dbt_models m, LATERAL (SELECT count(*) AS n FROM dbt_run_results r WHERE r.unique_id = m.unique_id) r

-- > allowed: dbt_run_results
SELECT status, avg(execution_time) FILTER (WHERE materialization = 'table') FROM dbt_run_results GROUP BY status

-- > allowed: elementary_test_results
SELECT count(*) AS failures, date_trunc('week', detected_at::timestamp) AS week FROM elementary_test_results GROUP BY week ORDER BY week

-- > allowed: elementary_test_results
SELECT sum(CASE WHEN status = 'fail' THEN 1 ELSE 0 END) AS fail, sum(CASE WHEN status = 'pass' THEN 1 ELSE 0 END) AS pass FROM elementary_test_results

-- > allowed: dbt_models
SELECT list_distinct(string_split(path, '/')) FROM dbt_models

-- > allowed: dbt_run_results
SELECT unique_id, median(execution_time) AS p50, quantile_cont(execution_time, 0.9) AS p90 FROM dbt_run_results GROUP BY ALL

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE list_contains(from_json(tags, '["VARCHAR"]'), 'pii')

-- > refused: the statement has to begin with SELECT or WITH
PIVOT (SELECT status, date_trunc('day', detected_at::timestamp) AS d FROM elementary_test_results) ON status USING count(*) GROUP BY d

-- > allowed: dbt_models
SELECT name, unnest(json_extract_string(tags, '$[*]')) AS tag FROM dbt_models

-- > allowed: dbt_run_results
FROM dbt_run_results SELECT unique_id, max(execution_time) AS m GROUP BY ALL ORDER BY m DESC LIMIT 10

-- > allowed: dbt_models
WITH RECURSIVE up AS (SELECT unique_id, 0 AS lvl FROM dbt_models WHERE name = 'orders' UNION ALL SELECT d.node, lvl + 1 FROM up JOIN dbt_models m USING (unique_id), LATERAL (SELECT unnest(from_json(m.depends_on_nodes, '["VARCHAR"]')) AS node) d WHERE lvl < 5) SELECT DISTINCT unique_id FROM up

-- > allowed: elementary_test_results
SELECT time_bucket(INTERVAL '1 day', detected_at::timestamp) AS b, histogram(status) FROM elementary_test_results GROUP BY b

-- > allowed: data_monitoring_metrics
SELECT full_table_name, list(metric_value ORDER BY bucket_end DESC)[1:3] AS lasts FROM data_monitoring_metrics GROUP BY 1

-- > allowed: dbt_run_results
SELECT * FROM (SELECT status, name FROM dbt_run_results) PIVOT (count(name) FOR status IN ('success', 'error'))

-- > allowed: dbt_models
FROM dbt_models

-- > allowed: dbt_models, dbt_run_results
FROM dbt_models m JOIN dbt_run_results r USING (unique_id) SELECT m.name, r.status

-- > allowed: dbt_models
FROM (SELECT name FROM dbt_models) SELECT count(*)

-- > allowed: elementary_test_results
SELECT date_trunc('day', detected_at::timestamp) AS day, status, count(*) AS n FROM elementary_test_results GROUP BY ALL ORDER BY day DESC

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, r.execution_time FROM dbt_models m JOIN dbt_run_results r USING (unique_id) WHERE r.execution_time > 60 ORDER BY 2 DESC LIMIT 20

-- > allowed: dbt_run_results
WITH last AS (SELECT unique_id, max_by(status, generated_at) AS status FROM dbt_run_results GROUP BY 1) SELECT status, count(*) FROM last GROUP BY 1

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE json_extract_string(meta, '$.owner') = 'finance'

-- > allowed: elementary_test_results
SELECT table_name, column_name, count(*) FILTER (WHERE status = 'fail') AS fails FROM elementary_test_results GROUP BY 1, 2 HAVING fails > 3

-- > allowed: dbt_run_results
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY execution_time) AS p95 FROM dbt_run_results

-- > allowed: data_monitoring_metrics
SELECT bucket_end::date AS d, avg(metric_value) OVER (PARTITION BY full_table_name ORDER BY bucket_end ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week FROM data_monitoring_metrics WHERE metric_name = 'row_count'

-- > allowed: dbt_tests, elementary_test_results
SELECT count(*) FROM dbt_tests t WHERE NOT EXISTS (SELECT 1 FROM elementary_test_results r WHERE r.test_unique_id = t.unique_id)

-- > allowed: dbt_models
SELECT unique_id, regexp_extract(unique_id, '^[a-z]+\.([^.]+)', 1) AS package FROM dbt_models

-- > allowed: dbt_models
SELECT * EXCLUDE (meta) FROM dbt_models LIMIT 5

-- > allowed: dbt_run_results
SELECT strftime(generated_at::timestamp, '%Y-%m') AS month, sum(execution_time)/3600 AS hours FROM dbt_run_results GROUP BY 1
