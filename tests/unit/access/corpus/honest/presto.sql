-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m CROSS JOIN UNNEST(CAST(json_parse(m.tags) AS array(varchar))) AS t(tag)

-- > allowed: elementary_test_results
SELECT status, count(*) AS n, approx_distinct(table_name) FROM elementary_test_results GROUP BY status

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m CROSS JOIN UNNEST(CAST(json_parse(m.tags) AS array(varchar))) AS t(tag) WHERE t.tag LIKE 'fin%'

-- > allowed: elementary_test_results
SELECT date_trunc('month', from_iso8601_timestamp(detected_at)) AS mth, count_if(status <> 'pass') FROM elementary_test_results GROUP BY 1 ORDER BY 1

-- > allowed: dbt_run_results
SELECT unique_id, max_by(status, generated_at) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT json_extract_scalar(meta, '$.team') AS team, approx_distinct(name) FROM dbt_models GROUP BY 1

-- > allowed: dbt_run_results
SELECT name, if(execution_time > 60, 'slow', 'ok') FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT array_join(array_agg(DISTINCT status), ', ') FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT name, rank() OVER (PARTITION BY status ORDER BY execution_time DESC) AS r FROM dbt_run_results

-- > allowed: elementary_test_results
SELECT try_cast(failures AS integer) FROM elementary_test_results WHERE failures IS NOT NULL
