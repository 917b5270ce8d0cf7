-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m CROSS JOIN UNNEST(CAST(json_parse(m.tags) AS array(varchar))) AS t(tag)

-- > allowed: dbt_run_results
SELECT date_trunc('day', created_at) AS day, avg(execution_time) FROM "elementary"."dbt_run_results" WHERE created_at >= date_add('day', -7, current_timestamp) GROUP BY 1

-- > allowed: dbt_models
SELECT json_extract_scalar(meta, '$.owner') AS owner, count(*) FROM elementary.dbt_models GROUP BY 1 ORDER BY 2 DESC LIMIT 10

-- > allowed: elementary_test_results
SELECT status, count(*) FROM elementary_test_results GROUP BY 1

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models CROSS JOIN UNNEST(CAST(json_parse(tags) AS array(varchar))) AS t (tag)

-- > allowed: elementary_test_results
SELECT date_diff('day', from_iso8601_timestamp(detected_at), current_timestamp) FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT approx_percentile(execution_time, 0.9) FROM dbt_run_results

-- > allowed: dbt_models
SELECT "name" FROM "elementary"."dbt_models" LIMIT 10

-- > allowed: elementary_test_results
SELECT date_parse(substr(detected_at, 1, 19), '%Y-%m-%d %H:%i:%s') FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT date_trunc('week', from_iso8601_timestamp(generated_at)) w, count_if(status='fail') f, approx_percentile(execution_time, 0.95) FROM dbt_run_results GROUP BY 1

-- > allowed: dbt_models
SELECT array_join(array_agg(DISTINCT name), ', ') AS names, owner FROM dbt_models GROUP BY owner

-- > allowed: dbt_run_results
SELECT unique_id, max_by(status, generated_at) FROM dbt_run_results WHERE date_parse(substr(generated_at, 1, 19), '%Y-%m-%dT%H:%i:%s') > current_timestamp - INTERVAL '7' DAY GROUP BY unique_id

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
