-- Queries that an analyst would write; the reason stands where one is refused.

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m CROSS JOIN UNNEST(CAST(json_parse(m.tags) AS array(varchar))) AS t(tag)

-- > allowed: dbt_models
SELECT m.name, t.tag, t.n FROM analytics.elementary.dbt_models m CROSS JOIN UNNEST(CAST(json_parse(m.depends_on_nodes) AS ARRAY(VARCHAR))) WITH ORDINALITY AS t(tag, n)

-- > allowed: dbt_models
SELECT m.name, t.tag FROM dbt_models m LEFT JOIN UNNEST(split(m.tags, ',')) AS t(tag) ON true

-- > allowed: elementary_test_results
SELECT date_trunc('day', created_at) AS day, count_if(status = 'fail') AS failed FROM elementary_test_results WHERE created_at > current_timestamp - INTERVAL '7' DAY GROUP BY 1

-- > allowed: dbt_run_results
SELECT name, approx_percentile(execution_time, 0.95), max_by(status, generated_at) FROM dbt_run_results GROUP BY name

-- > allowed: dbt_models
SELECT json_extract_scalar(meta, '$.owner') AS owner, array_join(array_agg(name), ', ') FROM dbt_models GROUP BY 1

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE contains(CAST(json_parse(tags) AS array(varchar)), 'pii')

-- > allowed: elementary_test_results
SELECT status, count(*) FROM elementary_test_results GROUP BY status

-- > allowed: dbt_models
SELECT name, t.tag FROM dbt_models CROSS JOIN UNNEST(CAST(json_parse(tags) AS array(varchar))) AS t (tag)

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models, UNNEST(CAST(json_parse(tags) AS ARRAY(VARCHAR))) AS t (tag)

-- > allowed: dbt_run_results
SELECT date_diff('second', from_iso8601_timestamp(execute_started_at), from_iso8601_timestamp(execute_completed_at)) FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT date_format(created_at, '%Y-%m-%d'), count_if(status='fail') FROM dbt_run_results GROUP BY 1

-- > allowed: dbt_run_results
SELECT max_by(status, generated_at) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_models
SELECT element_at(split(path, '/'), 1) FROM dbt_models

-- > allowed: dbt_run_results
SELECT approx_percentile(execution_time, ARRAY[0.5, 0.9]) FROM dbt_run_results

-- > allowed: dbt_models
SELECT filter(CAST(json_parse(tags) AS array(varchar)), x -> x LIKE 'p%') FROM dbt_models

-- > allowed: dbt_models
SELECT json_extract_scalar(meta, '$.owner'), json_array_length(tags) FROM dbt_models

-- > allowed: dbt_run_results
SELECT try_cast(failures AS bigint), coalesce(message, '') FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT date_trunc('week', created_at) w, avg(execution_time) FROM dbt_run_results WHERE created_at > now() - INTERVAL '30' DAY GROUP BY 1

-- > refused: 'sequence'
SELECT d FROM UNNEST(sequence(current_date - INTERVAL '7' DAY, current_date)) AS t(d)

-- > allowed: dbt_run_results
SELECT regexp_extract(unique_id, '^([a-z]+)', 1), count(*) FROM dbt_run_results GROUP BY 1

-- > allowed: dbt_models
SELECT listagg(name, ', ') WITHIN GROUP (ORDER BY name) FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM dbt_models FETCH FIRST 5 ROWS ONLY

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models m WHERE m.unique_id NOT IN (SELECT parent_model_unique_id FROM dbt_tests WHERE parent_model_unique_id IS NOT NULL)

-- > allowed: dbt_run_results
SELECT map_agg(name, owner), histogram(status) FROM dbt_run_results

-- > allowed: dbt_models
SELECT name, k, v FROM dbt_models CROSS JOIN UNNEST(CAST(json_parse(meta) AS map(varchar, json))) AS t(k, v)

-- > allowed: data_monitoring_metrics
SELECT lag(metric_value) OVER (PARTITION BY full_table_name ORDER BY bucket_end) FROM data_monitoring_metrics

-- > allowed: dbt_models
SELECT name, tag FROM dbt_models CROSS JOIN UNNEST(CAST(json_parse(tags) AS array(varchar))) AS t(tag)

-- > allowed: elementary_test_results
SELECT date_diff('hour', cast(detected_at AS timestamp), cast(now() AS timestamp)) FROM elementary_test_results

-- > allowed: dbt_run_results
SELECT unique_id, max_by(status, created_at) FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_run_results
SELECT approx_percentile(execution_time, 0.95) FROM dbt_run_results

-- > allowed: dbt_models
SELECT json_extract_scalar(meta, '$.owner') FROM dbt_models

-- > allowed: dbt_run_results
SELECT array_agg(DISTINCT status ORDER BY status) FROM dbt_run_results

-- > allowed: dbt_models
WITH RECURSIVE up(id, lvl) AS (SELECT unique_id, 0 FROM dbt_models WHERE name = 'orders' UNION ALL SELECT d.node, lvl + 1 FROM up JOIN dbt_models m ON m.unique_id = up.id CROSS JOIN UNNEST(CAST(json_parse(m.depends_on_nodes) AS array(varchar))) AS d(node) WHERE lvl < 5) SELECT DISTINCT id FROM up

-- > allowed: dbt_models
SELECT listagg(name, ', ') WITHIN GROUP (ORDER BY name) FROM dbt_models GROUP BY owner

-- > allowed: dbt_models
SELECT try(CAST(json_extract_scalar(meta, '$.sla') AS integer)) AS sla, name FROM dbt_models

-- > allowed: data_monitoring_metrics
SELECT full_table_name, metric_value, avg(metric_value) OVER (PARTITION BY full_table_name ORDER BY bucket_end RANGE BETWEEN INTERVAL '7' DAY PRECEDING AND CURRENT ROW) FROM data_monitoring_metrics

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
