-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m CROSS JOIN LATERAL jsonb_array_elements_text(m.tags::jsonb) AS t(tag)

-- > allowed: dbt_models
SELECT tag, count(*) FROM dbt_models m, jsonb_array_elements_text(m.tags::jsonb) tag GROUP BY tag ORDER BY count(*) DESC

-- > allowed: dbt_models
SELECT name, jsonb_array_elements_text(depends_on_nodes::jsonb) AS upstream FROM dbt_models

-- > allowed: dbt_models
SELECT m.name, o.owner, o.n FROM dbt_models m LEFT JOIN LATERAL json_array_elements_text(m.owner::json) WITH ORDINALITY AS o(owner, n) ON true

-- > allowed: dbt_models
SELECT m.name, j.key, j.value FROM elementary.dbt_models m, jsonb_each_text(m.meta::jsonb) j WHERE j.key = 'owner'

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE EXISTS (SELECT 1 FROM jsonb_array_elements_text(tags::jsonb) AS t(tag) WHERE t.tag = 'pii')

-- > allowed: dbt_models
SELECT unnest(string_to_array(path, '/')) AS part FROM dbt_models

-- > allowed: elementary_test_results
SELECT date_trunc('day', detected_at::timestamp) AS day, count(*) FILTER (WHERE status = 'fail') AS failed, count(*) AS total
FROM elementary_test_results WHERE detected_at::timestamp >= now() - interval '30 days' GROUP BY 1 ORDER BY 1

-- > allowed: dbt_models, dbt_run_results
WITH latest AS (
  SELECT DISTINCT ON (unique_id) unique_id, status, execution_time FROM dbt_run_results ORDER BY unique_id, generated_at DESC
)
SELECT m.name, l.status, round(l.execution_time::numeric, 2) FROM dbt_models m LEFT JOIN latest l USING (unique_id) WHERE l.status IS DISTINCT FROM 'success'

-- > allowed: dbt_tests, elementary_test_results
SELECT t.short_name, r.status, count(*) FROM elementary_test_results r JOIN dbt_tests t ON t.unique_id = r.test_unique_id GROUP BY t.short_name, r.status HAVING count(*) > 3

-- > allowed: data_monitoring_metrics
SELECT full_table_name, avg(metric_value) OVER w, stddev(metric_value) OVER w FROM data_monitoring_metrics WINDOW w AS (PARTITION BY full_table_name ORDER BY bucket_end ROWS BETWEEN 13 PRECEDING AND CURRENT ROW)

-- > allowed: dbt_run_results
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY execution_time) FROM dbt_run_results

-- > refused: bind placeholders
SELECT name, (meta::jsonb)->>'owner' AS owner, tags::jsonb ? 'pii' AS pii FROM dbt_models

-- > refused: 'generate_series'
SELECT d::date AS day FROM generate_series(now() - interval '7 days', now(), interval '1 day') AS d

-- > allowed: elementary_test_results
SELECT status, count(*) FROM elementary_test_results GROUP BY 1 ORDER BY 2 DESC

-- > allowed: elementary_test_results
SELECT DISTINCT ON (test_unique_id) test_unique_id, status, detected_at FROM elementary_test_results ORDER BY test_unique_id, detected_at DESC

-- > allowed: elementary_test_results
SELECT to_char(detected_at::timestamp, 'IYYY-IW') AS week, count(*) FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_models, dbt_tests
SELECT m.unique_id FROM dbt_models m WHERE NOT EXISTS (SELECT 1 FROM dbt_tests t WHERE t.parent_model_unique_id = m.unique_id)

-- > allowed: dbt_run_results
SELECT unique_id, lag(status) OVER (PARTITION BY unique_id ORDER BY generated_at) AS before, status FROM dbt_run_results

-- > allowed: dbt_models
WITH RECURSIVE up AS (SELECT unique_id, depends_on_nodes FROM dbt_models WHERE name = 'orders' UNION SELECT m.unique_id, m.depends_on_nodes FROM dbt_models m JOIN up ON up.depends_on_nodes LIKE '%' || m.unique_id || '%') SELECT * FROM up

-- > allowed: dbt_run_results
SELECT name, array_agg(DISTINCT status ORDER BY status) FROM dbt_run_results GROUP BY name

-- > allowed: dbt_models
SELECT (tags::jsonb) @> '["pii"]' AS pii, count(*) FROM dbt_models GROUP BY 1

-- > allowed: dbt_models
SELECT name, meta::json->>'owner' FROM dbt_models WHERE tags::jsonb @> '["daily"]'::jsonb

-- > allowed: dbt_models
SELECT regexp_replace(name, '^stg_', '') FROM dbt_models WHERE name ~ '^stg_' AND name !~* 'tmp$'

-- > allowed: dbt_run_results
SELECT extract(epoch FROM (execute_completed_at::timestamp - execute_started_at::timestamp)) AS seconds FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT date_trunc('hour', created_at) h, max(execution_time), percentile_disc(0.5) WITHIN GROUP (ORDER BY execution_time) FROM dbt_run_results GROUP BY h HAVING count(*) > 10

-- > allowed: dbt_invocations
SELECT * FROM dbt_invocations WHERE command = 'build' AND created_at > current_date - 7 ORDER BY created_at DESC LIMIT 5

-- > allowed: data_monitoring_metrics
SELECT full_table_name, bucket_end, metric_value FROM data_monitoring_metrics WHERE metric_name = 'row_count' AND bucket_end::date BETWEEN '2026-01-01' AND '2026-01-31'

-- > allowed: dbt_models
SELECT coalesce(nullif(owner, '[]'), 'nobody') AS owner, count(*) FROM dbt_models GROUP BY 1

-- > allowed: elementary_test_results
SELECT status, round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS pct FROM elementary_test_results GROUP BY status

-- > allowed: dbt_models, dbt_seeds
SELECT a.name, b.name FROM dbt_models a CROSS JOIN dbt_seeds b

-- > allowed: dbt_models, dbt_seeds
(SELECT name FROM dbt_models) UNION ALL (SELECT name FROM dbt_seeds) ORDER BY name

-- > allowed: dbt_run_results
SELECT string_agg(name, ', ' ORDER BY name) FILTER (WHERE status = 'error') FROM dbt_run_results

-- > allowed: elementary_test_results
SELECT CASE WHEN status IN ('fail', 'error') THEN 'bad' ELSE 'good' END AS verdict, count(*) FROM elementary_test_results GROUP BY CASE WHEN status IN ('fail', 'error') THEN 'bad' ELSE 'good' END

-- > allowed: dbt_models
SELECT name FROM dbt_models ORDER BY length(compiled_code) DESC NULLS LAST LIMIT 10 OFFSET 10

-- > allowed: dbt_run_results, dbt_tests
SELECT t.name, r.message FROM dbt_tests t INNER JOIN LATERAL (SELECT message FROM dbt_run_results r WHERE r.unique_id = t.unique_id ORDER BY generated_at DESC LIMIT 1) r ON true

-- > allowed: dbt_models
SELECT jsonb_object_keys(meta::jsonb) AS key FROM dbt_models

-- > allowed: dbt_models
SELECT name, jsonb_path_query_array(meta::jsonb, '$.owners[*]') FROM dbt_models

-- > allowed: dbt_run_results
SELECT grouping(status), status, name, count(*) FROM dbt_run_results GROUP BY ROLLUP (status, name)

-- > allowed: dbt_run_results
SELECT greatest(execution_time, 1), least(execution_time, 2), abs(failures) FROM dbt_run_results

-- > allowed: dbt_invocations
SELECT now() - max(created_at) AS age FROM dbt_invocations

-- > allowed: dbt_invocations
SELECT make_date(2026, 1, 1), age(now(), created_at) FROM dbt_invocations

-- > allowed: dbt_run_results
SELECT name, ntile(4) OVER (ORDER BY execution_time) FROM dbt_run_results

-- > allowed: dbt_models
SELECT row_to_json(m) FROM dbt_models m LIMIT 1

-- > allowed: dbt_models
SELECT json_agg(json_build_object('n', name, 'o', owner)) FROM dbt_models

-- > allowed: dbt_models
SELECT md5(string_agg(unique_id, ',' ORDER BY unique_id)) FROM dbt_models

-- > allowed: elementary_test_results
SELECT table_name, column_name, count(*) FROM elementary_test_results WHERE test_type = 'schema_change' AND detected_at >= (now() - interval '1 week')::text GROUP BY 1, 2

-- > allowed: dbt_models, dbt_tests
SELECT unique_id FROM dbt_models EXCEPT SELECT parent_model_unique_id FROM dbt_tests

-- > allowed: dbt_models
SELECT name, unnest(string_to_array(trim(both '[]"' from tags), '", "')) FROM dbt_models

-- > refused: 'system'
SELECT count(*) FROM dbt_models TABLESAMPLE SYSTEM (10)

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models WHERE (schema_name, name) IN (SELECT schema_name, name FROM dbt_seeds)

-- > allowed: dbt_run_results
SELECT avg(execution_time) OVER (ORDER BY created_at RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW) FROM dbt_run_results

-- > allowed: dbt_invocations
SELECT to_timestamp(extract(epoch from created_at)) AT TIME ZONE 'Europe/Berlin' FROM dbt_invocations

-- > allowed: dbt_run_results
SELECT mode() WITHIN GROUP (ORDER BY status) FROM dbt_run_results

-- > refused: bind placeholders
SELECT name FROM dbt_models WHERE tags::jsonb ?| array['pii','daily']

-- > allowed: elementary_test_results
SELECT v.s, count(r.*) FROM (VALUES ('pass'), ('fail')) AS v(s) LEFT JOIN elementary_test_results r ON r.status = v.s GROUP BY v.s

-- > allowed: dbt_models
SELECT ARRAY(SELECT name FROM dbt_models ORDER BY 1)

-- > allowed: dbt_models
SELECT * FROM elementary.dbt_models WHERE name = ANY(ARRAY['a','b'])

-- > allowed: dbt_run_results
SELECT x.unique_id, x.rn FROM (SELECT unique_id, row_number() OVER (PARTITION BY unique_id ORDER BY created_at DESC) rn FROM dbt_run_results) x WHERE x.rn = 1

-- > allowed: dbt_run_results
SELECT corr(execution_time, failures), stddev_samp(execution_time) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT failures::int, execution_time::numeric(10,2) FROM dbt_run_results FETCH FIRST 10 ROWS ONLY

-- > allowed: dbt_models
SELECT name, jsonb_array_length(coalesce(nullif(depends_on_nodes, ''), '[]')::jsonb) FROM dbt_models ORDER BY 2 DESC

-- > allowed: dbt_models
SELECT m.name AS model, json_array_elements(m.depends_on_nodes::json) #>> '{}' AS upstream FROM dbt_models m

-- > allowed: dbt_models
SELECT jsonb_agg(DISTINCT e) FROM dbt_models, jsonb_array_elements(tags::jsonb) AS e

-- > allowed: dbt_models
SELECT r.owner FROM dbt_models m, jsonb_to_recordset(m.meta::jsonb) AS r(owner text)

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE description IS NULL OR btrim(description) = ''

-- > allowed: dbt_run_results
SELECT DISTINCT ON (unique_id) unique_id, status FROM dbt_run_results ORDER BY unique_id, created_at DESC

-- > allowed: elementary_test_results
SELECT date_trunc('day', detected_at::timestamp) AS d, count(*) FILTER (WHERE status = 'fail') FROM elementary_test_results GROUP BY 1

-- > allowed: elementary_test_results
SELECT now() - max(detected_at::timestamptz) AS age FROM elementary_test_results

-- > allowed: dbt_models
SELECT name, (meta::jsonb)->>'owner' AS owner FROM dbt_models

-- > allowed: dbt_run_results
SELECT string_agg(DISTINCT status, ', ' ORDER BY status) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT extract(epoch FROM execute_completed_at::timestamp - execute_started_at::timestamp) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT date_trunc('week', generated_at::timestamp) AS week, count(*) FILTER (WHERE status = 'fail') AS fails, round(100.0 * count(*) FILTER (WHERE status = 'fail') / nullif(count(*), 0), 2) AS pct FROM dbt_run_results GROUP BY 1 ORDER BY 1 DESC

-- > allowed: dbt_models
WITH RECURSIVE up AS (SELECT unique_id, depends_on_nodes::jsonb AS deps, 0 AS depth FROM dbt_models WHERE name = 'orders' UNION ALL SELECT m.unique_id, m.depends_on_nodes::jsonb, up.depth + 1 FROM up CROSS JOIN LATERAL jsonb_array_elements_text(up.deps) AS d(node) JOIN dbt_models m ON m.unique_id = d.node WHERE up.depth < 10) SELECT DISTINCT unique_id, depth FROM up ORDER BY depth

-- > allowed: dbt_models
SELECT m.owner, string_agg(DISTINCT m.name, ', ' ORDER BY m.name) AS models FROM dbt_models m WHERE m.owner <> '[]' GROUP BY m.owner HAVING count(*) > 3

-- > allowed: dbt_run_results
SELECT * FROM (SELECT r.*, row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) AS rn FROM dbt_run_results r) t WHERE rn = 1

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, x.execution_time FROM dbt_models m LEFT JOIN LATERAL (SELECT execution_time FROM dbt_run_results r WHERE r.unique_id = m.unique_id ORDER BY generated_at DESC LIMIT 1) x ON true

-- > allowed: dbt_run_results
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY execution_time) AS p95, unique_id FROM dbt_run_results WHERE generated_at::timestamptz > now() - interval '14 days' GROUP BY unique_id

-- > allowed: dbt_models
SELECT t.tag, count(*) FROM dbt_models, jsonb_array_elements_text(tags::jsonb) AS t(tag) GROUP BY t.tag ORDER BY 2 DESC

-- > refused: the function 'generate_series' is not on the allow-list
SELECT date_trunc('day', d)::date AS day, coalesce(n, 0) FROM generate_series(now() - interval '30 days', now(), interval '1 day') AS g(d) LEFT JOIN (SELECT date_trunc('day', detected_at) AS dd, count(*) AS n FROM elementary_test_results GROUP BY 1) e ON e.dd = date_trunc('day', d)

-- > allowed: data_monitoring_metrics
SELECT table_name, avg(metric_value) OVER w AS moving, metric_value - lag(metric_value) OVER w AS delta FROM data_monitoring_metrics WHERE metric_name = 'row_count' WINDOW w AS (PARTITION BY full_table_name ORDER BY bucket_end ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)

-- > allowed: data_monitoring_metrics
SELECT split_part(full_table_name, '.', 2) AS sch, mode() WITHIN GROUP (ORDER BY metric_name) FROM data_monitoring_metrics GROUP BY 1

-- > allowed: elementary_test_results
SELECT date_trunc('week', detected_at::timestamp)::date AS week, count(*) FILTER (WHERE status = 'fail') AS failed, count(*) AS total FROM elementary_test_results GROUP BY 1 ORDER BY 1

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m CROSS JOIN LATERAL jsonb_array_elements_text(m.tags::jsonb) AS t(tag) WHERE t.tag = 'daily'

-- > allowed: dbt_run_results
SELECT DISTINCT ON (unique_id) unique_id, status, generated_at FROM dbt_run_results ORDER BY unique_id, generated_at DESC

-- > allowed: dbt_models
SELECT name, coalesce(nullif(owner, '[]'), 'nobody') AS owner FROM dbt_models

-- > allowed: dbt_run_results
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY execution_time) AS median, stddev(execution_time) FROM dbt_run_results WHERE status = 'success'

-- > allowed: dbt_models
SELECT meta::jsonb ->> 'team' AS team, count(*) FROM dbt_models GROUP BY 1

-- > allowed: dbt_tests
SELECT unique_id, split_part(unique_id, '.', 3) AS short FROM dbt_tests WHERE unique_id LIKE 'test.%'

-- > allowed: dbt_run_results
WITH ranked AS (SELECT r.*, row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) AS n FROM dbt_run_results r) SELECT name, status FROM ranked WHERE n <= 3

-- > allowed: dbt_models
SELECT a.name, b.name FROM dbt_models a JOIN dbt_models b ON b.depends_on_nodes::jsonb @> to_jsonb(a.unique_id)

-- > allowed: elementary_test_results
SELECT to_char(detected_at::timestamp, 'YYYY-MM') AS month, round(100.0 * sum((status = 'pass')::int) / count(*), 1) AS pct FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_run_results
SELECT extract(epoch FROM (execute_completed_at::timestamp - execute_started_at::timestamp)) FROM dbt_run_results LIMIT 10

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models WHERE name ~* 'stg_' UNION SELECT name FROM dbt_seeds ORDER BY 1

-- > refused: bind placeholders are not allowed
SELECT a.name, b.name FROM dbt_models a JOIN dbt_models b ON b.depends_on_nodes::jsonb ? a.unique_id
