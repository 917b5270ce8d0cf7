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
