-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, f.value::string AS tag FROM dbt_models m, LATERAL FLATTEN(input => PARSE_JSON(m.tags)) f

-- > allowed: dbt_models
SELECT f.value::varchar AS owner, COUNT(*) AS models FROM dbt_models m, TABLE(FLATTEN(PARSE_JSON(m.owner))) f GROUP BY 1 ORDER BY 2 DESC

-- > allowed: dbt_models
SELECT m.name, d.value::string upstream, d.index FROM dbt_models m, LATERAL FLATTEN(input => TRY_PARSE_JSON(m.depends_on_nodes), OUTER => TRUE) d WHERE d.value LIKE 'model.%'

-- > allowed: dbt_models
SELECT name, TRIM(s.value) AS tag FROM dbt_models, LATERAL SPLIT_TO_TABLE(tags, ',') s

-- > allowed: elementary_test_results
SELECT table_name, COUNT_IF(status = 'fail') AS failures, ROUND(100 * COUNT_IF(status = 'fail') / COUNT(*), 1) AS rate
FROM ELEMENTARY_TEST_RESULTS WHERE detected_at >= DATEADD(day, -7, CURRENT_TIMESTAMP()) GROUP BY table_name QUALIFY ROW_NUMBER() OVER (ORDER BY failures DESC) <= 10

-- > allowed: dbt_run_results
SELECT DATE_TRUNC('day', created_at::timestamp) AS day, APPROX_PERCENTILE(execution_time, 0.95) p95 FROM analytics.elementary.dbt_run_results WHERE status ILIKE 'success' GROUP BY ALL

-- > allowed: data_monitoring_metrics
SELECT full_table_name, metric_value, LAG(metric_value) OVER (PARTITION BY full_table_name ORDER BY bucket_end) previous FROM data_monitoring_metrics WHERE metric_name = 'row_count'

-- > allowed: dbt_invocations
SELECT TOP 5 invocation_id, DATEDIFF('minute', run_started_at::timestamp, run_completed_at::timestamp) AS minutes FROM dbt_invocations ORDER BY 2 DESC

-- > allowed: dbt_models
SELECT PARSE_JSON(meta):owner::string AS owner, LISTAGG(name, ', ') WITHIN GROUP (ORDER BY name) FROM dbt_models GROUP BY 1

-- > refused: pivot
SELECT * FROM (SELECT status, unique_id FROM dbt_run_results) PIVOT (COUNT(unique_id) FOR status IN ('success', 'error'))
